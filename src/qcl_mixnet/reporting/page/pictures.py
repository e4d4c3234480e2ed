"""Figures inside the page: bytes in the place of an address."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

# A drawing of more bytes than this has so many points that its picture is smaller.
_LARGEST_DRAWING = 250_000

# Title and description of each figure; the leaderboard is on the page as a table.
CAPTIONS = {
    "critical_difference": (
        "Critical-difference diagram",
        "Mean ranks, best on top. Models on one vertical bar cannot be told apart by Nemenyi's "
        "test.",
    ),
    "figure2_gain": (
        "Figure 2: gain over the best baseline",
        "Macro F1 of the proposed model minus that of the best baseline, per data set.",
    ),
    "figure3_distribution": (
        "Figure 3: distribution of macro F1",
        "Box plots of macro F1 over the data sets, a box per model.",
    ),
    "figure4_representation": (
        "Figure 4: representation",
        "t-SNE of the proposed model's representation of test rows. Distances between groups and "
        "their sizes mean little.",
    ),
    "figure5_ablation": (
        "Figure 5: ablations",
        "Mean macro F1 of the proposed model and its ablations. Error bars are standard "
        "deviations over data sets.",
    ),
}


@dataclass(frozen=True)
class DrawnFigure:
    """A figure as its files have it.

    Parameters
    ----------
    png, svg : bytes
    """

    png: bytes
    svg: bytes


@dataclass(frozen=True)
class Picture:
    """A figure of the page: title, description and a data URI."""

    title: str
    description: str
    uri: str


def pictures(figures: Mapping[str, DrawnFigure]) -> dict[str, Picture]:
    """Make data URIs of the figures that the page shows.

    Parameters
    ----------
    figures : mapping of str to DrawnFigure
        By the names of `FIGURES`.

    Returns
    -------
    dict of str to Picture
        Those of `CAPTIONS` that are there; as a drawing, which stays sharp, unless that is large.
    """
    return {
        name: Picture(title, description, _uri(figures[name]))
        for name, (title, description) in CAPTIONS.items()
        if name in figures
    }


def _uri(figure: DrawnFigure) -> str:
    small = len(figure.svg) <= _LARGEST_DRAWING
    kind, content = ("svg+xml", figure.svg) if small else ("png", figure.png)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
