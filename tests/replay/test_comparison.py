import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.replay.comparison import compare_designs, designs_table, set_means
from qcl_mixnet.replay.figures import plot_parts
from qcl_mixnet.replay.options import ReplayOptions
from qcl_mixnet.replay.parts import Pair, parts_table, value_parts

SETS = ["one", "two", "three"]


def rows(design, tuned, argmax=0.5, loss=0.4):
    """Two repeats, .01 above and below what is given for each data set."""
    return [
        {
            "dataset": name, "repeat": repeat, "design": design, "log_loss": loss,
            "macro_f1_argmax": argmax, "macro_f1_power": 0.55, "macro_f1_tuned": value + shift,
            "weights": "",
        }
        for name, value in zip(SETS, tuned, strict=True)
        for repeat, shift in ((0, 0.01), (1, -0.01))
    ]  # fmt: skip


@pytest.fixture
def scores():
    return pd.DataFrame(
        [
            *rows("waves", [0.6, 0.7, 0.5]),
            *rows("bins", [0.5, 0.8, 0.4], argmax=0.45, loss=0.5),
            *rows("greedy", [0.7, 0.8, 0.6], loss=0.3),
            *rows("greedy_uncalibrated", [0.7, 0.8, 0.6], loss=0.35),
        ]
    )


@pytest.fixture
def options():
    return ReplayOptions.model_validate(
        {
            "only": "waves+bins",
            "parts": {
                "the waves": {"present": "waves", "absent": "bins"},
                "not here": {"present": "waves", "absent": "plain"},
            },
        }
    )


def test_set_means__a_repeat_failed__so_did_the_data_set(scores):
    scores.loc[0, "macro_f1_tuned"] = np.nan
    means = set_means(scores, "macro_f1_tuned")
    assert np.isnan(means.loc["one", "waves"])
    assert means.loc["two", "waves"] == pytest.approx(0.7)
    assert [*means] == ["waves", "bins", "greedy", "greedy_uncalibrated"]


def test_compare_designs__means_ranks_and_differences__by_hand(scores, options):
    table = compare_designs(scores, options).set_index("design")
    assert table["macro_f1_tuned"].tolist() == pytest.approx([0.6, 1.7 / 3, 0.7, 0.7])
    assert table.loc["bins", "macro_f1_argmax"] == pytest.approx(0.45)
    # waves: 3, 4, 3; bins: 4, 2, 4; the others share 1.5, 2, 1.5
    assert table["mean_rank"].tolist() == pytest.approx([10 / 3, 10 / 3, 5 / 3, 5 / 3])
    assert table.loc["waves", "difference"] == pytest.approx(-0.1)
    assert table.loc["bins", "log_loss_difference"] == pytest.approx(0.2)
    assert np.isnan(table.loc["greedy", "difference"])
    assert table.loc["bins", ["wins", "ties", "losses"]].tolist() == [2, 1, 0]
    assert table.loc["waves", "p_value"] == pytest.approx(0.25)  # 2 of 2^3 patterns of signs
    assert table.loc["waves", "prob_chosen_better"] > 0.9


def test_value_parts__gains__by_hand(scores, options):
    table = value_parts(scores, options).set_index("part")
    assert [*table.index] == [
        "the waves", "calibration", "tuned decision", "tuned decision, beyond the priors",
    ]  # fmt: skip
    waves = table.loc["the waves"]
    assert waves["macro_f1_gain"] == pytest.approx((0.1 - 0.1 + 0.1) / 3)
    assert waves["log_loss_gain"] == pytest.approx(0.1)
    assert waves["macro_f1_argmax_gain"] == pytest.approx(0.05)
    assert waves[["wins", "ties", "losses"]].tolist() == [2, 0, 1]
    assert table.loc["calibration", "macro_f1_gain"] == pytest.approx(0)
    assert table.loc["calibration", "log_loss_gain"] == pytest.approx(0.05)
    assert table.loc["tuned decision", "macro_f1_gain"] == pytest.approx(0.2)
    assert np.isnan(table.loc["tuned decision", "log_loss_gain"])
    assert table.loc["tuned decision, beyond the priors", "macro_f1_gain"] == pytest.approx(0.15)
    assert (table["p_holm"] >= table["p_value"]).all()


def test_pair_gains__per_data_set(scores):
    gains = Pair("waves", "bins").gains(scores)
    assert gains.loc[SETS, "macro_f1"].tolist() == pytest.approx([0.1, -0.1, 0.1])


def test_tables__one_data_set__means_without_tests(scores, options):
    alone = scores[scores["dataset"] == "one"]
    designs = compare_designs(alone, options)
    assert designs["p_value"].isna().all()
    assert value_parts(alone, options)["prob_helps"].isna().all()
    assert "over 1 data set, 2 splits of each" in designs_table(designs, options, 2).to_markdown()


def test_tables__for_people(scores, options):
    text = designs_table(compare_designs(scores, options), options, 2).to_markdown()
    assert "| **greedy** | 0.3000 | 0.5000 | 0.7000 | 1.67 |  |  |  |  |" in text
    assert "| bins | 0.5000 | 0.4500 | 0.5667 | 3.33 | -0.1333 | 2/1/0 |" in text
    table = parts_table(value_parts(scores, options), options)
    assert "| the waves | waves | bins | +0.0333 | +0.1000 | 2/0/1 |" in table.to_markdown()
    assert "| tuned decision | greedy | greedy | +0.2000 |  | 3/0/0 |" in table.to_markdown()
    assert table.to_latex().startswith("% needs")


def test_plot_parts__is_legible_and_names_the_parts(scores, options, check_legible, words):
    figure = plot_parts(scores, options)
    check_legible(figure)
    assert "tuned decision, beyond the priors" in words(figure)
    assert "3 data sets" in words(figure)
    drawn = figure.axes[0].lines[0].get_xdata()  # dots of the first part
    assert sorted(drawn) == pytest.approx([-0.1, 0.1, 0.1])


def test_plot_parts__nothing_to_compare__says_so(options, words):
    none = pd.DataFrame(rows("bins", [0.1, 0.2, 0.3]))
    assert "No part has both" in words(plot_parts(none, options))
