import matplotlib as mpl
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from qcl_mixnet import (
    Costs,
    OperatingPointsDisplay,
    TunedDecisionClassifier,
    operating_points,
    plot_operating_points,
)

mpl.use("Agg")

Y = ["ok", "fraud", "odd", "fraud", "ok", "ok"]
# Columns: fraud, odd, ok.
P = [
    [0.1, 0.2, 0.7], [0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.4, 0.5, 0.1], [0.5, 0.1, 0.4],
    [0.2, 0.3, 0.5],
]  # fmt: skip


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def test_operating_points__three_classes__by_hand():
    costs = {"fraud": {"ok": 100, "odd": 70}, "ok": {"fraud": 5, "odd": 1}, "odd": {"fraud": 8}}
    points = operating_points(Y, P, positive="fraud", thresholds=[0.9, 0.45], costs=costs)
    assert points["threshold"].tolist() == [0.45, 0.9]
    assert points["precision"].tolist()[0] == 0.5  # rows 1 and 4 are alerts
    assert points["recall"].tolist() == [0.5, 0]
    assert points["f1"].tolist() == [0.5, 0]
    assert points["alerts_per_1000"].tolist() == pytest.approx([1000 / 3, 0])
    assert np.isnan(points["precision"][1])
    # At .45: row 3, a fraud, is called odd (70); row 4, ok, is an alert (5). At .9: row 1, a fraud,
    # has odd and ok alike, and the first is taken (70); row 3 (70); row 4 is called ok.
    assert points["cost_per_1000"].tolist() == pytest.approx([75000 / 6, 140000 / 6])
    assert points["cost_ratio"].tolist() == pytest.approx([0.55 / 0.45, 1 / 9])
    for name in ("recall", "f1", "alerts_per_1000", "cost_per_1000"):
        assert (points[f"{name}_low"] <= points[name]).all()
        assert (points[name] <= points[f"{name}_high"]).all()


def test_operating_points__probabilities_of_the_class_alone__same():
    y = [0, 1, 1, 0]
    p = np.array([0.1, 0.7, 0.4, 0.6])
    one = operating_points(y, p, positive=1, costs=[1, 10])
    both = operating_points(y, np.column_stack([1 - p, p]), positive=1, costs=Costs([1, 10]))
    assert one.equals(both)


def test_operating_points__labels_that_are_missing__need_the_classes():
    with pytest.raises(ValueError, match="name them with classes"):
        operating_points(Y[:2], P[:2], positive="fraud")
    with pytest.raises(ValueError, match="no row of class 'odd'"):
        operating_points(Y[:2], P[:2], positive="odd", classes=["fraud", "odd", "ok"])
    points = operating_points(Y[:2], P[:2], positive="fraud", classes=["fraud", "odd", "ok"])
    assert points["recall"].max() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positive": "frod"}, "'frod', which is none of the classes"),
        ({"n_bootstraps": 0}, "n_bootstraps=0"),
        ({"level": 1.0}, "level=1.0"),
        ({"thresholds": []}, "thresholds="),
        ({"thresholds": [np.nan]}, "thresholds="),
        ({"classes": ["fraud", "ok"]}, "none of the classes"),
        ({"costs": [1, 2]}, "there are 3 classes"),
    ],
)
def test_operating_points__unusable__is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        operating_points(Y, P, **{"positive": "fraud", **options})


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    y = np.where(rng.random(200) < 0.2, "fraud", "ok")
    X = rng.normal(size=(200, 2)) + (y == "fraud")[:, None]
    return TunedDecisionClassifier(LogisticRegression(), random_state=0).fit(X, y), X, y


def test_plot__out_of_fold_estimator_and_predictions__draw_the_points(fitted):
    model, X, y = fitted
    kept = plot_operating_points(model, positive="fraud", costs={"fraud": 9, "ok": 1})
    assert kept.points.equals(model.operating_points(positive="fraud", costs=[9, 1]))
    line = kept.lines_["recall"]
    assert line.get_ydata().tolist() == kept.points["recall"].tolist()
    assert line.get_xdata().tolist() == kept.points["threshold"].tolist()
    assert kept.ax_.get_title() == "Operating points of 'fraud'"

    seen = plot_operating_points(model, X, y, positive="fraud")
    same = OperatingPointsDisplay.from_predictions(y, model.predict_proba(X), positive="fraud")
    assert seen.points.equals(same.points)
    again = same.plot(kept.ax_, x="alerts_per_1000", scores=["precision"])
    assert again.ax_ is kept.ax_
    assert list(again.lines_) == ["precision"]


def test_plot__unusable__is_refused(fitted):
    model, X, _ = fitted
    with pytest.raises(ValueError, match="belong together"):
        plot_operating_points(model, X, positive="fraud")
    with pytest.raises(ValueError, match="no column 'cost_per_1000'"):
        plot_operating_points(model, positive="fraud", scores=["cost_per_1000"])
