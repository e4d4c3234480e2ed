import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from qcl_mixnet.inspection.leaks import (
    find_leaks,
    find_sorted,
    find_telling_gaps,
    score_columns,
)

N = 600


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    y = pd.Series(rng.choice(["a", "b", "c"], N, p=[0.6, 0.3, 0.1]))
    X = pd.DataFrame(rng.normal(size=(N, 4)), columns=list("wxyz"))
    X["level"] = rng.choice(["p", "q"], N).astype(str)
    return X, y


def leaks(X, y):
    return {leak.column: leak.evidence for leak in find_leaks(score_columns(X, y))}


def test_leaks__noise__is_none(table):
    assert leaks(*table) == {}


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_leaks__copies_of_the_target__are_named(table, noise):
    X, y = table
    rng = np.random.default_rng(1)
    wrong = rng.random(N) < noise
    copy = y.mask(wrong, rng.permutation(y))
    X["word"] = copy.map({"a": "k7", "b": "k1", "c": "k4"})
    X["number"] = copy.map({"a": 3, "b": 1, "c": 2})
    X["date"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(X["number"], unit="D")
    X["spread"] = X["number"] * 100 + rng.integers(0, 50, N)
    assert set(leaks(X, y)) == {"word", "number", "date", "spread"}


def test_leaks__many_levels_each_of_one_class__are_named(table):
    X, y = table
    X["branch"] = [f"{label}{i % 20}" for i, label in enumerate(y)]
    assert set(leaks(X, y)) == {"branch"}


def test_leaks__gap_as_a_value__is_named(table):
    X, y = table
    X["refund"] = X["w"].where(y != "c")
    assert leaks(X, y) == {"refund": "one class"}
    (found,) = find_telling_gaps(X, y)
    assert (found.column, found.label, found.score) == ("refund", "c", 1.0)
    X["paid"] = X["w"].where(y == "a")
    assert {leak.label for leak in find_telling_gaps(X, y)} == {"a", "c"}


def test_leaks__table_in_which_every_column_separates__has_no_suspects():
    easy = pd.DataFrame({"a": [0.99, 0.98, 0.97], "b": [0.99, 0.98, 0.97]}, index=list("xyz"))
    assert find_leaks(easy) == []
    easy.loc[["y", "z"]] = 0.9
    assert [(leak.column, leak.evidence) for leak in find_leaks(easy)] == [("x", "values")]


def test_leaks__class_of_few_rows__means_nothing():
    scores = pd.DataFrame({"a": [0.6, 0.6], "b": [0.5, 0.5], "rare": [1.0, 0.5]}, index=["x", "z"])
    (found,) = find_leaks(scores)
    assert (found.column, found.label) == ("x", "rare")
    assert find_leaks(scores, frequent={"a", "b"}) == []
    assert find_leaks(scores, frequent=()) == []


def test_telling_gaps__at_random__are_none(table):
    X, y = table
    X["w"] = X["w"].mask(np.random.default_rng(0).random(N) < 0.1)
    assert find_telling_gaps(X, y) == []


def test_leaks__one_column_far_above__is_named():
    scores = pd.DataFrame({"a": [0.93, 0.7, 0.6], "b": [0.93, 0.7, 0.6]}, index=list("xyz"))
    (found,) = find_leaks(scores)
    assert (found.column, found.evidence) == ("x", "far above")
    assert find_leaks(scores.replace(0.7, 0.9)) == []


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_leaks__good_columns_of_published_tables__are_no_suspects(load):
    data = load(as_frame=True)
    assert leaks(data.data, data.target) == {}


def test_score_columns__constant_and_unknown_rare_class__are_harmless(table):
    X, y = table
    y.iloc[:2] = "seen twice"
    X["same"] = 1.0
    X["nothing"] = np.nan
    scores = score_columns(X, y)
    assert scores.columns.tolist() == ["a", "b", "c"]
    # The folds have slightly different shares of the classes, and nothing else to tell them by.
    assert scores.loc["same"].tolist() == pytest.approx([0.5] * 3, abs=0.02)
    assert scores.loc["nothing"].tolist() == pytest.approx([0.5] * 3, abs=0.02)


def test_score_columns__number__is_the_auc_of_a_tree_on_the_same_folds(table):
    X, y = table
    X["w"] += (y == "c") * 2
    codes = pd.factorize(y, sort=True)[0]
    tree = DecisionTreeClassifier(
        max_leaf_nodes=16, min_samples_leaf=2, class_weight="balanced", random_state=0
    )
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    out = cross_val_predict(tree, X[["w"]].to_numpy(), codes, cv=folds, method="predict_proba")
    expected = [roc_auc_score(codes == k, out[:, k]) for k in range(3)]
    assert score_columns(X, y).loc["w"].tolist() == pytest.approx(expected, abs=1e-12)
    assert expected[2] > 0.8


def test_score_columns__many_rows__are_sampled_with_the_rare_class():
    rng = np.random.default_rng(0)
    y = pd.Series((np.arange(50_000) % 1000 == 0).astype(int))
    X = pd.DataFrame({"leak": y + rng.normal(0, 0.05, len(y)), "noise": rng.normal(size=len(y))})
    scores = score_columns(X, y)
    assert scores.loc["leak", "1"] > 0.95
    assert scores.loc["noise", "1"] < 0.8


def test_sorted__identifier_in_the_order_of_the_classes__is_named():
    y = pd.Series(["a"] * 50 + ["b"] * 50)
    rng = np.random.default_rng(0)
    columns = [
        pd.Series(range(100), name="id"),
        pd.Series([f"k{i:03d}" for i in range(100)], name="key"),
        pd.Series(rng.permutation(100), name="shuffled"),
    ]
    assert [leak.column for leak in find_sorted(columns, y)] == ["id", "key"]


def test_leaks__copies_with_faults__are_named_beside_weak_columns_alone():
    weak = {"a": [0.55, 0.55], "b": [0.60, 0.60], "c": [0.50, 0.50]}
    copies = {"x": [0.97, 0.97], "y": [0.96, 0.96]}
    scores = pd.DataFrame({**weak, **copies}, index=["n", "y"]).T
    assert {leak.column for leak in find_leaks(scores)} == {"x", "y"}
    strong = {name: [0.85, 0.85] for name in weak}
    assert find_leaks(pd.DataFrame({**strong, **copies}, index=["n", "y"]).T) == []
