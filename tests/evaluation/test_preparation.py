import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.ingestion import content_sha256
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.preparation import cell_data, prepare_dataset
from qcl_mixnet.evaluation.protocol import EvaluationProtocol


def make_table(target=("x", "y", "y", "z"), repeats=10):
    n_rows = repeats * len(target)
    table = pd.DataFrame({"a": np.arange(n_rows), "b": np.linspace(0, 1, n_rows), "c": "text"})
    table["target"] = list(target) * repeats
    return table


def prepare(table=None, **protocol):
    return prepare_dataset(make_table() if table is None else table, EvaluationProtocol(**protocol))


def test_prepare__labels__are_positions_among_the_class_names():
    prepared = prepare(make_table(("y", "z", "x", "y")))
    assert prepared.schema["class_names"] == ["x", "y", "z"]
    assert prepared.splits["label"].tolist() == [1, 2, 0, 1] * 10
    assert prepared.splits["label"].dtype == np.int64


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ([10, 9, 2], ["2", "9", "10"]),
        (np.array([10, 9, 2], dtype=np.int8), ["2", "9", "10"]),
        (["10", "9", "2"], ["10", "2", "9"]),
        ([False, True, True], ["False", "True"]),
        (pd.Categorical(["b", "a", "c"], categories=["c", "b", "a"]), ["a", "b", "c"]),
    ],
    ids=["int", "int8", "text", "bool", "categorical"],
)
def test_prepare__class_names__numbers_by_size_and_text_by_letter(target, names):
    prepared = prepare(make_table(target))
    assert prepared.schema["class_names"] == names
    back = [names[label] for label in prepared.splits["label"]]
    assert back == [str(value) for value in target] * 10


def test_prepare__parts__are_scikit_learns_with_seed_plus_s():
    prepared = prepare(seed=7, repeats=3, test_size=0.3)
    assert list(prepared.splits) == ["label", "part_7", "part_8", "part_9"]
    for seed in (7, 8, 9):
        train, test = train_test_split(
            np.arange(40), test_size=0.3, stratify=make_table()["target"], random_state=seed
        )
        part = prepared.splits[f"part_{seed}"]
        assert set(np.flatnonzero(part == "test")) == set(test)
        assert set(np.flatnonzero(part == "train")) == set(train)


def test_prepare__schema__describes_the_table():
    table = make_table()
    table.attrs["provenance"] = {"dataset": "mine", "origin": "file mine.csv"}
    schema = prepare(table).schema
    assert (schema["rows"], schema["features"], schema["classes"]) == (40, 3, 3)
    assert (schema["numeric"], schema["categorical"]) == (2, 1)
    assert schema["class_counts"] == {"y": 20, "x": 10, "z": 10}
    assert schema["provenance"] == {"dataset": "mine", "origin": "file mine.csv"}


def test_prepare__same_table__same_fingerprint():
    assert prepare().schema["fingerprint"] == prepare().schema["fingerprint"]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.assign(b=t["b"].where(t.index != 17, t["b"] + 1e-9)),
        lambda t: t.assign(c=t["c"].where(t.index != 17, "other")),
        lambda t: t.assign(target=t["target"].where(t.index != 0, "y")),
        lambda t: t.rename(columns={"a": "aa"}),
        lambda t: t[["b", "a", "c", "target"]],
        lambda t: t.iloc[::-1].reset_index(drop=True),
    ],
    ids=["number", "text", "label", "name", "order of columns", "order of rows"],
)
def test_prepare__table_changed__another_fingerprint(change):
    assert prepare(change(make_table())).schema["fingerprint"] != prepare().schema["fingerprint"]


@pytest.mark.parametrize("protocol", [{"seed": 43}, {"repeats": 2}, {"test_size": 0.25}], ids=str)
def test_prepare__other_splits__another_fingerprint(protocol):
    assert prepare(**protocol).schema["fingerprint"] != prepare().schema["fingerprint"]


def test_prepare__fields_that_move_no_row__same_fingerprint():
    assert (
        prepare(folds=5, checkpoint="validation").schema["fingerprint"]
        == prepare().schema["fingerprint"]
    )


def test_prepare__other_storage__same_fingerprint():
    table = make_table((2, 9, 10))
    narrow = table.astype({"a": np.int8, "target": np.int16})
    assert prepare(narrow).schema["fingerprint"] == prepare(table).schema["fingerprint"]
    exact = table.assign(b=table["a"] / 4)
    assert (
        prepare(exact.astype({"b": np.float32})).schema["fingerprint"]
        == prepare(exact).schema["fingerprint"]
    )


def test_prepare__no_provenance_and_no_target__says_which_column_is_missing():
    with pytest.raises(DataError, match="no column 'target'"):
        prepare(make_table().drop(columns="target"))


def test_prepare__bad_table__is_named_after_its_data_set():
    table = make_table(("x", "x"))
    table.attrs["provenance"] = {"dataset": "mine"}
    with pytest.raises(DataError, match="data set 'mine' has one class only, 'x'"):
        prepare(table)


def test_prepare__test_part_without_room_for_every_class__is_refused():
    with pytest.raises(EvaluationError, match=r"leaves 1 test row\(s\) for 3 classes"):
        prepare(test_size=0.02)


@pytest.mark.parametrize("target", [(2, 9, 10), ("x", "y", "z")], ids=["numbers", "text"])
def test_cell_data__after_a_round_trip_through_parquet__is_the_table_and_its_splits(
    tmp_path, target
):
    table = make_table(target)
    table.attrs["provenance"] = {"dataset": "mine"}
    prepared = prepare(table, repeats=2)
    table.to_parquet(tmp_path / "table.parquet", index=False)
    prepared.splits.to_parquet(tmp_path / "splits.parquet", index=False)

    stored = pd.read_parquet(tmp_path / "table.parquet")
    splits = pd.read_parquet(tmp_path / "splits.parquet")
    data = cell_data(stored, splits, prepared.schema)

    pd.testing.assert_frame_equal(data.features, table.drop(columns="target"))
    np.testing.assert_array_equal(data.labels, [0, 1, 2] * 10)
    assert data.labels.dtype == np.int64
    assert data.n_classes == 3
    assert data.fingerprint == prepared.schema["fingerprint"]
    assert [split.seed for split in data.splits] == [42, 43]
    for split in data.splits:
        train, test = train_test_split(
            np.arange(30), test_size=0.2, stratify=table["target"], random_state=split.seed
        )
        np.testing.assert_array_equal(split.train, np.sort(train))
        np.testing.assert_array_equal(split.test, np.sort(test))
    again = prepare(stored, repeats=2)
    assert again.schema == prepared.schema
    pd.testing.assert_frame_equal(again.splits, splits)


@pytest.mark.parametrize("edited", [False, True])
def test_prepare__table_edited_since_it_was_brought_in__is_told_and_used_as_it_is(edited, caplog):
    table = make_table()
    origin = {"origin": "OpenML 61", "content_sha256": content_sha256(table)}
    table.loc[0, "b"] += edited
    table.attrs["provenance"] = origin
    schema = prepare_dataset(table, EvaluationProtocol(), "mine").schema
    told = "The table of data set 'mine' was edited since it came from OpenML 61"
    assert (told in caplog.text) == edited
    assert schema["provenance"]["origin"] == "OpenML 61" + ", edited since" * edited
