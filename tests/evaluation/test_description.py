import pandas as pd
import pytest

from qcl_mixnet.data.roster import DatasetEntry
from qcl_mixnet.evaluation.description import describe_dataset
from qcl_mixnet.evaluation.preparation import prepare_dataset
from qcl_mixnet.evaluation.protocol import EvaluationProtocol

# 12 rows: x 6, y 4, z 2. The first split's test part has x 3 and y 1, and no z.
SCHEMA = {
    "rows": 12, "features": 3, "classes": 3, "class_counts": {"x": 6, "y": 4, "z": 2},
    "class_names": ["x", "y", "z"],
    "provenance": {"dataset": "mine", "source": "openml", "origin": "somewhere"},
    "split_by": {"groups": "patient"},
    "rows_seen_in_training": {"features": [2, 1], "features_and_label": [1, 0]},
}  # fmt: skip
SPLITS = pd.DataFrame(
    {
        "label": [0] * 6 + [1] * 4 + [2] * 2,
        "part_42": ["test"] * 3 + ["train"] * 3 + ["test"] + ["train"] * 5,
        "part_43": ["test"] + ["train"] * 10 + ["test"],
    }
)
ENTRY = {
    "label": "My table",
    "task": "multiclass",
    "sources": [{"type": "file", "path": "mine.csv"}],
    "table1": {"rows": 13, "features": 4, "classes": 3, "imbalance_ratio": 5.5},
}


def describe(schema=SCHEMA, **entry):
    described = describe_dataset("mine", {**ENTRY, **entry}, schema, SPLITS)
    assert len(described) == 1
    return described


def test_describe__by_hand():
    assert describe().iloc[0].to_dict() == {
        "dataset": "mine", "label": "My table", "task": "multiclass", "n_samples": 12,
        "n_features": 3, "n_classes": 3, "smallest_class": 2, "imbalance_ratio": 3.0,
        "test_imbalance_ratio": 3.0, "classes_absent_from_test": 1, "printed_rows": 13,
        "printed_features": 4, "printed_classes": 3, "printed_imbalance_ratio": 5.5,
        "source": "openml", "split_by": "groups: patient", "rows_seen_in_training": 3,
        "rows_seen_with_label": 1,
    }  # fmt: skip


def test_describe__schema_of_an_older_version__counts_nothing():
    older = {key: SCHEMA[key] for key in SCHEMA if key not in ("split_by", "rows_seen_in_training")}
    described = describe(older).iloc[0]
    assert described["split_by"] == ""
    assert described["rows_seen_in_training"] is pd.NA


def test_describe__entry_of_the_roster__is_taken_as_well():
    entry = DatasetEntry.model_validate(ENTRY)
    pd.testing.assert_frame_equal(describe_dataset("mine", entry, SCHEMA, SPLITS), describe())


@pytest.mark.parametrize(("n_classes", "task"), [(2, "binary"), (3, "multiclass")])
def test_describe__no_task_on_the_roster__follows_the_classes(n_classes, task):
    assert describe({**SCHEMA, "classes": n_classes}, task=None).loc[0, "task"] == task


def test_describe__task_of_the_roster__wins():
    assert describe(task="binary").loc[0, "task"] == "binary"


def test_describe__nothing_printed__is_missing_and_can_be_put_under_the_others():
    own = describe(table1=None)
    printed = [column for column in own if column.startswith("printed_")]
    assert len(printed) == 4
    assert own[printed].isna().all(axis=None)
    both = pd.concat([own, describe()], ignore_index=True)
    assert both["printed_rows"].tolist() == [pd.NA, 13]
    assert both["printed_imbalance_ratio"].tolist()[1] == 5.5


def test_describe__table_without_provenance__source_is_unknown():
    assert describe({**SCHEMA, "provenance": {}}).loc[0, "source"] == "unknown"


def test_describe__what_prepare_dataset_makes__is_enough():
    table = pd.DataFrame({"a": range(20), "target": ["u"] * 15 + ["v"] * 5})
    prepared = prepare_dataset(table, EvaluationProtocol(repeats=2))
    described = describe_dataset("mine", ENTRY, prepared.schema, prepared.splits)
    # A stratified 20 % test part has 3 rows of u and 1 of v.
    assert described.loc[0, ["imbalance_ratio", "test_imbalance_ratio"]].tolist() == [3, 3]
    assert described.loc[0, "classes_absent_from_test"] == 0
