import math

import pandas as pd

from qcl_mixnet.tuning.figures import plot_history, plot_importances
from qcl_mixnet.tuning.options import TuningOptions

SCORES = [0.4, 0.3, 0.45, 0.2, 0.6, 0.5]
STATES = ["complete", "complete", "complete", "pruned", "complete", "failed"]


def make_trials(splits=1):
    rows = [
        {"split": 42 + split, "trial": i, "state": state, "score": score}
        for split in range(splits)
        for i, (score, state) in enumerate(zip(SCORES, STATES, strict=True))
    ]
    table = pd.DataFrame(rows)
    return table.assign(score=table["score"].where(table["state"] != "failed", math.nan))


def best_line(figure):
    (line,) = [line for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    return line.get_ydata().tolist()


def test_plot_history__best_so_far__of_completed_trials(check_legible, words):
    figure = plot_history(make_trials(), TuningOptions())
    assert best_line(figure) == [0.4, 0.4, 0.45, 0.6]
    sizes = [len(points.get_offsets()) for points in figure.axes[0].collections]
    assert sizes == [4, 1]
    check_legible(figure)
    assert "1 trial failed" in words(figure)
    assert "Macro F1, cross-validated" in words(figure)


def test_plot_history__a_metric_to_be_small__best_is_the_smallest():
    figure = plot_history(make_trials(), TuningOptions(metric="brier"))
    assert best_line(figure) == [0.4, 0.3, 0.3, 0.3]


def test_plot_history__many_splits__the_first_five(check_legible, words):
    figure = plot_history(make_trials(splits=7), TuningOptions())
    assert len(figure.axes) == 5
    assert "the first 5 of 7 splits" in words(figure)
    check_legible(figure)


def test_plot_importances__bars_are_means_in_order(check_legible):
    table = pd.DataFrame(
        {
            "split": [1, 1, 2, 2],
            "parameter": ["temperature", "focal_gamma"] * 2,
            "importance": [0.2, 0.8, 0.4, 0.6],
        }
    )
    figure = plot_importances(table, TuningOptions())
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["focal_gamma", "temperature"]
    assert [round(bar.get_width(), 9) for bar in axes.patches] == [0.7, 0.3]
    assert len(axes.collections) == 2
    check_legible(figure)


def test_plot_importances__none__says_so(words):
    empty = pd.DataFrame(columns=["split", "parameter", "importance"])
    assert "Too few completed trials" in words(plot_importances(empty, TuningOptions()))
