import sqlite3

import optuna
import pytest
from optuna.trial import TrialState

from qcl_mixnet.tuning.errors import TuningError
from qcl_mixnet.tuning.storage import differences, stored_study

SETUP = {"tuning": {"space": {"a": {"low": 0.0, "high": 1.0}}, "folds": 3}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file with a study of one trial, and one that was left running; in a strange folder."""
    path = tmp_path_factory.mktemp("new ?{x}%ä#") / "inner" / "glass.db"
    with opened(path) as study:
        study.tell(study.ask(), 0.5)
        study.ask()
    return path


@pytest.fixture
def path(made, tmp_path):
    copy = tmp_path / "glass.db"
    copy.write_bytes(made.read_bytes())
    return copy


def opened(path, setup=SETUP):
    return stored_study(path, "split_1", setup, maximize=True, pruner=optuna.pruners.NopPruner())


def refusal(path, setup=SETUP):
    with pytest.raises(TuningError) as caught, opened(path, setup):
        pass
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_stored_study__again__has_its_trials_and_none_is_running(made, path):
    assert made.is_file()
    with opened(path) as study:
        assert [t.state for t in study.trials] == [TrialState.COMPLETE, TrialState.FAIL]
        assert study.direction == optuna.study.StudyDirection.MAXIMIZE


def test_stored_study__other_setup__is_refused_with_what_differs(path):
    setup = {"tuning": {"space": {"a": {"low": 0.0, "high": 2.0}}, "folds": 3}}
    message = refusal(path, setup)
    assert "with other settings: tuning.space.a.high was 1.0 and is 2.0;" in message
    assert "--params=tuning.study=second" in message


@pytest.mark.parametrize("share", [0.5, 0.02])
def test_stored_study__damaged_file__is_told_in_a_sentence(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))] if share > 0.1 else b"no database" * 99)
    assert "cannot be read or written (" in refusal(path)


def test_stored_study__another_database__is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE version_info (a INTEGER)")
    database.close()
    assert "cannot be read or written (" in refusal(path)


def test_stored_study__folder_that_is_a_file__is_told_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be read or written (" in refusal(tmp_path / "file" / "glass.db")


def test_stored_study__of_another_program__is_refused(path):
    with opened(path) as study:
        study._storage.set_study_user_attr(study._study_id, "setup", None)
    assert "was begun by another program" in refusal(path)


def test_differences__nested__every_place_with_both_values():
    before = {"a": 1, "b": {"c": [1], "gone": 2}}
    now = {"a": 1, "b": {"c": [1, 2]}, "new": 3}
    assert differences(before, now) == [
        "b.c was [1] and is [1, 2]", "b.gone was 2 and is None", "new was None and is 3",
    ]  # fmt: skip
    assert differences(now, now) == []


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{"])
def test_stored_study__setup_that_is_no_json__is_told_in_a_sentence(path, text):
    with sqlite3.connect(path) as database:
        database.execute("UPDATE study_user_attributes SET value_json = ?", (text,))
    assert "is damaged" in refusal(path)
