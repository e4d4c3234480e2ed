"""The control beside every other model, as people read it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.reporting.rendering import STAR_NOTE, Table, number, starred
from qcl_mixnet.statistics.comparison import HEADLINE

_PROBABILITIES = {
    "Control better": "prob_control_better",
    "Equal": "prob_equivalent",
    "Model better": "prob_model_better",
}


def control_table(comparison: pd.DataFrame, rope: float) -> Table:
    """Lay out the comparison of the control with every other model by the headline metric.

    Parameters
    ----------
    comparison : DataFrame
        Of `comparison_table`.
    rope : float
        Half width of the region of practical equivalence that it was made with.

    Returns
    -------
    Table
        Its frame has the rows of `comparison` that are shown.
    """
    rows = comparison[comparison["metric"].eq(HEADLINE)].reset_index(drop=True)
    names = zip(rows["label"], rows["test_selected"].eq(True), strict=True)
    counts = (f"{row.wins}/{row.ties}/{row.losses}" for row in rows.itertuples())
    body = pd.DataFrame(
        {
            "Model": [starred(*name) for name in names],
            "Family": rows["family"],
            "Wins/ties/losses": list(counts),
            "Median difference": [_signed(value) for value in rows["median_difference"]],
            "Effect size": [_signed(value) for value in rows["effect_size"]],
            "p (Holm)": [p_text(value) for value in rows["p_holm"]],
            **{
                name: [number(value, 2) for value in rows[column]]
                for name, column in _PROBABILITIES.items()
            },
        }
    ).astype(str)
    return Table(
        name="control",
        caption=f"The control against every other model by {METRICS[HEADLINE].label}",
        notes=_notes(rows, rope),
        frame=rows,
        body=body,
        text_columns=2,
    )


def p_text(value: Any) -> str:
    """Print a p-value with two digits; "n/a" for none."""
    return "n/a" if pd.isna(value) else f"{value:.2g}"


def _signed(value: Any) -> str:
    return "n/a" if pd.isna(value) else f"{value:+z.3f}"


def _notes(rows: pd.DataFrame, rope: float) -> tuple[str, ...]:
    if rows.empty:
        return ("No comparison: it needs the control and another model on two data sets.",)
    notes = (
        "Wins, ties and losses are the control's, and so are positive differences and effect sizes "
        "(rank-biserial correlation). p: Wilcoxon's signed-rank test, adjusted by Holm. The last "
        f"three columns are probabilities of the Bayesian signed-rank test, equal being within "
        f"{rope:g}.",
    )
    selected = rows["test_selected"].eq(True).any() or rows["control_test_selected"].eq(True).any()
    return (*notes, STAR_NOTE) if selected else notes
