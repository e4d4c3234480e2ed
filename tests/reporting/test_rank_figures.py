import io
import json
import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.reporting.rank_figures import indistinguishable, plot_critical_difference
from qcl_mixnet.reporting.style import FAMILY_STYLE
from qcl_mixnet.statistics.comparison import ComparisonOptions, compare_models
from qcl_mixnet.statistics.posthoc import critical_difference

#       knn    mlp    qcl    no_mixup, which does not take part
# d1    0.7    0.8    0.9    0.99
# d2    0.7    0.8    0.9    0.99
# d3    0.7    0.8    0.9    0.99
# d4    0.8    0.7    0.9    0.99
# ranks 2.75   2.25   1
SCORES = pd.DataFrame(
    {"knn": [0.7, 0.7, 0.7, 0.8], "mlp": [0.8, 0.8, 0.8, 0.7], "qcl": 0.9, "no_mixup": 0.99},
    index=["d1", "d2", "d3", "d4"],
)
FAMILIES = {"knn": "ml", "mlp": "dl", "qcl": "proposed", "no_mixup": "ablation"}
# Demšar's table 5 has q = 2.343 for 3 models: times sqrt(3 * 4 / (6 * 4)).
DIFFERENCE = 2.343 / math.sqrt(2)
ALPHA = "\N{GREEK SMALL LETTER ALPHA}"


def draw(metrics, **options):
    """What a run draws: the statistics have been a JSON file."""
    statistics = compare_models(metrics, ComparisonOptions(control="qcl", **options))
    return plot_critical_difference(metrics, json.loads(json.dumps(statistics)))


def row_names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def places(axes):
    """Rank and marker in each row."""
    # Above row 0 are the caps of the critical difference.
    lines = [line for line in axes.lines if line.get_ydata()[0] >= 0]
    return {int(line.get_ydata()[0]): (line.get_xdata()[0], line.get_marker()) for line in lines}


def joined(side):
    """Rows of every bar, from left to right."""
    return [list(line.get_ydata()) for line in side.lines]


def many_models(n_models=24, n_datasets=18, seed=0):
    rng = np.random.default_rng(seed)
    names = [f"a model with long name {i}" for i in range(n_models)]
    # Better models first, so that some do differ.
    scores = rng.uniform(size=(n_datasets, n_models)) - np.linspace(0, 1.5, n_models)
    families = dict(zip(names, ["proposed", *["ml", "dl", "gnn"] * 8], strict=False))
    return pd.DataFrame(scores, [f"d{i}" for i in range(n_datasets)], names), families


def test_plot_critical_difference__ranks__by_hand(make_metrics):
    axes, _ = draw(make_metrics(SCORES, FAMILIES)).axes
    assert row_names(axes) == ["QCL", "MLP", "KNN"]
    markers = {family: style.marker for family, style in FAMILY_STYLE.items()}
    assert places(axes) == {
        0: (1.0, markers["proposed"]), 1: (2.25, markers["dl"]), 2: (2.75, markers["ml"]),
    }  # fmt: skip
    assert axes.get_xlabel() == "mean rank by macro F1 over 4 data sets (1 is best)"
    assert [text.get_text() for text in axes.texts[:3]] == ["1.00", "2.25", "2.75"]


def test_plot_critical_difference__its_bar_is_as_long_as_it_is__by_hand(make_metrics):
    axes, _ = draw(make_metrics(SCORES, FAMILIES)).axes
    bar = axes.containers[0].lines[2][0].get_segments()[0]
    assert bar[1, 0] - bar[0, 0] == pytest.approx(DIFFERENCE, abs=1e-3)
    assert axes.get_xlim()[0] <= bar[0, 0] < bar[1, 0] <= axes.get_xlim()[1]
    text = f"critical difference {DIFFERENCE:.2f} (Nemenyi, {ALPHA} = 0.05)"
    assert axes.texts[-1].get_text() == text


def test_plot_critical_difference__another_level__is_drawn_and_written(make_metrics):
    axes, _ = draw(make_metrics(SCORES, FAMILIES), alpha=0.1).axes
    bar = axes.containers[0].lines[2][0].get_segments()[0]
    # Demšar's table: q = 2.052 for 3 models at 0.10.
    assert bar[1, 0] - bar[0, 0] == pytest.approx(2.052 / math.sqrt(2), abs=1e-3)
    assert f"{ALPHA} = 0.1)" in axes.texts[-1].get_text()


def test_plot_critical_difference__bars_join_what_does_not_differ__by_hand(make_metrics):
    # QCL and KNN are 1.75 apart, more than 1.66; their neighbours are closer.
    _, side = draw(make_metrics(SCORES, FAMILIES)).axes
    assert joined(side) == [[0, 1], [1, 2]]


def test_plot_critical_difference__bars__agree_with_nemenyis_test(make_metrics):
    metrics = make_metrics(*many_models(21))
    _, side = draw(metrics).axes
    found = compare_models(metrics, ComparisonOptions(control="qcl"))["nemenyi"]
    order = pd.Series(found["mean_ranks"]).sort_values().index
    p_values = found["p_values"]
    pairs = {(a, b) for a, b in combinations(order, 2) if p_values[a][b] >= 0.05}
    drawn = {pair for rows in joined(side) for pair in combinations(order[rows], 2)}
    assert drawn == pairs
    assert 0 < len(pairs) < 21 * 20 / 2


@pytest.mark.parametrize(
    ("ranks", "groups"),
    [
        ([1, 2, 3.5, 5], [(0, 1), (1, 2), (2, 3)]),
        ([1, 2.5, 2.9, 5], [(0, 2)]),
        ([2, 2, 2], [(0, 2)]),
        ([1, 3, 5], []),  # a difference of 2 is enough
    ],
)
def test_indistinguishable__by_hand(ranks, groups):
    assert indistinguishable(pd.Series(ranks), 2) == groups


def test_plot_critical_difference__equal_ranks__stand_in_the_order_of_all_figures(make_metrics):
    scores = SCORES.assign(knn=0.5, mlp=0.5, qcl=0.5)
    axes, side = draw(make_metrics(scores, FAMILIES)).axes
    assert row_names(axes) == ["QCL", "KNN", "MLP"]
    assert joined(side) == [[0, 1, 2]]


def test_plot_critical_difference__notes(make_metrics):
    scores = SCORES.assign(gnn=0.1, rf=0.2)
    scores.loc["d2", "mlp"] = math.nan
    metrics = make_metrics(
        scores, {**FAMILIES, "gnn": "gnn", "rf": "ml"}, not_run={("d1", "gnn")},
        test_selected={"qcl"},
    )  # fmt: skip
    figure = draw(metrics)
    # On d2 MLP is last: 2.75 on average, KNN 2.5.
    assert row_names(figure.axes[0]) == ["QCL*", "KNN", "MLP", "RF"]
    assert figure.get_supxlabel() == (
        "* epochs chosen on the test part · 1 failed cell ranked last · "
        "1 model not run on all data sets left out"
    )
    ablation = make_metrics(SCORES, FAMILIES, test_selected={"no_mixup"})
    assert draw(ablation).get_supxlabel() == ""


@pytest.mark.parametrize(
    ("datasets", "models", "found"),
    [
        (["d1"], ["qcl", "mlp", "knn"], "1 data set and 3 models"),
        (["d1", "d2"], ["qcl", "mlp"], "2 data sets and 2 models"),
        ([], ["qcl"], "0 data sets and 0 models"),
    ],
)
def test_plot_critical_difference__too_little__a_sentence_says_so(
    datasets, models, found, make_metrics, check_legible, words
):
    metrics = make_metrics(SCORES, FAMILIES)
    few = metrics[metrics["dataset"].isin(datasets) & metrics["model"].isin(models)]
    figure = draw(few)
    check_legible(figure)
    sentence = words(figure).replace("\n", " ")
    assert sentence.startswith("No critical difference to show: ")
    assert found in sentence


def test_plot_critical_difference__shows_the_statistics__and_computes_none(make_metrics):
    # Of another run: other ranks, another difference and level, and without d4 and KNN.
    statistics = {
        "alpha": 0.2,
        "datasets": ["d1", "d2", "d3"],
        "models": ["mlp", "qcl", "rf"],
        "nemenyi": {
            "metric": "macro_f1", "mean_ranks": {"mlp": 1.0, "qcl": 1.5, "rf": 2.75},
            "critical_difference": 1.3, "p_values": {},
        },
    }  # fmt: skip
    metrics = make_metrics(SCORES.assign(rf=0.95), {**FAMILIES, "rf": "ml"})
    axes, side = plot_critical_difference(metrics, statistics).axes
    assert row_names(axes) == ["MLP", "QCL", "RF"]
    assert [text.get_text() for text in axes.texts[:3]] == ["1.00", "1.50", "2.75"]
    text = f"critical difference 1.30 (Nemenyi, {ALPHA} = 0.2)"
    assert axes.texts[-1].get_text() == text
    assert joined(side) == [[0, 1], [1, 2]]
    assert "over 3 data sets" in axes.get_xlabel()


def test_plot_critical_difference__dollar_signs__are_no_mathematics(make_metrics):
    metrics = make_metrics(SCORES, FAMILIES).replace({"label": {"QCL": "A $5^$ B"}})
    figure = draw(metrics)
    figure.savefig(io.BytesIO(), format="svg")
    assert row_names(figure.axes[0])[0] == "A $5^$ B"


@pytest.mark.parametrize(("n_models", "n_datasets"), [(24, 18), (24, 2), (3, 2)])
def test_plot_critical_difference__any_size__everything_can_be_read(
    n_models, n_datasets, make_metrics, check_legible
):
    # At this level the critical difference of two data sets is longer than all ranks.
    metrics = make_metrics(*many_models(n_models, n_datasets))
    figure = draw(metrics, alpha=0.001)
    check_legible(figure)
    assert figure.get_figwidth() == 7
    right = figure.axes[0].get_xlim()[1]
    assert right > 1 + critical_difference(n_models, n_datasets, 0.001)
