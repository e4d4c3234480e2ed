import pytest

from qcl_mixnet.writing import strict_json, write_atomically


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
