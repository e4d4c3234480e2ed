"""The one look of all figures: colours, hatches, markers, legends and notes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Text

# Inches. Text is set for this width: 7 or 8 points, as a page prints it.
WIDTH = 7.0
SMALL = 7
NORMAL = 8


class PlainFigure(Figure):
    """A figure whose dollar signs are dollar signs: labels are the user's, and no mathematics."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw; only now is all text there, that of the ticks included."""
        for text in self.findobj(Text):
            text.set_parse_math(False)
        super().draw(renderer)


class FamilyStyle(NamedTuple):
    """A family's name for people and its look."""

    name: str
    color: str
    hatch: str
    marker: str

    @property
    def fill(self) -> dict[str, Any]:
        """Look of its bars and boxes."""
        return {"facecolor": self.color, "hatch": self.hatch, "edgecolor": "white"}


# Okabe and Ito's palette, told apart by the colour-blind; hatch or marker in black and white.
FAMILY_STYLE = {
    "proposed": FamilyStyle("proposed", "#D55E00", "", "o"),
    "ablation": FamilyStyle("ablation", "#E69F00", "xx", "P"),
    "ml": FamilyStyle("machine learning", "#0072B2", "//", "s"),
    "dl": FamilyStyle("deep learning", "#009E73", "..", "^"),
    "gnn": FamilyStyle("graph network", "#CC79A7", "\\\\", "D"),
    "peer": FamilyStyle("peer", "#56B4E9", "++", "v"),
}

# 8 colours and 13 markers have no common divisor: taken in turns, the first 8 classes differ in
# both, and the first 104 in one of them.
_CLASS_COLORS = (
    "#0072B2", "#E69F00", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#F0E442",
)  # fmt: skip
_CLASS_MARKERS = ("o", "^", "s", "X", "D", "v", "P", "*", "<", ">", "p", "d", "h")
N_CLASS_STYLES = len(_CLASS_COLORS)


def class_style(i: int) -> tuple[str, str]:
    """Colour and marker of class `i`, counted from 0."""
    return _CLASS_COLORS[i % len(_CLASS_COLORS)], _CLASS_MARKERS[i % len(_CLASS_MARKERS)]


def family_patches(families: Iterable[str]) -> list[Artist]:
    """Make a legend's entries for the families that are there, in the order of all figures."""
    present = set(families)
    return [
        Patch(label=style.name, **style.fill)
        for family, style in FAMILY_STYLE.items()
        if family in present
    ]


def add_legend(figure: Figure, handles: Sequence[Artist], title: str | None = None) -> None:
    """Put a legend above all axes, where it covers nothing."""
    figure.legend(
        handles=handles, title=title, loc="outside upper center", ncols=len(handles),
        frameon=False, fontsize=NORMAL, title_fontsize=NORMAL, columnspacing=1.2, handleheight=1.0,
    )  # fmt: skip


def add_notes(figure: Figure, notes: Iterable[str]) -> None:
    """Write below all axes what a reader must know of the numbers."""
    text = " · ".join(notes)
    if text:
        figure.supxlabel(textwrap.fill(text, 105), fontsize=NORMAL, fontstyle="italic")


def set_rows(axes: Axes, labels: Iterable[str]) -> None:
    """Name the rows 0, 1 and so on from the top down, with a light grid along the values."""
    names = list(labels)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(labelsize=NORMAL)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="0.85", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def write_in_row(
    axes: Axes, row: int, text: str, *, x: float = 0.02, on_white: bool = False
) -> None:
    """Write into a row, at `x` of the width of the axes; `on_white` where hatches would cross."""
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2} if on_white else None
    axes.annotate(
        text, (x, row), xycoords=axes.get_yaxis_transform(), va="center", fontsize=SMALL, bbox=box
    )


def sentence_figure(sentence: str) -> Figure:
    """Draw a figure that says why there is nothing to see."""
    figure = PlainFigure(figsize=(WIDTH, 1.2))
    figure.text(0.5, 0.5, textwrap.fill(sentence, 80), ha="center", va="center", fontsize=10)
    return figure
