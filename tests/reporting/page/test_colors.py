import pytest

from qcl_mixnet.reporting.page.colors import (
    GAPS,
    N_LEVELS,
    contrast,
    gap_level,
    level_of,
    level_styles,
    scale,
)


@pytest.mark.parametrize(
    ("score", "level"), [(0.0, 0), (0.0999, 0), (0.1, 1), (0.3, 3), (0.7, 7), (0.9, 9), (1.0, 9)]
)
def test_level_of__tenths__belong_to_the_level_above_them(score, level):
    assert level_of(score) == level


@pytest.mark.parametrize(
    ("gap", "level"),
    [(0.0, 0), (1e-15, 0), (0.005, 1), (0.01, 1), (0.015, 2), (0.05, 3), (0.2, 5), (0.21, 6)],
)
def test_gap_level__ties_are_the_best(gap, level):
    assert gap_level(gap) == level


@pytest.mark.parametrize("n_levels", [N_LEVELS, len(GAPS) + 1])
def test_scale__every_level__text_can_be_read(n_levels):
    colors = scale(n_levels)
    assert len(colors) == n_levels
    assert min(contrast(*pair) for pair in colors) >= 4.5
    luminances = [contrast(background, "#000000") for background, _ in colors]
    assert luminances == sorted(luminances, reverse=True)


def test_contrast__known_values():
    # The ends of WCAG's scale, and its well-known grey that is just enough on white.
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#ffffff") == 1
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


def test_level_styles__every_class__has_a_rule():
    rules = level_styles()
    for i in range(N_LEVELS):
        assert f".by-level .level-{i} {{" in rules
    for i in range(len(GAPS) + 1):
        assert f".by-gap .gap-{i} {{" in rules
