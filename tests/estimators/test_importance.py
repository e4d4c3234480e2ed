import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import GroupKFold
from tests.estimators.ensembles import make_model

from qcl_mixnet import FeatureImportanceDisplay, feature_importance, plot_importance

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


class ByKind(ClassifierMixin, BaseEstimator):
    """Knows frauds by their kind; what `fit` sees is kept to be looked at."""

    def fit(self, X, y):
        self.classes_, self.n_rows_ = np.unique(y), len(y)
        return self

    def predict_proba(self, X):
        fraud = np.where(X["kind"].isin(["x", "y"]), 0.8, 0.3)
        assert X["kind"].dtype == "category"
        assert X["day"].dtype.kind == "M"
        return np.column_stack([1 - fraud, fraud])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def make_rows(n=60):
    rng = np.random.default_rng(0)
    kind = pd.Series(rng.choice(["x", "y", "z", None], n)).astype("category")
    y = np.where(kind.isin(["x", "y"]) ^ (rng.random(n) < 0.1), "fraud", "fine")
    days = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 99, n), "D")
    table = {"day": days, "kind": kind.array}
    return pd.DataFrame(table, index=np.zeros(n, dtype=int)), y


def test_feature_importance__categories_and_dates__whole_columns_by_a_naive_loop():
    X, y = make_rows()
    model = ByKind().fit(X, y)
    found = feature_importance(model, X, y, n_repeats=100)
    assert found.index.tolist() == ["kind", "day"]
    assert found.index.name == "column"
    assert found.loc["day"].tolist() == [0, 0, 0, 0]

    rng, falls = np.random.default_rng(1), []
    whole = f1_score(y, model.predict(X), average="macro")
    for _ in range(100):
        shuffled = X.assign(kind=X["kind"].to_numpy()[rng.permutation(len(X))])
        shuffled["kind"] = shuffled["kind"].astype(X["kind"].dtype)
        falls.append(whole - f1_score(y, model.predict(shuffled), average="macro"))
    of_kind, error = found.loc["kind"], np.std(falls) / np.sqrt(100)
    assert of_kind["importance"] == pytest.approx(np.mean(falls), abs=5 * error)
    assert of_kind["std"] == pytest.approx(np.std(falls), rel=0.25)
    assert of_kind["high"] - of_kind["importance"] == pytest.approx(1.984 * error, rel=0.25)
    assert of_kind["low"] + of_kind["high"] == pytest.approx(2 * of_kind["importance"])


def test_feature_importance__log_loss__a_class_without_rows_is_no_obstacle():
    class WithOdd(ByKind):
        def fit(self, X, y):
            self.classes_ = np.array(["fine", "fraud", "odd"])
            return self

        def predict_proba(self, X):
            return np.column_stack([super().predict_proba(X), np.zeros(len(X))])

    X, y = make_rows()
    model = WithOdd().fit(X, y)
    score = feature_importance(model, X, y, scoring="neg_log_loss", n_repeats=60)
    p = model.predict_proba(X)
    share = (p[:, 1] == 0.8).mean()
    by_chance = -np.mean(
        share * np.log(np.where(y == "fraud", 0.8, 0.2))
        + (1 - share) * np.log(np.where(y == "fraud", 0.3, 0.7))
    )
    fall = by_chance - log_loss(y, p, labels=model.classes_)
    assert score.loc["kind", "importance"] == pytest.approx(fall, rel=0.1)


def test_feature_importance__folds__rows_left_out_and_the_corrected_interval():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    y = (X[:, 1] + 0.5 * rng.normal(size=90) > 0).astype(int)
    who = np.arange(90) // 5
    pairs = list(GroupKFold(3).split(X, y, who))
    seen = []

    def score(model, rows, labels):
        assert model.coef_.shape == (1, 3)
        seen.append(len(rows))
        return model.score(rows, labels)

    unfitted = LogisticRegression()
    found = feature_importance(unfitted, X, y, cv=pairs, scoring=score, n_repeats=4)
    assert not hasattr(unfitted, "coef_")
    assert set(seen) == {30}  # the parts that were left out
    assert found.index[0] == "x1"
    # Student with 2 degrees of freedom; of the variance, 1 / 3 and the ratio of the parts, 1 / 2.
    half = 4.302653 * found["std"] * np.sqrt(1 / 3 + 1 / 2)
    assert found["high"].to_numpy() == pytest.approx(found["importance"] + half, rel=1e-5)
    again = feature_importance(unfitted, X, y, cv=3, random_state=1)
    assert again.equals(feature_importance(unfitted, X, y, cv=3, random_state=1))
    assert again.index[0] == "x1"


def test_feature_importance__our_networks__a_table_with_gaps():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=120), "b": rng.choice(["u", "v"], 120), "c": 1.0})
    y = np.where(X["b"] == "u", "rare", "common")
    X.loc[::9, "a"] = np.nan
    model = make_model(epochs=10).fit(X.iloc[:80], y[:80])
    found = feature_importance(model, X.iloc[80:], y[80:], n_repeats=3)
    assert found.index[0] == "b"
    assert set(found.index) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_repeats": 1}, "n_repeats=1 must be at least 2"),
        ({"level": 1}, "level=1 must be"),
        ({"scoring": "f2"}, "scoring='f2' is no score"),
        ({"cv": 1}, "cv=1 must be at least 2 folds"),
        ({"cv": 61}, "cv=61 folds need at least as many rows"),
        ({"cv": [(range(30), range(30, 60))]}, "gives 1 fold"),
    ],
)
def test_feature_importance__unusable__is_refused(options, message):
    X, y = make_rows()
    with pytest.raises(ValueError, match=message):
        feature_importance(ByKind(), X, y, **options)


def test_feature_importance__not_fitted_and_labels_of_other_rows__are_refused():
    X, y = make_rows()
    with pytest.raises(NotFittedError):
        feature_importance(ByKind(), X, y)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        feature_importance(ByKind(), X, y[:-1], cv=2)


def test_plot_importance__estimator_and_numbers__bars_from_the_most_important_down():
    X, y = make_rows()
    model = ByKind().fit(X, y)
    shown = plot_importance(model, X, y, n_repeats=3, scoring="neg_log_loss")
    assert shown.importances.equals(
        feature_importance(model, X, y, n_repeats=3, scoring="neg_log_loss")
    )
    assert [label.get_text() for label in shown.ax_.get_yticklabels()] == ["day", "kind"]
    widths = [bar.get_width() for bar in shown.bars_]
    assert widths == shown.importances["importance"].tolist()[::-1]
    assert shown.ax_.get_xlabel() == "fall of negative log loss when shuffled"
    one = FeatureImportanceDisplay(shown.importances).plot(shown.ax_, max_columns=1)
    assert one.ax_ is shown.ax_
    assert len(one.bars_) == 1
    with pytest.raises(ValueError, match="max_columns=0"):
        one.plot(max_columns=0)
