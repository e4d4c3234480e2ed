import os
import subprocess

import pandas as pd
import pytest
from mlflow.utils.validation import _validate_metric_name

from qcl_mixnet.project.git import git_commit
from qcl_mixnet.project.hooks import (
    MAX_LABELS,
    check_writable,
    inference_metrics,
    speed_metrics,
)
from qcl_mixnet.project.parameters import ConfigurationError


def test_check_writable__new_folder__is_made_and_left_empty(tmp_path):
    folder = tmp_path / "data" / "results"
    check_writable(folder)
    assert list(folder.iterdir()) == []


def test_check_writable__folder_with_files__leaves_them_alone(tmp_path):
    (tmp_path / "file.txt").write_text("mine")
    check_writable(tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def refusal(folder):
    with pytest.raises(ConfigurationError) as caught:
        check_writable(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("below", [(), ("results",)], ids=["itself", "its parent"])
def test_check_writable__a_file_is_in_the_way__names_the_folder_and_the_remedy(tmp_path, below):
    (tmp_path / "data").write_text("a file")
    folder = (tmp_path / "data").joinpath(*below)
    message = refusal(folder)
    assert message.startswith(f"The data folder {folder} cannot be written to (")
    assert message.endswith("or choose another with --params=data_root=/a/folder.")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_check_writable__no_permission__is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert "Permission denied" in refusal(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_check_writable__disk_is_full__is_refused(tmp_path, monkeypatch):
    def full(**kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("qcl_mixnet.project.hooks.tempfile.TemporaryFile", full)
    assert "No space left on device" in refusal(tmp_path)


def test_speed_metrics__the_engine_s_figures_by_data_set_and_members():
    table = pd.DataFrame(
        {
            "dataset": ["d"] * 4, "members": [1, 1, 10, 10],
            "implementation": ["reference", "engine"] * 2, "ms": [6.0, 3.0, 6.0, 0.5],
            "ratio": [1.0, 2.0, 1.0, 12.0], "fraction": [0.1, 0.2, 0.1, 0.5],
            "peak_mib": [3, 2, 3, 9],
        }
    )  # fmt: skip
    assert speed_metrics(table) == {
        "speed_ratio/d_1_members": 2, "speed_ms/d_1_members": 3,
        "speed_fraction/d_1_members": 0.2, "speed_peak_mib/d_1_members": 2,
        "speed_ratio/d_10_members": 12, "speed_ms/d_10_members": 0.5,
        "speed_fraction/d_10_members": 0.5, "speed_peak_mib/d_10_members": 9,
    }  # fmt: skip


def test_inference_metrics__labels_are_named_as_mlflow_lets_them():
    counts = {"a": 3, "b/c [d]": 4, "ü 1.5": 5, "": 6, "x" * 300: 7}
    found = inference_metrics({"rows": 25, "seconds": 1.5, "rows_by_label": counts})
    assert found == {
        "rows": 25, "seconds": 1.5, "rows/a": 3, "rows/b_c _d_": 4, "rows/ü 1_5": 5, "rows/_": 6,
        f"rows/{'x' * 200}": 7,
    }  # fmt: skip
    for name in found:
        _validate_metric_name(name)


def test_inference_metrics__very_many_labels__are_cut():
    counts = {str(i): 1 for i in range(2000)}
    report = {"rows": 2000, "seconds": 1.5, "rows_by_label": counts}
    assert len(inference_metrics(report)) == 2 + MAX_LABELS


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of its own, with nobody's settings; gives a function that runs git in it."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "repository"
    folder.mkdir()

    def git(*arguments):
        done = subprocess.run(
            ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments],
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    git("init", "--quiet")
    git.folder = folder
    return git


@pytest.fixture
def commit(repository):
    (repository.folder / "file.txt").write_text("one")
    repository("add", "file.txt")
    repository("commit", "--quiet", "-m", "one")
    return repository("rev-parse", "HEAD")


def test_git_commit__clean__is_the_commit(repository, commit):
    assert git_commit(repository.folder) == commit
    assert len(commit) == 40


def test_git_commit__tracked_file_changed__is_dirty(repository, commit):
    (repository.folder / "file.txt").write_text("two")
    assert git_commit(repository.folder) == f"{commit}-dirty"
    repository("add", "file.txt")
    assert git_commit(repository.folder) == f"{commit}-dirty"


def test_git_commit__new_file__is_not_dirty(repository, commit):
    (repository.folder / "result.csv").write_text("1")
    assert git_commit(repository.folder) == commit


def test_git_commit__tag__is_still_the_commit(repository, commit):
    repository("tag", "-a", "v1", "-m", "one")
    assert git_commit(repository.folder) == commit


def test_git_commit__no_commit_yet__is_unknown(repository):
    assert git_commit(repository.folder) == "unknown"


def test_git_commit__no_repository__is_unknown(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    plain = tmp_path / "plain"
    plain.mkdir()
    assert git_commit(plain) == "unknown"
    assert git_commit(tmp_path / "no such folder") == "unknown"


def test_git_commit__no_git__is_unknown(repository, commit, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(repository.folder) == "unknown"
