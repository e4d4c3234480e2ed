import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.reporting.page.cost import WIDTH, cost_chart, outline_of, pareto_front
from qcl_mixnet.reporting.style import FAMILY_STYLE


def board(seconds, scores, **columns):
    names = [f"m{i}" for i in range(len(seconds))]
    frame = pd.DataFrame(
        {
            "model": names, "label": names, "family": "ml", "test_selected": False,
            "macro_f1": scores, "fit_seconds": seconds,
        }
    )  # fmt: skip
    return frame.assign(**columns)


def test_pareto_front__nothing_cheaper_and_better():
    seconds = pd.Series([1.0, 2.0, 2.0, 4.0, 1.0])
    scores = pd.Series([0.5, 0.7, 0.6, 0.7, 0.5])
    assert pareto_front(seconds, scores) == [True, True, False, False, True]


def test_cost_chart__decades_and_tenths__are_equally_far_apart():
    chart = cost_chart(board([0.1, 1.0, 100.0], [0.42, 0.55, 0.78]))
    assert [tick.text for tick in chart.x_ticks] == ["0.1", "1", "10", "100"]
    assert [tick.text for tick in chart.y_ticks] == ["0.4", "0.5", "0.6", "0.7", "0.8"]
    steps = np.diff([tick.at for tick in chart.x_ticks])
    assert steps == pytest.approx([steps[0]] * 3, abs=0.2)
    assert chart.x_ticks[0].at == chart.left
    assert chart.x_ticks[-1].at == chart.right
    assert chart.y_ticks[0].at == chart.bottom
    assert chart.y_ticks[-1].at == chart.top
    # A circle's or square's path begins beside its place: 1 second is the second tick.
    assert chart.points[1].title == "m1: macro F1 0.550, 1.0 s"
    assert chart.points[1].label_x == chart.x_ticks[1].at + 10
    assert [point.is_front for point in chart.points] == [True, True, True]


def test_cost_chart__label_at_the_right_end__stands_before_its_point():
    long = "a name of many letters, far too long"
    chart = cost_chart(board([0.1, 100.0], [0.4, 0.5], label=["m", long]))
    assert [point.anchor for point in chart.points] == ["start", "end"]
    assert chart.points[1].label_x < WIDTH - 24


def test_cost_chart__no_score__left_out_and_counted():
    chart = cost_chart(board([1.0, np.nan], [0.5, np.nan]))
    assert [point.model for point in chart.points] == ["m0"]
    assert chart.n_left_out == 1
    nothing = cost_chart(board([np.nan], [np.nan]))
    assert nothing.points == ()
    assert nothing.n_left_out == 1


def test_cost_chart__no_time_at_all__counts_as_a_millisecond():
    chart = cost_chart(board([0.0, 0.0005], [0.5, 0.5], test_selected=[True, False]))
    assert [tick.text for tick in chart.x_ticks] == ["0.001", "0.01"]
    assert [point.label for point in chart.points] == ["m0*", "m1"]


def test_outline__families__have_shapes_of_their_own():
    outlines = {outline_of(family, 10.0, 20.0) for family in FAMILY_STYLE}
    assert len(outlines) == len(FAMILY_STYLE)
    assert all(outline.startswith("M") and outline.endswith("Z") for outline in outlines)
