"""Saving to a directory, and directories that are not as saving left them."""

import copy
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.persistence import checked as files_module
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.persistence.schema import SCHEMA_VERSION

fuzz = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_save__unfitted__is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        QCLMixNetClassifier().save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_save__empty_directory_or_missing_parents__are_filled(model, tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", str(tmp_path / "new" / "model")):
        model.save(path)
        QCLMixNetClassifier.load(path)


def test_save__saved_model_in_the_way__needs_overwrite(model, files):
    before = (files / "model.json").read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save(files)
    assert (files / "model.json").read_bytes() == before
    copy.deepcopy(model).set_params(epochs=77).save(files, overwrite=True)
    assert QCLMixNetClassifier.load(files).epochs == 77
    assert [entry.name for entry in files.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_save__something_else_in_the_way__is_never_replaced(model, tmp_path, overwrite):
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("more of it")
    for path in (tmp_path / "directory", tmp_path / "file"):
        with pytest.raises(FileExistsError, match="no saved model"):
            model.save(path, overwrite=overwrite)
    assert (tmp_path / "directory" / "thesis.tex").exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_save__through_a_link__replaces_what_it_leads_to(model, files, tmp_path):
    link = tmp_path / "current"
    link.symlink_to(files)
    model.save(link, overwrite=True)
    assert link.is_symlink()
    QCLMixNetClassifier.load(link)


@pytest.mark.parametrize("failing", ["write_text", "rename"])
def test_save__fails_midway__leaves_the_older_model_and_nothing_else(
    model, files, monkeypatch, failing
):
    original, calls = getattr(files_module.Path, failing), []

    def fail(self, *args, **options):
        calls.append(self)
        # Of the renames, the one that puts the new model into place.
        if failing == "rename" and not self.name.endswith(".tmp"):
            return original(self, *args, **options)
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files_module.Path, failing, fail)
        with pytest.raises(OSError, match="No space left"):
            model.save(files, overwrite=True)
    assert calls
    assert [entry.name for entry in files.parent.iterdir()] == ["model"]
    QCLMixNetClassifier.load(files)


def test_save__older_model_cannot_be_removed__is_done_and_warns(model, files, monkeypatch):
    original = shutil.rmtree

    def fail(path, *args, **options):
        if str(path).endswith(".old"):
            raise PermissionError("Permission denied")
        original(path, *args, **options)

    changed = copy.deepcopy(model).set_params(epochs=77)
    with monkeypatch.context() as patch:
        patch.setattr(files_module.shutil, "rmtree", fail)
        with pytest.warns(UserWarning, match=r"\.old \(Permission denied\)") as caught:
            changed.save(files, overwrite=True)
    assert caught[0].filename == __file__
    assert QCLMixNetClassifier.load(files).epochs == 77


class Subclass(QCLMixNetClassifier):
    pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.set_params(epochs=0), "epochs"),
        (lambda m: m.set_params(focal_gamma=float("inf")), "focal_gamma=inf"),
        (lambda m: m.set_params(decision=pd.Series([1, 2], index=["a", "a"])), "'a' more than"),
        (lambda m: setattr(m, "classes_", m.classes_.astype("M8[D]")), "date"),
        (lambda m: setattr(m, "__class__", Subclass), "Subclass"),
    ],
)
def test_save__what_could_not_be_loaded__is_refused(model, tmp_path, change, message):
    model = copy.deepcopy(model)
    change(model)
    with pytest.raises(ModelFileError, match=message):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_load__missing_directory_or_file__is_refused(files, tmp_path, assert_refused):
    assert_refused(tmp_path / "other", "does not exist")
    assert_refused(files / "model.json", "is a file; give the directory")
    (files / "model.safetensors").unlink()
    assert_refused(files, "model.safetensors does not exist")
    (files / "model.json").unlink()
    assert_refused(files, "model.json does not exist")


def test_load__pipe_in_the_place_of_a_file__is_refused_and_not_waited_for(files, assert_refused):
    (files / "model.safetensors").unlink()
    os.mkfifo(files / "model.safetensors")
    assert_refused(files, "not a regular file")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a":' * 100_000, "not valid JSON"),
        (b'{"a": 1, "a": 2}', "key occurs twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1e999}', "not valid JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not valid JSON"),
        (b"[]", "format"),
        (b"null", "format"),
        (b"{}", "format"),
        (b'{"format": "other"}', "format"),
    ],
)
def test_load__json_that_is_none_of_ours__is_refused(files, text, message, assert_refused):
    (files / "model.json").write_bytes(text)
    assert_refused(files, message)


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, "1", True, 1.0, None, "x" * 10_000])
def test_load__other_schema_version__names_it_and_the_package(files, version, edit, assert_refused):
    edit(files, lambda content: content.update(schema_version=version, package_version="9.9"))
    assert_refused(files, "schema version .*qcl-mixnet '9.9'")


def test_load__edited_json__is_refused_by_its_checksum(files, edit, assert_refused):
    edit(files, lambda content: content["parameters"].update(epochs=3), checksum=False)
    assert_refused(files, "model.json has changed")


def test_load__json_laid_out_anew__is_the_same_model(files, model, assert_same, table):
    file = files / "model.json"
    content = dict(reversed(json.loads(file.read_text()).items()))
    file.write_text(json.dumps(content, indent=7))
    assert_same(QCLMixNetClassifier.load(files), model, table[0])


def test_load__changed_tensors__are_refused_by_size_and_checksum(files, assert_refused):
    file = files / "model.safetensors"
    data = bytearray(file.read_bytes())
    file.write_bytes(data + b"x")
    assert_refused(files, "has .* bytes")
    data[-1] ^= 1
    file.write_bytes(data)
    assert_refused(files, "model.safetensors has changed")


def test_load__too_large__is_refused_before_it_is_read(files, monkeypatch, assert_refused):
    monkeypatch.setattr(files_module.Path, "open", None)
    monkeypatch.setattr(files_module, "MAX_JSON_BYTES", 100)
    assert_refused(files, "the limit is 100")
    monkeypatch.undo()
    assert_refused(files, "the limit is 1000; pass a larger max_bytes", max_bytes=1000)
    os.truncate(files / "model.safetensors", 3 * 2**30)  # sparse
    assert_refused(files, "the limit is 2147483648")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 100,
        (2**40).to_bytes(8, "little") + b"{}",
        safetensors.numpy.save({"x": np.zeros(1)}).replace(b"F64", b"Q99"),
        safetensors.numpy.save({"x": np.zeros(4, np.int16)}).replace(b"I16", b"C64"),
    ],
)
def test_load__no_safetensors_file_with_right_checksums__is_refused(
    files, data, replace_data, assert_refused
):
    replace_data(files, data)
    assert_refused(files, "safetensors|tensor")


@fuzz
@given(name=st.sampled_from(["model.json", "model.safetensors"]), data=st.data())
def test_load__flipped_or_cut_bytes__same_model_or_one_error(
    saved, tmp_path, model, name, data, assert_same, table
):
    path = tmp_path / "model"
    shutil.copytree(saved, path, dirs_exist_ok=True)
    content = bytearray((saved / name).read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:position]
    else:
        content[position] ^= data.draw(st.integers(1, 255))
    (path / name).write_bytes(content)
    try:
        loaded = QCLMixNetClassifier.load(path)
    except ModelFileError:
        return
    assert_same(loaded, model, table[0])
