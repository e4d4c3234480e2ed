"""Tables and lists of a model card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qcl_mixnet.card.markup import Html, element


def table(
    caption: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    n_text: int = 1,
    name: str | None = None,
    class_: str | None = None,
) -> Html:
    """Write a table that scrolls in itself where it is too wide.

    Parameters
    ----------
    caption : str
        What it is, for those who do not see it.
    headers : sequence of n_columns str
    rows : sequence of sequences of n_columns cells
        Texts, `Html`, or whole cells, which are `Html` of `td`.
    n_text : int, default=1
        How many columns from the left are words; the first one names its row.
    name, class_ : str, optional
        Of the table.

    Returns
    -------
    Html
    """
    kinds = [None if place < n_text else "number" for place in range(len(headers))]
    head = [
        element("th", text, scope="col", class_=kind)
        for text, kind in zip(headers, kinds, strict=True)
    ]
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            [
                cell if _is_cell(cell) else element("td", cell, class_=kind)
                for cell, kind in zip(row[1:], kinds[1:], strict=True)
            ],
        )
        for row in rows
    ]
    inside = (
        element("caption", caption, class_="unseen"),
        element("thead", element("tr", head)),
        element("tbody", body),
    )
    return element(
        "div",
        element("table", *inside, id=name, class_=class_),
        class_="scroll", role="region", aria_label=caption, tabindex="0",
    )  # fmt: skip


def facts(pairs: Sequence[tuple[str, Any]], *, class_: str = "facts") -> Html:
    """Write names and values: as tiles, or with the class `lines` below one another."""
    tiles = [element("div", element("dt", name), element("dd", value)) for name, value in pairs]
    return element("dl", tiles, class_=class_)


def share(value: float) -> str:
    """Three digits, or that there is nothing."""
    return "n/a" if np.isnan(value) else f"{value:.3f}"


def with_interval(value: float, low: float, high: float) -> Html:
    """Write a value, and its interval below it where there is one."""
    if np.isnan(low) or np.isnan(value):
        return element("td", share(value), class_="number")
    ends = element("span", f"{low:.3f} to {high:.3f}", class_="range")
    return element("td", share(value), ends, class_="number")


def section(name: str, title: str, *inside: Any) -> Html:
    """Write a section that the list at the head of the page leads to."""
    head = element("h2", title, id=f"{name}-title")
    return element("section", head, *inside, id=name, aria_labelledby=f"{name}-title")


def paragraph(text: Any, class_: str | None = None) -> Html:
    """Write a paragraph."""
    return element("p", text, class_=class_)


def _is_cell(cell: Any) -> bool:
    return isinstance(cell, Html) and cell.startswith("<td")
