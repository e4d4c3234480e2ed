import io
from typing import get_args

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.reporting.figures import FAMILY_STYLE, plot_leaderboard

FAMILIES = get_args(ModelSpec.model_fields["family"].annotation)


def make_board(families=("ml", "ml", "ml"), test_selected=False):
    n_models = len(families)
    return pd.DataFrame(
        {
            "model": [f"m{i}" for i in range(n_models)],
            "label": [f"Model {i}" for i in range(n_models)],
            "family": families,
            "test_selected": test_selected,
            "mean_rank": [1.0 + i for i in range(n_models)],
            "macro_f1": [0.9 - 0.1 * i for i in range(n_models)],
            "n_datasets": 6,
            "n_failed": 0,
        }
    )


def draw(board):
    figure = plot_leaderboard(board)
    figure.savefig(io.BytesIO(), dpi=20)  # what the catalog does; matplotlib's warnings come here
    (axes,) = figure.axes
    return axes


def ticks(axes):
    """Labels from the top down."""
    places = sorted(zip(axes.get_yticks(), axes.get_yticklabels(), strict=True), reverse=True)
    return [label.get_text() for _, label in places]


def ranks_by_label(axes):
    """Length of the bar at the height of every name."""
    length = {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in axes.patches}
    names = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    return {label.get_text(): length[place] for place, label in names}


@pytest.mark.parametrize("n_models", [1, 3, 9])
def test_plot_leaderboard__a_bar_for_every_model_best_on_top(n_models):
    axes = draw(make_board(["ml"] * n_models))
    bars = sorted(axes.patches, key=lambda bar: -bar.get_y())
    assert [bar.get_width() for bar in bars] == [1.0 + i for i in range(n_models)]
    assert ticks(axes) == [f"Model {i}" for i in range(n_models)]


def test_plot_leaderboard__beside_every_bar__its_rank_and_score():
    axes = draw(make_board())
    texts = {text.get_text() for text in axes.texts}
    assert texts == {"1.00  (F1 0.900)", "2.00  (F1 0.800)", "3.00  (F1 0.700)"}


def test_plot_leaderboard__every_family__has_a_style_of_its_own():
    assert set(FAMILY_STYLE) == set(FAMILIES)
    axes = draw(make_board(FAMILIES))
    assert len(axes.patches) == len(FAMILIES)
    by_rank = {bar.get_width(): bar for bar in axes.patches}
    colors = {family: to_hex(by_rank[1.0 + i].get_facecolor()) for i, family in enumerate(FAMILIES)}
    (legend,) = axes.figure.legends
    named = {
        text.get_text(): to_hex(handle.get_facecolor())
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }
    assert named == {FAMILY_STYLE[family][0]: color for family, color in colors.items()}
    assert len(set(colors.values())) == len(FAMILIES)
    assert len({bar.get_hatch() for bar in axes.patches}) == len(FAMILIES)


def test_plot_leaderboard__legend__names_only_the_families_that_are_there():
    (legend,) = draw(make_board(["proposed", "ml", "ml"])).figure.legends
    names = {text.get_text() for text in legend.get_texts()}
    assert names == {FAMILY_STYLE["proposed"][0], FAMILY_STYLE["ml"][0]}


def test_plot_leaderboard__families_take_turns__every_bar_is_beside_its_own_name():
    board = make_board(["ml", "proposed", "ml", "dl", "proposed"])
    assert ranks_by_label(draw(board)) == dict(zip(board["label"], board["mean_rank"], strict=True))


def test_plot_leaderboard__two_models_of_one_name__have_a_bar_each():
    axes = draw(make_board().assign(label="Model"))
    assert len({bar.get_y() for bar in axes.patches}) == 3
    assert ticks(axes) == ["Model"] * 3


@pytest.mark.parametrize(
    ("test_selected", "noted"),
    [([False, True, False], True), ([True] * 3, True), ([False] * 3, False)],
)
def test_plot_leaderboard__epochs_chosen_on_the_test_part__a_note_says_so(test_selected, noted):
    axes = draw(make_board(test_selected=test_selected))
    assert axes.get_xlabel() == "mean rank by macro F1 over 6 data sets (1 is best)"
    assert axes.figure.get_supxlabel() == ("* epochs chosen on the test part" if noted else "")
    stars = [name.endswith("*") for name in ticks(axes)]
    assert stars == test_selected


def test_plot_leaderboard__failed_cells__are_counted():
    board = make_board().assign(n_failed=[0, 1, 6])
    board.loc[2, "macro_f1"] = float("nan")
    axes = draw(board)
    assert axes.figure.get_supxlabel() == (
        "7 failed cells, ranked last where any model has a score"
    )
    assert "3.00  (no score)" in {text.get_text() for text in axes.texts}


def test_plot_leaderboard__nothing_but_failures__a_sentence_says_so(check_legible, words):
    board = make_board().assign(mean_rank=float("nan"), macro_f1=float("nan"), n_failed=6)
    figure = plot_leaderboard(board)
    check_legible(figure)
    assert "every model failed on every data set" in words(figure)


def test_plot_leaderboard__room_for_the_texts_beside_the_bars():
    axes = draw(make_board())
    assert axes.get_xlim() == pytest.approx((0, 3.9))


@pytest.mark.parametrize("mean_rank", [[float(i) for i in range(1, 25)], [12.5] * 24])
def test_plot_leaderboard__24_models__everything_can_be_read(mean_rank, check_legible):
    board = make_board([*FAMILIES, *["ml"] * (24 - len(FAMILIES))], test_selected=True)
    names = [f"A model with a long name {i}" for i in range(24)]
    figure = plot_leaderboard(board.assign(mean_rank=mean_rank, label=names, n_datasets=18))
    check_legible(figure)
    assert figure.get_figwidth() == 7


def test_plot_leaderboard__dollar_signs__are_no_mathematics():
    assert ticks(draw(make_board().assign(label="A $5^$ B"))) == ["A $5^$ B"] * 3


def test_plot_leaderboard__one_data_set__is_not_plural():
    assert "over 1 data set (" in draw(make_board().assign(n_datasets=1)).get_xlabel()
