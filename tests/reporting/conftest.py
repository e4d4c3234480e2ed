import math
from itertools import combinations

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from qcl_mixnet.evaluation.metrics import METRICS


def _make_metrics(scores, families, *, repeats=2, not_run=(), test_selected=()):
    """Rows as ``gather_metrics`` makes them; a NaN is a failed cell.

    All metrics follow the scores. The repeats lie 0.02 apart, around the score.
    """
    rows = []
    for dataset, of_dataset in scores.iterrows():
        for model, score in of_dataset.items():
            status = "failed" if math.isnan(score) else "ok"
            if (dataset, model) in not_run:
                status, score = "not run", math.nan
            for repeat in range(repeats):
                value = score + 0.02 * (repeat - (repeats - 1) / 2)
                values = {m: value if METRICS[m].higher_is_better else 1 - value for m in METRICS}
                rows.append(
                    {
                        "dataset": dataset, "model": model, "label": model.upper(),
                        "family": families[model], "checkpoint": "last",
                        "test_selected": status == "ok" and model in test_selected,
                        "repeat": repeat, "status": status, **values,
                        "fit_seconds": 10 * value, "predict_seconds": 0.1,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def _tick_labels(axis):
    """Labels of the ticks within the limits; matplotlib keeps others, which it does not draw."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def _check_legible(figure):
    """Draw; then no text may leave the figure, and no two texts may overlap."""
    FigureCanvasAgg(figure).draw()
    texts = [*figure.texts, figure._supxlabel]
    for legend in [*figure.legends, *(axes.get_legend() for axes in figure.axes)]:
        texts += [*legend.get_texts(), legend.get_title()] if legend else []
    for axes in figure.axes:
        texts += [*axes.texts, axes.xaxis.label, axes.title, axes._left_title]
        texts += [*_tick_labels(axes.xaxis), *_tick_labels(axes.yaxis)]
    drawn = {text for text in texts if text and text.get_visible() and text.get_text()}
    boxes = {text: text.get_window_extent().padded(-0.5) for text in drawn}
    for text, box in boxes.items():
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, text
    for (a, box_a), (b, box_b) in combinations(boxes.items(), 2):
        assert not box_a.overlaps(box_b), (a, b)


def _words(figure):
    """All that is written in a figure, outside and inside its axes."""
    return "\n".join(text.get_text() for text in figure.findobj(Text) if text.get_text())


@pytest.fixture
def make_metrics():
    return _make_metrics


@pytest.fixture
def check_legible():
    return _check_legible


@pytest.fixture
def words():
    return _words
