"""Table 6: mean ranks of the models, and tests of their differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.reporting.order import model_order
from qcl_mixnet.reporting.rendering import STAR_NOTE, Table, starred

# Its rows, in the paper's order and words.
_ROWS = {
    "accuracy": "Accuracy",
    "macro_recall": "maR",
    "macro_precision": "maP",
    "macro_f1": "maF1",
}
_AVERAGE = "average_rank"
_TESTS = {
    "chi2": "χ²",
    "p_value": "p of χ²",
    "iman_davenport_f": "F",
    "iman_davenport_p": "p of F",
}


def rank_table(metrics: pd.DataFrame, statistics: Mapping[str, Any]) -> Table:
    """Lay out mean ranks and the tests of their differences.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    statistics : mapping
        Of `compare_models`.

    Returns
    -------
    Table
        Its frame has one row per metric and model: `metric` (the last is "average_rank"),
        `model`, `label`, `family`, `test_selected`, `n_failed` (cells of the model,
        which rank last), `mean_rank`; the metric's test,
        `chi2`, `p_value`, `iman_davenport_f` and `iman_davenport_p`, NaN where there is
        none, and `reason` then; `independent`, false for the paper's global test.
    """
    frame = _rank_frame(metrics, statistics)
    models = frame.drop_duplicates("model")
    headers = [starred(*row) for row in zip(models["label"], models["test_selected"], strict=True)]
    body = []
    bold = set()
    for number, (metric, row) in enumerate(frame.groupby("metric", sort=False)):
        ranks = row["mean_rank"].map("{:.2f}".format)
        first = ranks.eq(f"{row['mean_rank'].min():.2f}").to_numpy()
        bold |= {(number, 1 + int(place)) for place in first.nonzero()[0]}
        tests = [_test_text(row[field].iloc[0]) for field in _TESTS]
        body.append([_ROWS.get(str(metric), "Average Rank (not independent)"), *ranks, *tests])
    return Table(
        name="table6_ranks",
        caption="Mean ranks and tests of their differences (the paper's Table 6)",
        notes=_notes(frame, statistics),
        frame=frame,
        body=pd.DataFrame(body, columns=["Metric", *headers, *_TESTS.values()]),
        bold=frozenset(bold),
    )


def _rank_frame(metrics: pd.DataFrame, statistics: Mapping[str, Any]) -> pd.DataFrame:
    mean_ranks = statistics["mean_ranks"]
    ranks = pd.DataFrame({metric: mean_ranks.get(metric, {}) for metric in _ROWS}, dtype=float)
    ranks[_AVERAGE] = ranks.mean(axis=1)
    overall = statistics["global_test"]
    tests = {**statistics["tests"], _AVERAGE: overall.get("paper_form", overall)}
    identity = metrics.groupby("model").agg(
        {"label": "first", "family": "first", "test_selected": "any"}
    )
    failed = [name.split(".")[1] for name in _failed_cells(statistics)]
    identity["n_failed"] = [failed.count(model) for model in identity.index]
    rows = [
        {
            "metric": metric,
            "model": model,
            **identity.loc[model].to_dict(),
            "mean_rank": ranks.loc[model, metric],
            **{field: tests[metric].get(field, float("nan")) for field in _TESTS},
            "reason": tests[metric].get("reason", ""),
            "independent": metric != _AVERAGE,
        }
        for metric in ranks.columns
        for model in model_order(metrics)
        if model in ranks.index
    ]
    columns = ["metric", "model", *identity.columns, "mean_rank", *_TESTS, "reason", "independent"]
    return pd.DataFrame(rows, columns=columns)


def _failed_cells(statistics: Mapping[str, Any]) -> list[str]:
    """Names "dataset.model" of the failed cells that take part in the ranks."""
    ranked = {f"{d}.{m}" for d in statistics["datasets"] for m in statistics["models"]}
    return [name for name in statistics["failed"] if name in ranked]


def _test_text(value: float) -> str:
    return "n/a" if pd.isna(value) else f"{value:.3g}"


def _notes(frame: pd.DataFrame, statistics: Mapping[str, Any]) -> tuple[str, ...]:
    if frame.empty:
        return ("No ranks: they need a data set on which a model has a score.",)
    notes = [
        f"Ranks over {count(len(statistics['datasets']), 'data set')}, 1 being the best; maR, maP "
        "and maF1 are macro recall, precision and F1. χ² is Friedman's, F Iman and Davenport's.",
        "The test under 'Average Rank' is the paper's global test, with metrics for data sets. "
        "The metrics are of the same predictions and not independent: its p is not to be trusted.",
    ]
    failed = _failed_cells(statistics)
    if failed:
        notes.append(f"Failed, ranked last ({len(failed)}): {', '.join(failed)}.")
    notes += [f"No test: {reason}" for reason in frame["reason"].unique() if reason]
    return (*notes, STAR_NOTE) if frame["test_selected"].any() else tuple(notes)
