import os
from pathlib import Path

import numpy as np
import pytest

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.writing import user_path


@pytest.fixture(scope="module")
def model():
    X = np.random.default_rng(0).normal(size=(8, 2))
    return QCLMixNetClassifier(epochs=1, random_state=0).fit(X, [0, 1] * 4)


@pytest.fixture
def places(tmp_path, monkeypatch):
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    return home, here


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("~/m", "home/m"),
        (Path("~/m"), "home/m"),
        ("m", "here/m"),
        ("with space/Größe", "here/with space/Größe"),
        ("../m", "m"),
        ("./~/m", "here/~/m"),
    ],
    ids=str,
)
def test_save_load_and_onnx__any_path__is_where_a_shell_puts_it(
    path, expected, model, places, tmp_path
):
    model.save(path)
    assert (tmp_path / expected / "model.json").is_file()
    assert QCLMixNetClassifier.load(path).classes_.tolist() == [0, 1]
    model.to_onnx(os.path.join(path, "model.onnx"))
    assert (tmp_path / expected / "model.onnx").is_file()
    literal = (tmp_path / "here" / "~").exists()
    assert literal == expected.startswith("here/~")


def test_user_path__home_of_nobody__says_so():
    with pytest.raises(ValueError, match="'~nobody-here/m' names the home of a user who is not"):
        user_path("~nobody-here/m")
