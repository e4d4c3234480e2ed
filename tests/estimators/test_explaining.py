import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from tests.estimators.ensembles import make_model

from qcl_mixnet import explain_rows

USUAL = pd.DataFrame(
    {
        "amount": [10.0, None, 30.0],
        "kind": pd.Categorical(["card", None, "cash"], categories=["card", "cash", "check"]),
        "day": pd.to_datetime(["2026-01-01", "2026-01-02", None]),
        "name": ["b", "a", None],
    }
)
NEW = pd.DataFrame(
    {
        "amount": [50.0, None],
        "kind": pd.Categorical(["check", "card"], categories=["card", "cash", "check"]),
        "day": pd.to_datetime(["2026-01-05", None]),
        "name": ["c", "b"],
    }
)


class Interacting(ClassifierMixin, BaseEstimator):
    """Two columns that act together, and a gap that counts."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        assert X.dtypes.equals(USUAL.dtypes)
        both = (X["kind"] == "check") & (X["day"] > "2026-01-03")
        fraud = 0.1 + 0.5 * both + 0.2 * X["amount"].isna() + 0.1 * (X["name"] == "c")
        return np.column_stack([1 - fraud, fraud])


@pytest.fixture(scope="module")
def model():
    return Interacting().fit(USUAL, ["fine", "fine", "fraud"])


def shapley(model, usual, row):
    """Mean over all orders of the columns, by the definition."""
    values = dict.fromkeys(usual.columns, 0.0)
    orders = list(itertools.permutations(usual.columns))
    for order in orders:
        table = usual.copy()
        last = model.predict_proba(table)[:, 1].mean()
        for name in order:
            cell = pd.Series([row[name]] * len(table))
            table[name] = cell.astype(usual[name].dtype)
            now = model.predict_proba(table)[:, 1].mean()
            values[name] += (now - last) / len(orders)
            last = now
    return list(values.values())


@pytest.mark.slow
def test_explain_rows__categories_dates_and_gaps__shapley_values_by_the_definition(model):
    found = explain_rows(model, USUAL, NEW, positive="fraud")
    wanted = [shapley(model, USUAL, row) for _, row in NEW.iterrows()]
    # Of interactions of two columns, an order and its reverse have the mean over all orders.
    np.testing.assert_allclose(found.values, wanted, atol=1e-12)
    base = model.predict_proba(USUAL)[:, 1].mean()
    np.testing.assert_allclose(found.base_values, base)
    assert found.feature_names == list(USUAL.columns)
    assert found.output_names == "fraud"
    assert found.data[0].tolist() == [50.0, "check", pd.Timestamp("2026-01-05"), "c"]


def test_explain_rows__all_classes__add_up_to_the_probabilities(model):
    found = explain_rows(model, USUAL, NEW)
    assert found.values.shape == (2, 4, 2)
    assert found.output_names == ["fine", "fraud"]
    sums = found.values.sum(axis=1) + found.base_values
    np.testing.assert_allclose(sums, model.predict_proba(NEW), atol=1e-12)


def test_explain_rows__our_networks__categories_and_gaps_and_the_generator_left_alone():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=90), "b": rng.choice(["u", "v"], 90)})
    X.loc[::5, "a"] = np.nan
    y = np.where(X["b"] == "u", "rare", "common")
    model = make_model(epochs=5).fit(X, y)
    np.random.seed(7)  # noqa: NPY002
    first = explain_rows(model, X, X[:3], positive="rare", n_background=20)
    assert np.random.random() == np.random.RandomState(7).random()  # noqa: NPY002
    sums = first.values.sum(axis=1) + first.base_values
    np.testing.assert_allclose(sums, model.predict_proba(X[:3])[:, 1], atol=1e-5)
    assert (np.abs(first.values[:, 1]) > np.abs(first.values[:, 0])).all()
    again = explain_rows(model, X, X[:3], positive="rare", n_background=20)
    np.testing.assert_array_equal(first.values, again.values)


def test_explain_rows__arrays__by_the_formula_of_a_straight_line():
    X = np.array([[0.0, 1], [2, 1], [1, 5], [3, np.pi]])

    class Line(Interacting):
        def predict_proba(self, X):
            assert isinstance(X, np.ndarray)
            p = 0.1 + 0.05 * X[:, 0] + 0.02 * X[:, 1]
            return np.column_stack([1 - p, p])

    found = explain_rows(Line().fit(X, [0, 0, 1, 1]), X, X[-1:], positive=1)
    centred = X[-1] - X.mean(axis=0)
    np.testing.assert_allclose(found.values, [centred * [0.05, 0.02]], atol=1e-12)
    assert found.feature_names == ["x0", "x1"]


def test_explain_rows__plots_of_shap__draw_it(model):
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    import shap

    found = explain_rows(model, USUAL, NEW, positive="fraud")
    ax = shap.plots.waterfall(found[0], show=False)
    assert any("kind" in label.get_text() for label in ax.get_yticklabels())
    plt.close("all")


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (NEW, {"positive": "frod"}, "'frod', which is none of the classes"),
        (NEW, {"n_orders": 0}, "n_orders=0 must be at least 1"),
        (NEW, {"n_background": 0}, "n_background=0 must be at least 1"),
        (NEW[:0], {}, "0 rows to explain"),
        (NEW[["kind", "amount"]], {}, "different columns"),
    ],
)
def test_explain_rows__unusable__is_refused(model, rows, options, message):
    with pytest.raises(ValueError, match=message):
        explain_rows(model, USUAL, rows, **options)


def test_explain_rows__not_fitted__is_refused():
    with pytest.raises(NotFittedError):
        explain_rows(LogisticRegression(), USUAL, NEW)
