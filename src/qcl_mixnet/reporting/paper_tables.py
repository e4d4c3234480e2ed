"""The paper's six tables from our own numbers, and ours against the printed ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.reporting.paper_comparison import (
    compare_with_published,
    published_comparison_table,
    published_summary_table,
)
from qcl_mixnet.reporting.paper_ranks import rank_table
from qcl_mixnet.reporting.rendering import STAR_NOTE, Table, starred
from qcl_mixnet.reporting.repeats import summarize_repeats
from qcl_mixnet.reporting.scores import described
from qcl_mixnet.statistics.comparison import PAPER_METRICS

Task = Literal["binary", "multiclass"]


@dataclass(frozen=True)
class _Results:
    """What tables are made of; `comparison` is that of `compare_with_published`."""

    metrics: pd.DataFrame
    descriptions: pd.DataFrame
    statistics: Mapping[str, Any]
    comparison: pd.DataFrame


# Every table of a report by its name, under which it is saved and which it carries.
TABLES: dict[str, Callable[[_Results], Table]] = {
    "table1_data_sets": lambda r: table1(r.descriptions),
    "table2_binary_scores": lambda r: benchmark_table(r.metrics, r.descriptions, "binary"),
    "table3_multiclass_scores": lambda r: benchmark_table(r.metrics, r.descriptions, "multiclass"),
    "table4_binary_ablations": lambda r: ablation_table(r.metrics, r.descriptions, "binary"),
    "table5_multiclass_ablations": lambda r: ablation_table(
        r.metrics, r.descriptions, "multiclass"
    ),
    "table6_ranks": lambda r: rank_table(r.metrics, r.statistics),
    "published_comparison": lambda r: published_comparison_table(r.comparison),
    "published_by_model": lambda r: published_summary_table(r.comparison, "model"),
    "published_by_dataset": lambda r: published_summary_table(r.comparison, "dataset"),
}


def paper_tables(
    metrics: pd.DataFrame, descriptions: pd.DataFrame, statistics: Mapping[str, Any]
) -> dict[str, Table]:
    """Make all tables of a report.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    descriptions : DataFrame
        Rows of `describe_dataset` for the same data sets.
    statistics : mapping
        Of `compare_models`.

    Returns
    -------
    dict of str to Table
        All of `TABLES`. A table that has nothing to show says so in a note.

    Raises
    ------
    EvaluationError
        If a data set of `metrics` has no description.
    """
    comparison = compare_with_published(metrics, descriptions)
    results = _Results(metrics, descriptions, statistics, comparison)
    return {name: make(results) for name, make in TABLES.items()}


def table1(descriptions: pd.DataFrame) -> Table:
    """Lay out the data sets, the paper's figures in brackets.

    Parameters
    ----------
    descriptions : DataFrame
        Rows of `describe_dataset`.
    """
    rows = descriptions
    body = pd.DataFrame(
        {
            "Data set": rows["label"],
            "Task": rows["task"],
            "Source": rows["source"],
            "Samples": _beside(rows["n_samples"], rows["printed_rows"], ".0f"),
            "Features": _beside(rows["n_features"], rows["printed_features"], ".0f"),
            "Classes": _beside(rows["n_classes"], rows["printed_classes"], ".0f"),
            "Smallest": rows["smallest_class"].map("{:.0f}".format),
            "Ratio": rows["imbalance_ratio"].map("{:.2f}".format),
            "Ratio in test": _beside(
                rows["test_imbalance_ratio"], rows["printed_imbalance_ratio"], ".2f"
            ),
            "Absent in test": rows["classes_absent_from_test"].map("{:.0f}".format),
            "Seen in training": rows["rows_seen_in_training"]
            .astype("string")
            .fillna("not counted"),
        }
    )
    return Table(
        name="table1_data_sets",
        caption="Data sets (the paper's Table 1)",
        notes=(
            "In brackets: what the paper prints. It counts the target as a feature for its OpenML "
            "sets, and its imbalance ratios are those of the test part.",
            "Smallest: samples of the smallest class. Ratio: the largest class by the smallest; in "
            "the test part, that of the first split, by the smallest that is in it. Absent: "
            "classes without a sample there. Seen in training: test samples of all splits together "
            "whose values stand in the training part, too.",
        ),
        frame=rows,
        body=body,
        text_columns=3,
    )


def _beside(ours: pd.Series, printed: pd.Series, form: str) -> list[str]:
    """Write our figures with the printed ones in brackets, where there are any."""
    return [
        f"{own:{form}}" if pd.isna(other) else f"{own:{form}} ({other:{form}})"
        for own, other in zip(ours, printed, strict=True)
    ]


def benchmark_table(metrics: pd.DataFrame, descriptions: pd.DataFrame, task: Task) -> Table:
    """Lay out the scores of all models but the ablations: Table 2 (binary) or 3 (multiclass).

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    descriptions : DataFrame
        Rows of `describe_dataset` for the same data sets.
    task : {"binary", "multiclass"}
        Which data sets.

    Returns
    -------
    Table
        Its frame has the columns of `summarize_repeats`.

    Raises
    ------
    EvaluationError
        If a data set of `metrics` has no description.
    """
    number = {"binary": 2, "multiclass": 3}[task]
    rows = metrics[metrics["family"].ne("ablation")]
    return _score_table(rows, descriptions, task, number, "Scores")


def ablation_table(metrics: pd.DataFrame, descriptions: pd.DataFrame, task: Task) -> Table:
    """Lay out the proposed model and its ablations: Table 4 (binary) or 5 (multiclass).

    Parameters, return and errors as in `benchmark_table`.
    """
    number = {"binary": 4, "multiclass": 5}[task]
    rows = metrics[metrics["family"].isin(["proposed", "ablation"])]
    return _score_table(rows, descriptions, task, number, "Ablations")


def _score_table(
    metrics: pd.DataFrame, descriptions: pd.DataFrame, task: Task, number: int, subject: str
) -> Table:
    chosen = described(metrics, descriptions)
    chosen = chosen[chosen["task"].eq(task)]
    scores = summarize_repeats(metrics[metrics["dataset"].isin(chosen["dataset"])])
    scores["text"] = [_score_text(row) for row in scores.itertuples()]
    labels = dict(zip(chosen["dataset"], chosen["label"], strict=True))
    body = []
    for (dataset, _), cell in scores.groupby(["dataset", "model"], sort=False):
        name = starred(cell["label"].iloc[0], cell["test_selected"].iloc[0])
        body.append([labels[dataset], name, *cell["text"]])
    headers = ["Data set", "Model", *(METRICS[metric].label for metric in PAPER_METRICS)]
    return Table(
        name=f"table{number}_{task}_{subject.lower()}",
        caption=f"{subject} on the {task} data sets (the paper's Table {number})",
        notes=_score_notes(scores, task),
        frame=scores.drop(columns="text"),
        body=pd.DataFrame(body, columns=headers),
        text_columns=2,
        bold=_best_scores(scores),
    )


def _score_text(row: Any) -> str:
    if row.status != "ok":
        return row.status
    return f"{row.mean:.2f} ± {row.std:.2f}" if row.n_repeats > 1 else f"{row.mean:.2f}"


def _best_scores(scores: pd.DataFrame) -> frozenset[tuple[int, int]]:
    """Find the best of several as printed: what looks equal is equally bold."""
    printed = scores["mean"].map("{:.2f}".format).astype(float)
    among = printed.groupby([scores["dataset"], scores["metric"]])
    best = printed.eq(among.transform("max")) & among.transform("count").gt(1)
    n_metrics = len(PAPER_METRICS)
    places = best.to_numpy().nonzero()[0].tolist()
    return frozenset((i // n_metrics, 2 + i % n_metrics) for i in places)


def _score_notes(scores: pd.DataFrame, task: Task) -> tuple[str, ...]:
    if scores.empty:
        return (f"This run has no such results: no {task} data set, or no model of this table.",)
    notes = ["Bold: the best of a data set, to the decimals shown."]
    if scores["n_repeats"].max() > 1:
        notes.append("Mean ± standard deviation over the repeats, each on another split.")
    return (*notes, STAR_NOTE) if scores["test_selected"].any() else tuple(notes)
