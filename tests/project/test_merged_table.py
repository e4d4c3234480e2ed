"""A table to which runs add, each its own rows."""

import pandas as pd
import pytest
from kedro.io import DatasetError

from qcl_mixnet.project.merged_table import MergedTableDataset


@pytest.fixture
def dataset(tmp_path):
    return MergedTableDataset(
        filepath=str(tmp_path / "deep" / "cells.csv"),
        keys=["dataset", "model"],
        names=["dataset", "model"],
        same=["seed"],
        sort_by=["repeat"],
    )


def rows(*cells, seed=1):
    columns = ["dataset", "model", "repeat", "score"]
    return pd.DataFrame(cells, columns=columns).assign(seed=seed)


def found(dataset):
    columns = ["dataset", "model", "repeat", "score"]
    return list(dataset.load()[columns].itertuples(index=False, name=None))


def test_saving__replaces_the_rows_of_the_same_things_and_keeps_the_others(dataset):
    dataset.save(rows(("b", "knn", 1, 0.2), ("b", "knn", 0, 0.1), ("a", "svm", 0, 0.5)))
    dataset.save(rows(("b", "knn", 0, 0.9), ("2020", "NA", 0, 0.3)))
    assert found(dataset) == [("2020", "NA", 0, 0.3), ("a", "svm", 0, 0.5), ("b", "knn", 0, 0.9)]


def test_the_file__does_not_depend_on_the_order_of_runs(dataset):
    parts = rows(("b", "knn", 0, 0.2)), rows(("a", "svm", 0, 0.5)), rows(("a", "knn", 0, 0.4))
    for part in parts:
        dataset.save(part)
    first = dataset.path.read_bytes()
    dataset.path.unlink()
    for part in reversed(parts):
        dataset.save(part)
    assert dataset.path.read_bytes() == first


def test_rows_of_another_protocol__are_refused_and_the_file_is_left(dataset):
    dataset.save(rows(("b", "knn", 0, 0.2)))
    before = dataset.path.read_bytes()
    with pytest.raises(DatasetError, match=r"holds results of seed 1.*have 2.*name=") as error:
        dataset.save(rows(("a", "knn", 0, 0.2), seed=2))
    assert "\n" not in str(error.value)
    assert dataset.path.read_bytes() == before
