"""Data sets with `groups:` or `time:`: how they are split, what models see, and the leak test."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from tests.evaluation.probes import PROBE, TREE, Probe, run

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.roster import parse_entry
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.preparation import cell_data, prepare_dataset
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.search import SearchedClassifier
from qcl_mixnet.evaluation.split_columns import SplitColumns, check_no_leak
from qcl_mixnet.evaluation.splits import Split, forward_splits, grouped_splits

PROTOCOL = EvaluationProtocol(repeats=3)
PATIENTS, DAYS = SplitColumns(groups="patient"), SplitColumns(time="day")


def make_table(n=120):
    rng = np.random.default_rng(0)
    y = np.repeat(rng.permutation([0] * 16 + [1] * 8), 5)
    return pd.DataFrame(
        {
            "patient": [f"p{i // 5}" for i in range(n)],
            "a": rng.normal(size=n) + y,
            "day": pd.date_range("2024-01-01", periods=n)[rng.permutation(n)],
            "b": rng.integers(0, 9, n),
            "target": y,
        }
    )


def prepared(split_by, **changes):
    table = make_table().drop(columns=[{"patient": "day", "day": "patient"}[c] for c in
                                       split_by.given.values()]).assign(**changes)  # fmt: skip
    result = prepare_dataset(table, PROTOCOL, "visits", split_by=split_by)
    return table, result


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 0.5))
def test_grouped__any_seed__no_group_on_two_sides_and_every_class_on_both(seed, test_size):
    rng = np.random.default_rng(seed)
    owners = np.append(rng.integers(0, 15, 60), [20, 21, 22, 23, 24, 25])
    y = np.append(rng.choice(list("ab"), 60), list("aabbcc"))
    for split in grouped_splits(y, owners, test_size=test_size, repeats=2, seed=seed):
        assert not np.intersect1d(owners[split.train], owners[split.test]).size
        assert len(split.train) + len(split.test) == 66
        assert set(y[split.train]) == set(y[split.test]) == {"a", "b", "c"}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 3), st.floats(0.1, 0.3))
def test_forward__any_table__tests_are_later_and_do_not_overlap(seed, repeats, test_size):
    rng = np.random.default_rng(seed)
    moments = pd.factorize(rng.integers(0, 40, 200), sort=True)[0]
    splits = forward_splits(rng.integers(0, 2, 200), moments, test_size=test_size, repeats=repeats)
    for split in splits:
        assert moments[split.train].max() < moments[split.test].min()
        assert abs(len(split.test) - test_size * 200) <= 2 * np.bincount(moments).max()
    assert moments[splits[0].test].max() == moments.max()
    tested = np.concatenate([split.test for split in splits])
    assert len(np.unique(tested)) == len(tested)
    sizes = [len(split.train) for split in splits]
    assert sizes == sorted(sizes, reverse=True)


def test_forward__by_hand():
    moments = np.array([4, 0, 3, 1, 2, 2, 5, 6, 7, 8])
    later, earlier = forward_splits([0, 1] * 5, moments, test_size=0.2, repeats=2, seed=7)
    assert (later.test.tolist(), later.seed) == ([8, 9], 7)
    assert (earlier.test.tolist(), earlier.seed) == ([6, 7], 8)
    assert earlier.train.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("y", "moments", "options", "message"),
    [
        ([0, 1] * 5, np.arange(10), {"repeats": 5}, "use 4 repeats at most"),
        ([0, 1] * 5, np.zeros(10, int), {}, "1 different times, too few"),
        ([0] * 8 + [1] * 2, np.arange(10), {}, "hold a single class"),
    ],
)
def test_forward__what_cannot_be_split__is_one_sentence(y, moments, options, message):
    with pytest.raises(EvaluationError, match=message):
        forward_splits(y, moments, **options)


@pytest.mark.parametrize("split_by", [PATIENTS, DAYS])
def test_prepare__column__says_how_rows_are_split_and_is_no_feature(split_by):
    table, result = prepared(split_by)
    (column,) = split_by.given.values()
    data = cell_data(table, result.splits, result.schema)
    assert list(data.features) == ["a", "b"]
    assert result.schema["features"] == 2
    assert result.schema["split_by"] == split_by.given
    assert len(data.splits) == 3
    for split in data.splits:
        train, test = table[column].iloc[split.train], table[column].iloc[split.test]
        if split_by is DAYS:
            assert train.max() < test.min()
        else:
            assert not set(train) & set(test)
    assert (data.groups is None) == (split_by is DAYS)


def test_prepare__other_data_sets__keep_their_fingerprint_and_those_with_a_column_get_another():
    table = make_table()[["a", "b", "target"]]
    plain = prepare_dataset(table, PROTOCOL, "visits").schema
    # Computed before there were such columns.
    assert plain["fingerprint"].startswith("4f440170f910")
    assert plain["split_by"] == {}
    first, second = (prepared(by)[1].schema["fingerprint"] for by in (PATIENTS, DAYS))
    assert len({first, second, plain["fingerprint"]}) == 3


@pytest.mark.parametrize("write", [str, lambda day: day.isoformat(), lambda day: day.toordinal()])
def test_prepare__times_as_text_or_numbers__are_in_the_same_order(write):
    _, dates = prepared(DAYS)
    _, written = prepared(DAYS, day=[write(day) for day in make_table()["day"]])
    pd.testing.assert_frame_equal(dates.splits, written.splits)


@pytest.mark.parametrize(
    ("split_by", "changes", "message"),
    [
        (SplitColumns(groups="who"), {}, "no column 'who' for `groups` among its columns"),
        (SplitColumns(groups="target"), {}, "no column 'target' for `groups`"),
        (PATIENTS, {"patient": [None] + ["p"] * 119}, "'patient' .* missing in 1 row.*row 0"),
        (DAYS, {"day": ["31.12.2024"] * 120}, "'day' .* neither numbers nor dates .*'31.12.2024'"),
    ],
)
def test_prepare__column_that_does_not_do__is_refused_by_name(split_by, changes, message):
    with pytest.raises(DataError, match=f"'visits'.*{message}|{message}"):
        prepare_dataset(make_table().assign(**changes), PROTOCOL, "visits", split_by=split_by)


def test_prepare__class_in_one_group__is_refused_by_name():
    table = make_table().assign(patient=make_table()["target"])
    with pytest.raises(EvaluationError, match=r"'visits' cannot be split: .* lie in 1 group"):
        prepare_dataset(table.drop(columns="day"), PROTOCOL, "visits", split_by=PATIENTS)


def test_prepare__rows_seen_in_training__are_counted_without_and_with_the_label():
    table = pd.DataFrame({"a": np.arange(40) % 20, "b": 1.0, "target": [0, 1] * 20})
    table.loc[20:, "target"] = [1, 0] * 10  # a twin of the other class for every row
    result = prepare_dataset(table, EvaluationProtocol(test_size=0.5), "twins")
    part = result.splits["part_42"]
    by_hand = sum(part[i] == "test" and part[(i + 20) % 40] == "train" for i in range(40))
    assert result.schema["rows_seen_in_training"] == {
        "features": [by_hand], "features_and_label": [0],
    }  # fmt: skip


def test_roster__groups_or_time__not_both():
    entry = {"label": "Visits", "sources": [{"type": "file", "path": "visits.csv"}]}
    assert parse_entry("visits", {**entry, "groups": "patient"}).groups == "patient"
    with pytest.raises(DataError, match=r"'visits'.*groups: patient.*time: day.*not both"):
        parse_entry("visits", {**entry, "groups": "patient", "time": "day"})


def test_leak_test__stored_splits_that_leak__are_refused_before_any_model():
    table, result = prepared(PATIENTS)
    splits = result.splits.copy()
    row = np.flatnonzero(splits["part_42"] == "test")[0]
    splits.loc[row, "part_42"] = "train"
    with pytest.raises(EvaluationError, match=r"1 group\(s\) on both sides"):
        cell_data(table, splits, result.schema)
    table, result = prepared(DAYS)
    splits = result.splits.copy()
    splits.loc[table["day"].argmax(), "part_42"] = "train"
    with pytest.raises(EvaluationError, match="seed 42 tests on rows that are not later"):
        cell_data(table, splits, result.schema)
    both = [Split(np.array([0, 1]), np.array([1, 2]), 3)]
    with pytest.raises(EvaluationError, match="trained and tested on"):
        check_no_leak(both)


class Grouped(ClassifierMixin, BaseEstimator):
    """Notes the groups that it is fitted with, and the feature that tells them."""

    seen = []  # noqa: RUF012 - emptied by the tests

    def __init__(self, depth=1):
        self.depth = depth

    def fit(self, X, y, groups=None):
        Grouped.seen.append((X["owner"].to_numpy(), groups))
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]


GROUPED = {"class": f"{__name__}.Grouped", "preprocess": False}


@pytest.mark.parametrize(
    ("model", "fits"),
    [
        (GROUPED, 1),
        ({**GROUPED, "decision": "macro_f1"}, 6),
        ({**GROUPED, "grid": {"depth": [1, 2]}}, 6),
    ],
    ids=["plain", "tuned decision", "grid"],
)
def test_cell__model_that_takes_groups__gets_those_of_its_rows(model, fits):
    table, result = prepared(PATIENTS)
    data = cell_data(table, result.splits, result.schema)
    data = replace(data, features=data.features.assign(owner=data.groups), splits=data.splits[:1])
    Grouped.seen.clear()
    assert run(model, data).record["error"] is None
    assert len(Grouped.seen) == fits
    for owners, groups in Grouped.seen:
        if groups is not None:  # by other numbers perhaps
            pairs = set(zip(owners, groups, strict=True))
            assert len(pairs) == len(set(owners)) == len(set(groups))
        counts = np.bincount(owners, minlength=24)
        assert set(counts) <= {0, 5}  # whole groups alone
    assert Grouped.seen[-1][1] is not None


@pytest.mark.parametrize(
    "model", [PROBE, TREE, {**TREE, "decision": "macro_f1"}, {**TREE, "grid": {"max_depth": [1]}}]
)
def test_cell__model_that_takes_no_groups__is_fitted_without(model):
    table, result = prepared(PATIENTS)
    assert run(model, cell_data(table, result.splits, result.schema)).record["error"] is None


def test_searched_classifier__in_a_tuned_decision__searches_on_folds_of_groups():
    table, result = prepared(PATIENTS)
    data = cell_data(table, result.splits, result.schema)
    X = data.features.assign(owner=data.groups)
    Grouped.seen.clear()
    SearchedClassifier(Grouped(), {"depth": [1]}, folds=3).fit(X, data.labels, groups=data.groups)
    for owners, _ in Grouped.seen:
        assert set(np.bincount(owners, minlength=24)) <= {0, 5}


def test_cell__forward_in_time__is_scored_on_later_rows():
    table, result = prepared(DAYS)
    data = cell_data(table, result.splits, result.schema)
    outcome = run(PROBE, data, repeats=3)
    assert outcome.record["error"] is None
    assert len(Probe.fitted_on[-1][0]) < len(Probe.fitted_on[-3][0])


def test_cell__training_rows_of_one_group__are_folded_at_random_and_that_is_logged(caplog):
    table = make_table().assign(owner=np.repeat([0, 1], 60), target=[0, 1] * 60)
    table = table[["owner", "a", "b", "target"]]
    split_by = SplitColumns(groups="owner")
    result = prepare_dataset(table, EvaluationProtocol(test_size=0.5), "sites", split_by=split_by)
    data = cell_data(table, result.splits, result.schema)
    outcome = run({**TREE, "decision": "macro_f1"}, data)
    assert outcome.record["error"] is None
    assert "lies in a single group" in caplog.text
