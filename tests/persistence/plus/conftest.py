"""A small QCL-MixNet+ that is trained in a moment, with all kinds of networks in its blend."""

import shutil

import numpy as np
import pandas as pd
import pytest
from tests.estimators.plus.quick_fits import fit_quickly

from qcl_mixnet import ModelFileError, QCLMixNetPlusClassifier


def _make_table(n_rows=60):
    """Numbers with gaps and large offsets, an empty column, few and many levels; three classes."""
    rng = np.random.default_rng(0)
    y = np.arange(n_rows) % 3
    X = rng.normal(size=(n_rows, 4)) + y[:, None]
    X[rng.random(X.shape) < 0.1] = np.nan
    table = pd.DataFrame(1e6 + X, columns=list("abcd"))
    table["empty"] = np.nan
    table["colour"] = rng.choice(["red", "blue", None], n_rows)
    table["town"] = rng.choice(list("abcdefghijkl"), n_rows)
    return table, y


def _assert_refused(path, message, **options):
    with pytest.raises(ModelFileError, match=message) as caught:
        QCLMixNetPlusClassifier.load(path, **options)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.fixture(scope="session")
def plus_table():
    return _make_table()


@pytest.fixture(scope="session")
def fitted_plus():
    return fit_quickly


@pytest.fixture(scope="session")
def plus(plus_table):
    return fit_quickly(*plus_table)


@pytest.fixture(scope="session")
def saved_plus(plus, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model"
    plus.save(path)
    return path


@pytest.fixture
def plus_files(saved_plus, tmp_path):
    """A copy of the saved model that a test may damage."""
    return shutil.copytree(saved_plus, tmp_path / "model")


@pytest.fixture(scope="session")
def assert_plus_refused():
    return _assert_refused
