import os
import subprocess
import sys
import time

import pytest

from qcl_mixnet.writing import part_of, strict_json, sweep_parts, write_atomically


def test_write_atomically__missing_folders__are_made(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_atomically(path, lambda part: part.write_text("whole"))
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_write_atomically__interrupted__leaves_nothing(tmp_path):
    def interrupt(path):
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file.txt", interrupt)
    assert list(tmp_path.iterdir()) == []


def test_strict_json__numbers_that_are_not_finite__are_none_at_any_depth():
    given = {"a": [1.5, float("nan"), {"b": -float("inf")}], "c": "NaN", "d": 3}
    assert strict_json(given) == {"a": [1.5, None, {"b": None}], "c": "NaN", "d": 3}


def leave_half_file(path):
    """A half file as a process that was killed leaves it."""
    code = (
        "import os, sys, pathlib; from qcl_mixnet.writing import part_of; "
        "part_of(pathlib.Path(sys.argv[1])).write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)


def test_sweep_parts__process_was_killed__its_half_files_go(tmp_path):
    (tmp_path / "deep").mkdir()
    leave_half_file(tmp_path / "deep" / "table.parquet")
    assert len(list((tmp_path / "deep").iterdir())) == 1
    (tmp_path / "deep" / "table.parquet").write_text("whole")
    (tmp_path / "mine.part").write_text("not ours")
    assert sweep_parts(tmp_path) == 1
    left = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["mine.part", "table.parquet"]


def test_sweep_parts__process_is_alive__its_file_stays(tmp_path):
    part = part_of(tmp_path / "table.csv")
    part.write_text("half")
    assert sweep_parts(tmp_path) == 0
    assert part.exists()


@pytest.mark.parametrize("name", [f".t.csv.{'a' * 32}.part", f".t.csv.{'0' * 8}-7-{'a' * 32}.part"])
def test_sweep_parts__nobody_knows_whose_it_is__goes_after_a_day(tmp_path, name):
    path = tmp_path / name
    path.write_text("half")
    assert sweep_parts(tmp_path) == 0
    day_ago = time.time() - 90_000
    os.utime(path, (day_ago, day_ago))
    assert sweep_parts(tmp_path) == 1


def test_sweep_parts__no_folder__nothing(tmp_path):
    assert sweep_parts(tmp_path / "nowhere") == 0
