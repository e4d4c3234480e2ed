"""Class by class: curves, calibration, and what thresholds and costs do, live."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from qcl_mixnet.card.charts import LEFT, SIDE, TOP, square_chart
from qcl_mixnet.card.columns import shortened
from qcl_mixnet.card.curves import precision_recall_points, roc_points, threshold_steps
from qcl_mixnet.card.markup import Html, element
from qcl_mixnet.card.scores import Scored, reliability
from qcl_mixnet.card.tables import facts, paragraph, section, share, table

MOST_PANELS = 20
_EMPTY = np.empty((0, 2))
_OUTCOMES = (
    ("precision", "Precision"), ("recall", "Recall"), ("f1", "F1"),
    ("alerts", "Alerts per 1,000"), ("cost", "Cost per 1,000"), ("hits", "Found"),
    ("missed", "Missed"), ("false-alarms", "False alarms"), ("passed", "Rightly passed"),
)  # fmt: skip


def charted_classes(rows: Scored) -> list[int]:
    """Classes with rows inside and outside, the fewest rows first; at most 20."""
    counts = np.bincount(rows.labels, minlength=rows.n_classes)
    known = [code for code in range(rows.n_classes) if 0 < counts[code] < len(rows.labels)]
    return sorted(known, key=lambda code: int(counts[code]))[:MOST_PANELS]


def explorer_data(rows: Scored, codes: list[int]) -> dict[str, Any]:
    """What the script counts with.

    Parameters
    ----------
    rows : Scored
    codes : list of int
        Of `charted_classes`.

    Returns
    -------
    dict
        `start` is the place of the threshold with about as many alerts as the model's decision.
    """
    found = []
    for code in codes:
        positive = rows.labels == code
        steps = threshold_steps(positive, rows.probabilities[:, code])
        decided = int(np.sum(rows.predicted == code))
        distances = np.abs(np.append(steps.alerts, 0) - decided)
        found.append(
            {
                "rows": int(positive.sum()),
                "thresholds": steps.thresholds.tolist(),
                "hits": steps.hits.tolist(),
                "alerts": steps.alerts.tolist(),
                "start": int(distances.argmin()),
            }
        )
    frame = {"left": LEFT, "top": TOP, "side": SIDE}
    return {"rows": len(rows.labels), "classes": found, "frame": frame}


def explorer_section(rows: Scored, scores: pd.DataFrame, codes: list[int]) -> Html:
    """Write the section; without a script it has the charts of all classes.

    Parameters
    ----------
    rows : Scored
    scores : DataFrame
        Of `class_table`.
    codes : list of int
        Of `charted_classes`.

    Returns
    -------
    Html
    """
    title = "Thresholds, costs and curves, class by class"
    if not codes:
        return section("explorer-section", title, paragraph("The test rows are all of one class."))
    names = [shortened(str(label)) for label in scores.index]
    left_out = rows.n_classes - len(codes)
    note = None
    if left_out:
        note = paragraph(
            f"Left out: {left_out} of {rows.n_classes} classes, which have no test rows or more "
            "of them than those here.",
            "note",
        )
    panels = [
        _panel(place, names[code], rows, code, scores.iloc[code])
        for place, code in enumerate(codes)
    ]
    return section("explorer-section", title, note, _controls([names[c] for c in codes]), *panels)


def _controls(names: list[str]) -> Html:
    options = [element("option", name, value=place) for place, name in enumerate(names)]
    fields = element(
        "div",
        element("label", "Class", element("select", options, id="class-choice")),
        element(
            "label",
            "Threshold",
            element("input", type="range", id="threshold", min="0", max="1", step="1"),
        ),
        _number("Threshold as a number", id="threshold-number", max="1"),
        _number("Cost of a missed row", id="cost-missed", value="10"),
        _number("Cost of a false alarm", id="cost-alarm", value="1"),
        class_="controls",
    )  # fmt: skip
    buttons = element(
        "div",
        element("button", "Lowest cost", type="button", id="cheapest"),
        element("button", "Highest F1", type="button", id="best-f1"),
        element("button", "As many alerts as the model raises", type="button", id="as-decided"),
        class_="buttons",
    )
    outcomes = facts([(name, element("span", data_value=key)) for key, name in _OUTCOMES])
    return element(
        "div",
        paragraph(
            "A row is an alert where the probability of the class reaches the threshold. What is "
            "best on these rows is a little worse on others: choose on other rows than you report."
        ),
        fields,
        buttons,
        element("p", element("strong", data_value="threshold"), role="status"),
        outcomes,
        id="explorer",
        class_="with-script",
        hidden=True,
    )


def _number(label: str, **attributes: Any) -> Html:
    field = element("input", type="number", min="0", step="any", **attributes)
    return element("label", label, field)


def _panel(place: int, name: str, rows: Scored, code: int, scores: Any) -> Html:
    positive, p = rows.labels == code, rows.probabilities[:, code]
    bins = reliability(positive, p)
    charts = [
        (
            f"Average precision {share(scores['average_precision'])}",
            square_chart(
                f"Precision by recall of {name}", ("recall", "precision"),
                precision_recall_points(positive, p), kind="precision-recall",
            ),
        ),
        (
            f"Area under the ROC curve {share(scores['roc_auc'])}",
            square_chart(
                f"True positives by false positives of {name}",
                ("share of other rows that are alerts", "recall"),
                roc_points(positive, p), kind="roc", diagonal=True,
            ),
        ),
        (
            f"Brier score {share(scores['brier'])}",
            square_chart(
                f"Share of {name} by its probability; the numbers are in the table below",
                ("probability of the class", "share of the class, with 95 % interval"),
                _EMPTY, kind="reliability", bins=bins, diagonal=True,
            ),
        ),
    ]  # fmt: skip
    figures = [element("figure", element("figcaption", text), chart) for text, chart in charts]
    numbers = table(
        f"Reliability of {name}",
        ("Probability", "Rows", "Mean", "Share", "95 % interval"),
        [
            (
                f"{b.start:.1f} to {b.end:.1f}", int(b.rows), share(b["mean"]), share(b["share"]),
                f"{b.low:.3f} to {b.high:.3f}",
            )
            for _, b in bins.iterrows()
        ],
    )  # fmt: skip
    return element(
        "div",
        element("h3", name, " ", element("small", f"{int(positive.sum())} of {len(p)} test rows")),
        element("div", figures, class_="curves"),
        element("details", element("summary", "Numbers of the reliability diagram"), numbers),
        class_="panel",
        data_panel=place,
    )
