"""Files of trainings: what was written is read again, and nothing else is."""

import json

import numpy as np
import pytest
import safetensors.numpy

from qcl_mixnet.resuming import files
from qcl_mixnet.resuming.files import ProgressFileError, Saved, read_progress, write_progress

SAVED = Saved(
    {
        "values": np.array([1.5, -np.inf, np.nan], dtype=np.float32),
        "step": np.array(3.0, dtype=np.float32),
        "nothing": np.zeros((0, 4)),
        "counts": np.array([[1, 2]], dtype=np.int64),
    },
    {"epoch": 7, "rate": 0.1 + 0.2, "state": 2**127 + 1},
    12.5,
)
IS = {"training": "a" * 64, "code": "b" * 64}


@pytest.fixture
def written(tmp_path):
    write_progress(tmp_path / "file", SAVED, **IS)
    return tmp_path / "file"


def test_round_trip__same_bits_shapes_and_types(written):
    found = read_progress(written, **IS)
    assert found.facts == SAVED.facts
    assert found.seconds == 12.5
    assert found.arrays.keys() == SAVED.arrays.keys()
    for name, array in SAVED.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()
    assert [path.name for path in written.parent.iterdir()] == ["file"]  # no part is left


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"training": "c" * 64}, "of another training"),
        ({"code": "c" * 64}, "with other code or other libraries"),
    ],
)
def test_read__another_s_file__is_refused(written, other, reason):
    with pytest.raises(ProgressFileError, match=reason):
        read_progress(written, **{**IS, **other})


def test_read__newer_version__both_versions_are_named(written, monkeypatch):
    monkeypatch.setattr(files, "SCHEMA_VERSION", 2)
    write_progress(written, SAVED, **IS)
    monkeypatch.undo()
    with pytest.raises(
        ProgressFileError, match=r"it has version 2, .* and this one reads version 1"
    ):
        read_progress(written, **IS)


def test_read__cut_off_anywhere__is_damaged(written):
    data = written.read_bytes()
    for length in (0, 5, 8, 100, len(data) // 2, len(data) - 1):
        written.write_bytes(data[:length])
        with pytest.raises(ProgressFileError, match="it is damaged"):
            read_progress(written, **IS)


def test_read__any_byte_is_another__is_refused(written):
    data = written.read_bytes()
    for place in range(8, len(data), 11):
        written.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(ProgressFileError):
            read_progress(written, **IS)


@pytest.mark.parametrize(
    "metadata",
    [
        None, {"progress": "[" * 100_000}, {"progress": "[]"}, {"progress": "{}"},
        {"progress": json.dumps({"format": files.FORMAT, "schema_version": True})},
        {"progress": json.dumps({"format": files.FORMAT, "schema_version": 1, **IS})},
    ],
)  # fmt: skip
def test_read__a_safetensors_file_of_somebody_else__is_refused(tmp_path, metadata):
    path = tmp_path / "file"
    safetensors.numpy.save_file({"values": np.zeros(3)}, path, metadata)
    with pytest.raises(ProgressFileError):
        read_progress(path, **IS)


def test_read__larger_than_the_limit__is_not_read(written, monkeypatch):
    monkeypatch.setattr(files, "MOST_BYTES", 100)
    with pytest.raises(ProgressFileError, match="more than 100 bytes"):
        read_progress(written, **IS)
