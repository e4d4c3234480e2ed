import io
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.colors import to_hex
from matplotlib.text import Text

from qcl_mixnet.reporting.figures import plot_ablation, plot_gain, plot_score_distribution
from qcl_mixnet.reporting.style import FAMILY_STYLE

#       qcl    knn    mlp    no_mixup
# d1    0.80   0.70   0.75   0.99       0.05 above MLP
# d2    0.60   0.65   0.65   0.40       0.05 below KNN, which MLP equals
# d3    0.90   0.50   0.90   0.30       level with MLP
SCORES = pd.DataFrame(
    {
        "knn": [0.70, 0.65, 0.50],
        "no_mixup": [0.99, 0.40, 0.30],
        "mlp": [0.75, 0.65, 0.90],
        "qcl": [0.80, 0.60, 0.90],
    },
    index=["d1", "d2", "d3"],
)
FAMILIES = {"knn": "ml", "no_mixup": "ablation", "mlp": "dl", "qcl": "proposed"}
DESCRIPTIONS = pd.DataFrame(
    {
        "dataset": ["d3", "d1", "unused", "d2"],
        "label": ["Three", "One", "Unused", "Two"],
        "task": ["multiclass", "binary", "binary", "multiclass"],
    }
)
PLOTS = [plot_gain, plot_score_distribution, plot_ablation]


def row_names(axes):
    """Names of the rows from the top down."""
    return [label.get_text() for label in axes.get_yticklabels()]


def widths(axes):
    """Length of the bar in each row that has one."""
    return {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in axes.patches}


def texts(axes):
    """What is written into each row."""
    return {round(text.xy[1]): text.get_text() for text in axes.texts}


def large_inputs(make_metrics):
    """24 models on 18 data sets, with long names."""
    rng = np.random.default_rng(0)
    families = {f"a model with long name {i}": "ml" for i in range(14)}
    families |= {f"network {i}": "dl" for i in range(6)}
    families |= {"qcl": "proposed", "q (no mixup)": "ablation", "gat": "gnn", "gcn": "gnn"}
    datasets = [f"d{i}" for i in range(18)]
    scores = pd.DataFrame(rng.uniform(size=(18, 24)), index=datasets, columns=list(families))
    descriptions = pd.DataFrame(
        {
            "dataset": datasets,
            "label": [f"Data set of long name ({name})" for name in datasets],
            "task": ["binary"] * 7 + ["multiclass"] * 11,
        }
    )
    scores.iloc[4, 5] = math.nan
    metrics = make_metrics(scores, families, not_run={("d0", "gat")}, test_selected={"qcl"})
    return metrics, descriptions


def test_plot_gain__by_hand(make_metrics):
    binary, multiclass = plot_gain(make_metrics(SCORES, FAMILIES), DESCRIPTIONS).axes
    assert row_names(binary) == ["One"]
    assert widths(binary) == pytest.approx({0: 0.05})
    assert texts(binary) == {0: "+0.050 vs MLP"}
    # In the order of the descriptions; a true minus sign.
    assert row_names(multiclass) == ["Three", "Two"]
    assert widths(multiclass) == pytest.approx({0: 0, 1: -0.05})
    assert texts(multiclass) == {0: "+0.000 vs MLP", 1: "\N{MINUS SIGN}0.050 vs KNN and 1 more"}


def test_plot_gain__baselines_that_tie_but_for_rounding__are_both_the_best(make_metrics):
    scores = SCORES.copy()
    scores.loc["d2", ["knn", "mlp"]] = [0.3, 0.1 + 0.2]
    _, multiclass = plot_gain(make_metrics(scores, FAMILIES, repeats=1), DESCRIPTIONS).axes
    assert texts(multiclass)[1] == "+0.300 vs KNN and 1 more"


def test_plot_gain__rounded_to_nothing__has_no_minus_sign(make_metrics):
    scores = SCORES.assign(qcl=SCORES["qcl"] - 1e-4)
    _, multiclass = plot_gain(make_metrics(scores, FAMILIES), DESCRIPTIONS).axes
    assert texts(multiclass)[0] == "+0.000 vs MLP"


def test_plot_gain__a_bar_has_the_look_of_the_best_baselines_family(make_metrics):
    figure = plot_gain(make_metrics(SCORES, FAMILIES), DESCRIPTIONS)
    one, two = figure.axes[0].patches[0], figure.axes[1].patches[1]
    assert (to_hex(one.get_facecolor()).upper(), one.get_hatch()) == FAMILY_STYLE["dl"][1:3]
    assert (to_hex(two.get_facecolor()).upper(), two.get_hatch()) == FAMILY_STYLE["ml"][1:3]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [FAMILY_STYLE["ml"].name, FAMILY_STYLE["dl"].name]


def test_plot_gain__no_score_on_a_data_set__its_row_says_so(make_metrics):
    scores = SCORES.astype(float)
    scores.loc["d2", "qcl"] = math.nan
    scores.loc["d1", ["knn", "mlp"]] = math.nan
    figure = plot_gain(make_metrics(scores, FAMILIES), DESCRIPTIONS)
    binary, multiclass = figure.axes
    assert texts(binary) == {0: "no baseline has a score"}
    assert texts(multiclass)[1] == "the proposed model has no score"
    assert widths(binary) == {}
    assert list(widths(multiclass)) == [0]
    assert "3 failed cells left out" in figure.get_supxlabel()


def test_plot_score_distribution__boxes_and_markers__by_hand(make_metrics):
    # Five binary data sets: quartiles 0.2, 0.3, 0.4; 0.9 is more than 1.5 boxes above.
    scores = pd.DataFrame(
        {"knn": [0.1, 0.2, 0.3, 0.4, 0.9], "qcl": [0.5, 0.5, 0.5, 0.5, 0.5]}, index=list("abcde")
    )
    descriptions = pd.DataFrame({"dataset": list("abcde"), "label": "", "task": "binary"})
    (axes,) = plot_score_distribution(make_metrics(scores, FAMILIES), descriptions).axes
    assert row_names(axes) == ["QCL", "KNN"]
    box = axes.patches[1].get_path().vertices
    assert (box[:, 0].min(), box[:, 0].max()) == pytest.approx((0.2, 0.4))
    # Of a box: two whiskers and the median; then the markers.
    lower, upper, median, markers = (line.get_xdata() for line in axes.lines[4:])
    assert sorted([*lower, *upper]) == pytest.approx([0.1, 0.2, 0.4, 0.4])
    assert list(median) == pytest.approx([0.3, 0.3])
    assert list(markers) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.9])
    assert axes.lines[-1].get_marker() == FAMILY_STYLE["ml"].marker


def test_plot_score_distribution__panels_share_the_order_of_models(make_metrics):
    figure = plot_score_distribution(make_metrics(SCORES, FAMILIES), DESCRIPTIONS)
    binary, multiclass = figure.axes
    assert row_names(binary) == ["QCL", "NO_MIXUP", "KNN", "MLP"]
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "binary, 1 data set", "multi-class, 2 data sets",
    ]  # fmt: skip
    assert binary.get_ylim() == multiclass.get_ylim() == (3.6, -0.6)
    assert binary.get_xlim() == multiclass.get_xlim()


def test_plot_score_distribution__model_without_a_score__keeps_its_row(make_metrics):
    metrics = make_metrics(SCORES.assign(knn=math.nan), FAMILIES, not_run={("d1", "mlp")})
    figure = plot_score_distribution(metrics, DESCRIPTIONS)
    assert texts(figure.axes[0]) == {2: "no score", 3: "no score"}
    assert texts(figure.axes[1]) == {2: "no score"}
    assert figure.get_supxlabel() == "3 failed cells left out · 1 cell not run"


def test_plot_ablation__means_and_deviations__by_hand(make_metrics):
    figure = plot_ablation(make_metrics(SCORES, FAMILIES), DESCRIPTIONS)
    binary, multiclass = figure.axes
    assert row_names(binary) == ["QCL", "NO_MIXUP"]
    assert widths(binary) == pytest.approx({0: 0.80, 1: 0.99})
    assert widths(multiclass) == pytest.approx({0: 0.75, 1: 0.35})
    assert texts(multiclass) == {0: "0.750", 1: "0.350"}
    # Sample standard deviations of (0.6, 0.9) and (0.4, 0.3): differences over sqrt(2).
    errors = [lines.get_segments()[0][:, 0] for lines in multiclass.collections]
    assert errors[0] == pytest.approx([0.75 - 0.3 / math.sqrt(2), 0.75 + 0.3 / math.sqrt(2)])
    assert errors[1] == pytest.approx([0.35 - 0.1 / math.sqrt(2), 0.35 + 0.1 / math.sqrt(2)])
    assert "standard deviation over data sets" in binary.get_xlabel()
    assert not binary.collections  # of one data set there is no deviation


def test_plot_ablation__bars_of_a_panel_are_over_the_same_data_sets(make_metrics):
    scores = SCORES.astype(float)
    scores.loc["d3", "no_mixup"] = math.nan
    figure = plot_ablation(make_metrics(scores, FAMILIES), DESCRIPTIONS)
    assert widths(figure.axes[1]) == pytest.approx({0: 0.60, 1: 0.40})  # d2 alone
    assert figure.axes[1].get_title(loc="left") == "multi-class, 1 data set"
    assert figure.get_supxlabel() == (
        "1 failed cell left out · 1 data set not scored by all variants left out"
    )


def test_plot_ablation__variant_that_failed_everywhere__empties_no_panel(make_metrics):
    metrics = make_metrics(SCORES.assign(no_mixup=math.nan), FAMILIES)
    _, multiclass = plot_ablation(metrics, DESCRIPTIONS).axes
    assert widths(multiclass) == pytest.approx({0: 0.75})
    assert texts(multiclass) == {0: "0.750", 1: "no score"}


@pytest.mark.parametrize("plot", PLOTS)
def test_plots__epochs_chosen_on_the_test_part__are_noted(plot, make_metrics):
    noted = plot(make_metrics(SCORES, FAMILIES, test_selected={"qcl"}), DESCRIPTIONS)
    assert noted.get_supxlabel() == "* epochs chosen on the test part"
    assert plot(make_metrics(SCORES, FAMILIES), DESCRIPTIONS).get_supxlabel() == ""


@pytest.mark.parametrize(
    ("plot", "models"), [(plot_gain, ["qcl", "knn"]), (plot_ablation, ["qcl", "no_mixup"])]
)
def test_plots__models_that_are_not_shown__leave_no_note(plot, models, make_metrics):
    others = set(SCORES) - set(models)
    metrics = make_metrics(SCORES, FAMILIES, test_selected=others, not_run={("d1", "no_mixup")})
    notes = plot(metrics, DESCRIPTIONS).get_supxlabel()
    assert ("chosen" in notes) == (plot is plot_gain)  # there MLP is a baseline
    assert ("not run" in notes) == (plot is plot_ablation)


@pytest.mark.parametrize("plot", [plot_score_distribution, plot_ablation])
def test_plots__epochs_chosen_on_the_test_part__these_models_have_stars(plot, make_metrics):
    metrics = make_metrics(SCORES, FAMILIES, test_selected={"no_mixup"})
    names = row_names(plot(metrics, DESCRIPTIONS).axes[0])
    assert names[:2] == ["QCL", "NO_MIXUP*"]
    assert [name for name in names if name.endswith("*")] == ["NO_MIXUP*"]


def test_plot_gain__epochs_chosen_on_the_test_part__what_is_named_has_stars(make_metrics):
    figure = plot_gain(make_metrics(SCORES, FAMILIES, test_selected={"qcl", "mlp"}), DESCRIPTIONS)
    binary, multiclass = figure.axes
    assert texts(binary) == {0: "+0.050 vs MLP*"}
    # On d2 KNN and MLP are level: the one more has the star.
    assert texts(multiclass)[1].endswith(" vs KNN and 1 more*")
    assert multiclass.get_xlabel() == "macro F1 of QCL* minus macro F1 of the best baseline"


def test_plot_gain__baseline_that_is_never_best__leaves_no_note(make_metrics):
    metrics = make_metrics(SCORES.assign(knn=0.1), FAMILIES, test_selected={"knn"})
    assert plot_gain(metrics, DESCRIPTIONS).get_supxlabel() == ""


@pytest.mark.parametrize("plot", PLOTS)
def test_plots__dollar_signs__are_no_mathematics(plot, make_metrics, words):
    # An empty superscript would end the run, and a formula lose its signs.
    metrics = make_metrics(SCORES, FAMILIES).replace({"label": {"QCL": "A $5^$ B"}})
    figure = plot(metrics, DESCRIPTIONS.assign(label="$x$ and $5^$"))
    figure.savefig(io.BytesIO(), format="svg")
    assert "A $5^$ B" in words(figure)
    with_dollars = [text for text in figure.findobj(Text) if "$" in text.get_text()]
    assert not any(text.get_parse_math() for text in with_dollars)


@pytest.mark.parametrize("plot", PLOTS)
def test_plots__no_multi_class_data_set__one_panel_and_a_note(plot, make_metrics, check_legible):
    figure = plot(make_metrics(SCORES.loc[["d1"]], FAMILIES), DESCRIPTIONS)
    check_legible(figure)
    assert len(figure.axes) == 1
    assert figure.get_supxlabel() == "no multi-class data set"


@pytest.mark.parametrize(
    ("plot", "models", "sentence"),
    [
        (plot_gain, ["qcl", "no_mixup"], "at least one baseline"),
        (plot_gain, ["knn"], "needs the proposed model"),
        (plot_gain, [], "needs the proposed model"),
        (plot_ablation, ["qcl", "knn"], "at least one of its ablations"),
        (plot_ablation, ["no_mixup"], "needs the proposed model"),
        (plot_score_distribution, [], "no cell has been run"),
    ],
)
def test_plots__nothing_to_show__a_sentence_says_why(
    plot, models, sentence, make_metrics, check_legible, words
):
    metrics = make_metrics(SCORES, FAMILIES)
    figure = plot(metrics[metrics["model"].isin(models)], DESCRIPTIONS)
    check_legible(figure)
    assert sentence in words(figure).replace("\n", " ")
    assert not figure.axes


@pytest.mark.parametrize("plot", PLOTS)
def test_plots__24_models_and_18_data_sets__everything_can_be_read(
    plot, make_metrics, check_legible
):
    figure = plot(*large_inputs(make_metrics))
    check_legible(figure)
    assert figure.get_figwidth() == 7


@pytest.mark.parametrize("plot", PLOTS)
def test_plots__drawn_twice__the_same_svg(plot, make_metrics):
    metrics = make_metrics(SCORES, FAMILIES)
    with rc_context({"svg.hashsalt": "qcl"}):
        files = [io.BytesIO(), io.BytesIO()]
        for file in files:
            plot(metrics, DESCRIPTIONS).savefig(file, format="svg", metadata={"Date": None})
    assert files[0].getvalue() == files[1].getvalue()
