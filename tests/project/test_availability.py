"""Which data sets can be used: unavailable and refused ones told apart, by notes on disk."""

import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.project.availability import (
    needs_ingestion,
    problems_of,
    refused_when_prepared,
    stop_if_none_is_left,
    without_table,
)
from qcl_mixnet.project.datasets import TableDataset, Unavailable

TABLE = pd.DataFrame({"target": [1]})  # without provenance: put there by the user
AWAY = Unavailable("data set 'a' is not available")
WRONG = Unavailable("data set 'b' has one class only", refused=True)


@pytest.fixture
def catalog(tmp_path):
    return DataCatalog(
        {
            f"{name}.{what}": TableDataset(filepath=str(tmp_path / what / f"{name}.parquet"))
            for name in "abc"
            for what in ("table", "splits")
        }
    )


def test_without_table__away_refused_and_there__are_told_apart(catalog):
    catalog.save("a.table", AWAY)
    catalog.save("b.table", WRONG)
    catalog.save("c.table", TABLE)
    assert [name for name in "abc" if needs_ingestion(name, catalog)] == ["a", "b"]
    assert without_table("abc", catalog) == {"a": AWAY, "b": WRONG}
    assert problems_of("abc", catalog) == {"a": AWAY, "b": WRONG}


def test_without_table__never_tried__says_what_to_run(catalog):
    reason = without_table("a", catalog)["a"].reason
    assert reason == "data set 'a' has no table; run the ingestion pipeline"
    assert without_table("a", DataCatalog({"a.table": MemoryDataset()}))["a"].reason == reason


def test_without_table__put_in_place_after_a_refusal__the_note_is_forgotten(catalog, tmp_path):
    catalog.save("a.table", WRONG)
    TABLE.to_parquet(tmp_path / "table/a.parquet")
    assert without_table("a", catalog) == {}
    assert problems_of("a", catalog) == {}


def test_without_table__file_cannot_be_read__is_refused_and_stays(catalog, tmp_path):
    path = tmp_path / "table/a.parquet"
    path.parent.mkdir()
    path.write_bytes(b"PAR1 not a table")
    assert not needs_ingestion("a", catalog)
    problem = without_table("a", catalog)["a"]
    assert problem.refused
    assert "a.parquet is not a readable Parquet file" in problem.reason
    assert path.read_bytes() == b"PAR1 not a table"


def test_refused_when_prepared__until_the_splits_are_saved(catalog):
    catalog.save("b.splits", WRONG)
    assert refused_when_prepared("abc", catalog) == {"b": WRONG}
    catalog.save("b.splits", TABLE)
    assert refused_when_prepared("abc", catalog) == {}


def test_stop_if_none_is_left__one_is_left_or_there_were_none__goes_on():
    stop_if_none_is_left("ab", {"a": AWAY})
    stop_if_none_is_left("", {})


def test_stop_if_none_is_left__none_available__names_them():
    with pytest.raises(DatasetError, match="No data set of this run is available: a, c"):
        stop_if_none_is_left("ac", {"c": AWAY, "a": AWAY})


def test_stop_if_none_is_left__one_refused__gives_its_reason():
    with pytest.raises(DataError, match=r"^data set 'b' has one class only$"):
        stop_if_none_is_left("b", {"b": WRONG})
    with pytest.raises(DataError, match=r"can be used: data set 'a' is not .*; data set 'b' has"):
        stop_if_none_is_left("ab", {"b": WRONG, "a": AWAY})
