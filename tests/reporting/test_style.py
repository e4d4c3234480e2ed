from matplotlib.colors import to_rgb
from matplotlib.text import Text

from qcl_mixnet.reporting.order import FAMILIES
from qcl_mixnet.reporting.style import (
    FAMILY_STYLE,
    N_CLASS_STYLES,
    PlainFigure,
    add_legend,
    add_notes,
    class_style,
    family_patches,
    set_rows,
    write_in_row,
)


def test_family_style__every_family_differs_by_colour_and_without():
    assert tuple(FAMILY_STYLE) == FAMILIES
    for look in ("name", "color", "hatch", "marker"):
        assert len({getattr(style, look) for style in FAMILY_STYLE.values()}) == len(FAMILIES)


def test_family_patches__only_the_families_that_are_there__in_one_order():
    patches = family_patches(["gnn", "ml", "proposed", "ml"])
    assert [patch.get_label() for patch in patches] == [
        FAMILY_STYLE[family].name for family in ("proposed", "ml", "gnn")
    ]
    assert patches[1].get_hatch() == FAMILY_STYLE["ml"].hatch
    assert patches[1].get_facecolor()[:3] == to_rgb(FAMILY_STYLE["ml"].color)


def test_add_legend_and_notes__as_much_as_can_be__fits_the_page(check_legible):
    figure = PlainFigure(figsize=(7, 3), layout="constrained")
    figure.subplots()
    add_legend(figure, family_patches(FAMILIES), title="title")
    add_notes(figure, ["epochs chosen on the test part", "2 failed cells left out"] * 4)
    check_legible(figure)


def test_plain_figure__dollar_signs_anywhere__are_drawn_as_they_are(check_legible):
    figure = PlainFigure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    axes.set_title("A $5^$ B")
    axes.set_xlabel("$x$")
    axes.plot([0, 1], label="$y^$")
    axes.legend()
    set_rows(axes, ["$1^$", "$a$"])
    write_in_row(axes, 1, "$2^$")
    add_notes(figure, ["$3^$"])
    check_legible(figure)
    dollars = [text for text in figure.findobj(Text) if "$" in text.get_text()]
    assert len({text.get_text() for text in dollars}) == 7
    assert not any(text.get_parse_math() for text in dollars)


def test_class_style__first_classes_differ_in_both__and_all_in_something():
    colors, markers = zip(*map(class_style, range(N_CLASS_STYLES)), strict=True)
    assert len(set(colors)) == len(set(markers)) == N_CLASS_STYLES == 8
    assert len(set(map(class_style, range(104)))) == 104
    assert class_style(104) == class_style(0)
