"""Groups in any container become numbers, and groups that are none are refused in one sentence."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.grouping.owners import (
    GroupingError,
    check_apart,
    check_spread,
    group_parameters,
    owners_of,
    splits_by_group,
)


@pytest.mark.parametrize(
    "groups",
    [
        ["b", "a", "b"],
        ("b", "a", "b"),
        np.array([2.5, -1, 2.5]),
        pd.Series(["b", "a", "b"], index=[7, 8, 9], dtype="category"),
        pd.DataFrame({"patient": [3, 1, 3]}),
        pd.to_datetime(["2024-01-02", "2024-01-01", "2024-01-02"]),
        [(1, "b"), (1, "a"), (1, "b")],
    ],
    ids=["list", "tuple", "floats", "categories", "frame", "dates", "pairs"],
)
def test_owners__any_container__by_the_sorted_groups(groups):
    assert owners_of(groups, 3).tolist() == [1, 0, 1]


def test_owners__mixture_without_an_order__as_they_come():
    assert owners_of([("b",), 1, ("b",)], 3).tolist() == [0, 1, 0]
    assert owners_of(["b", 1, "b"], 3).tolist() == [1, 0, 1]  # numbers before text


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA])
def test_owners__gap__is_one_sentence(gap):
    with pytest.raises(GroupingError, match=r"missing \(NaN or None\) in 1 row.*row 1 .*; leave"):
        owners_of(["a", gap, "b"], 3)


@pytest.mark.parametrize("groups", [[1, 2], np.ones((3, 2)), 5])
def test_owners__not_one_a_row__is_one_sentence(groups):
    with pytest.raises((GroupingError, TypeError), match="3 rows; give one group"):
        owners_of(groups, 3)


def test_spread__class_in_one_group__is_named():
    owners, labels = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 0])
    with pytest.raises(GroupingError, match=r"class 'rare' lie in 1 group, .* at least 2.*; join"):
        check_spread(owners, labels, ["common", "rare"])
    check_spread(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))


def test_apart__group_on_both_sides__is_refused():
    owners = np.array([0, 0, 1, 1])
    check_apart(owners, [(np.array([0, 1]), np.array([2, 3]))])
    with pytest.raises(GroupingError, match=r"Split 1 .* 1 group\(s\) on both sides"):
        check_apart(owners, [(np.array([0, 1]), np.array([2])), (np.array([0, 2]), np.array([1]))])


def test_parameters__by_what_fit_takes():
    groups = [0, 1]
    assert group_parameters(QCLMixNetClassifier(), groups) == {"groups": groups}
    assert group_parameters(QCLMixNetClassifier(), None) == {}
    assert group_parameters(LogisticRegression(), groups) == {}
    steps = make_pipeline(StandardScaler(), QCLMixNetClassifier())
    assert group_parameters(steps, groups) == {"qclmixnetclassifier__groups": groups}
    by_groups = GridSearchCV(LogisticRegression(), {}, cv=GroupKFold(2))
    assert group_parameters(by_groups, groups) == {"groups": groups}
    assert group_parameters(GridSearchCV(LogisticRegression(), {}, cv=2), groups) == {}
    assert splits_by_group(GroupKFold(2))
    assert not splits_by_group(5)
