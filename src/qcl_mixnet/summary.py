"""The end of a run: a ranked table in the terminal, and where everything is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from rich import get_console
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from qcl_mixnet.availability import problems_of
from qcl_mixnet.evaluation.posthoc import smallest_p_holm
from qcl_mixnet.tracking import RunBinding

REPORT_FOLDER = "08_reporting"


def report_path(dataset: Any) -> Path | None:
    """Path of a dataset that lies in the reporting folder; None for any other."""
    path = getattr(dataset, "_filepath", None)
    if path is None or REPORT_FOLDER not in Path(path).parts:
        return None
    return Path(path)


def report_paths(dataset: Any) -> list[Path]:
    """All files of a dataset that lies in the reporting folder: some write several formats."""
    path = report_path(dataset)
    return [] if path is None else list(getattr(dataset, "paths", [path]))


def print_summary(catalog: CatalogProtocol, pipeline: Pipeline, binding: RunBinding) -> None:
    """Print the ranked table, the tests behind it, what is missing, and where to look."""
    console = get_console()
    outputs = pipeline.all_outputs()
    asked = {node.namespace for node in pipeline.nodes if node.namespace}
    problems = problems_of(sorted(asked), catalog)
    refused = {name: problem.reason for name, problem in problems.items() if problem.refused}
    if "leaderboard" in outputs:
        board, statistics = catalog.load("leaderboard"), catalog.load("statistics")
        console.print(leaderboard_table(board))
        console.print(friedman_line(statistics), highlight=False)
        console.print(control_lines(statistics), highlight=False)
        unavailable = sorted(asked - set(statistics["datasets"]) - set(refused))
        for title, cells in (
            ("Failed", statistics["failed"]),
            ("Not run", statistics["not_run"]),
            ("Data sets not available, see above", unavailable),
        ):
            if cells:
                shown = ", ".join(cells[:8]) + (" ..." if len(cells) > 8 else "")
                console.print(f"{title} ({len(cells)}): {shown}", highlight=False)
        folder = report_path(catalog.get("leaderboard"))
        console.print(f"Tables and figures: {folder.parent if folder else ''}", highlight=False)
    if refused:
        console.print(refusal_lines(refused), highlight=False, markup=False)
    if "speed_table" in outputs:
        console.print(speed_table(catalog.load("speed_table")))
        folder = report_path(catalog.get("speed_table"))
        console.print(f"Table and figure: {folder.parent if folder else ''}", highlight=False)
    if "inference_report" in outputs:
        report = catalog.load("inference_report")
        console.print(scored_lines(report), highlight=False, markup=False)
    if binding.tracked:
        is_server = binding.tracking_uri.startswith("http")
        where = "in its UI" if is_server else "with `make mlflow`"
        console.print(
            f"MLflow run {binding.run_id} in {binding.tracking_uri}: see it {where}, the DAG with "
            f"`make viz`.",
            highlight=False,
        )


def refusal_lines(reasons: Mapping[str, str]) -> str:
    """Lines on data sets that are there but cannot be used, with the reason of each."""
    named = [f"  {name}: {reason}" for name, reason in reasons.items()]
    return "\n".join([f"Data sets refused ({len(reasons)}):", *named])


def leaderboard_table(board: pd.DataFrame) -> Table:
    """Leaderboard for the terminal."""
    n_datasets = int(board["n_datasets"].iloc[0])
    mark = " · * epoch chosen on the test part" if board["test_selected"].any() else ""
    table = Table(
        title=f"Mean ranks by macro F1 over {n_datasets} data sets (1 is best){mark}",
        box=SIMPLE_HEAD,
        collapse_padding=True,
    )
    # Where the terminal is narrow a label takes several lines, and the numbers stay whole.
    table.add_column("model", overflow="fold")
    for name in ("mean rank", "wins", "macro F1", "G-mean", "MCC", "fit s", "failed"):
        table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    for row in board.itertuples():
        table.add_row(
            f"{escape(str(row.label))}{'*' if row.test_selected else ''}",
            f"{row.mean_rank:.2f}",
            str(row.wins),
            f"{row.macro_f1:.3f}",
            f"{row.g_mean:.3f}",
            f"{row.mcc:.3f}",
            f"{row.fit_seconds:.1f}",
            str(row.n_failed),
        )
    return table


def speed_table(figures: pd.DataFrame) -> Table:
    """Figures of the training engine for the terminal."""
    table = Table(title="The training engine beside the reference", box=SIMPLE_HEAD)
    table.add_column("data set", overflow="fold")
    for name in ("members", "reference ms", "engine ms", "ratio", "of bound", "peak MiB"):
        table.add_column(name, justify="right", no_wrap=True)
    reference, engine = (
        figures[figures["implementation"] == name] for name in ("reference", "engine")
    )
    for row, reference_ms in zip(engine.itertuples(), reference["ms"], strict=True):
        table.add_row(
            escape(str(row.dataset)),
            str(row.members),
            f"{reference_ms:.3g}",
            f"{row.ms:.3g}",
            f"{row.ratio:.3g}",
            f"{row.fraction:.1%}",
            f"{row.peak_mib:.3g}",
        )
    return table


def scored_lines(report: Mapping[str, Any]) -> str:
    """Lines on a scored table: rows, rows by label, largest first, and where the predictions are.

    Only ten labels are named.
    """
    counts = sorted(report["rows_by_label"].items(), key=lambda item: -item[1])
    named = ", ".join(f"{label} {count:,}" for label, count in counts[:10])
    more = f" and {len(counts) - 10} labels more" if len(counts) > 10 else ""
    return (
        f"Scored {report['rows']:,} rows of {report['table']} in {report['seconds']:.1f} s: "
        f"{named}{more}\nPredictions: {report['output']}"
    )


def friedman_line(statistics: dict[str, Any]) -> str:
    """One line on Friedman's test of the headline metric."""
    test = statistics["tests"]["macro_f1"]
    if "reason" in test:
        return test["reason"]
    friedman = f"Friedman chi2({test['df']}) = {test['chi2']:.2f}, p = {test['p_value']:.2g}"
    if test["iman_davenport_f"] is None:
        sharper = f"all data sets rank the models alike (p = {test['iman_davenport_p']:.2g})"
    else:
        low, high = test["iman_davenport_df"]
        sharper = (
            f"Iman-Davenport F({low}, {high}) = {test['iman_davenport_f']:.2f}, "
            f"p = {test['iman_davenport_p']:.2g}"
        )
    return f"{friedman}; {sharper}"


def control_lines(statistics: dict[str, Any]) -> str:
    """Lines on the control against every other model by the headline metric."""
    rows = statistics["comparisons"]["macro_f1"]
    if "reason" in rows:
        return rows["reason"]
    if rows[0]["control_failed"] == rows[0]["n_datasets"]:
        return (
            f"{statistics['control']} failed on all data sets: none of {len(rows)} model(s) was "
            "compared with it"
        )
    judged = [row for row in rows if row["p_value"] is not None]
    lines = _judgement(statistics, judged) if judged else []
    if n_failed := len(rows) - len(judged):
        lines.append(f"{n_failed} model(s) failed on all data sets and were not judged")
    return "\n".join(lines)


def _judgement(statistics: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    control, alpha, rope = (statistics[name] for name in ("control", "alpha", "rope"))
    better = sum(row["differs"] and row["effect_size"] > 0 for row in rows)
    worse = sum(row["differs"] and row["effect_size"] < 0 for row in rows)
    n_datasets = max(row["n_compared"] for row in rows)
    if smallest_p_holm(n_datasets, 1 + len(rows)) > alpha:
        # Nobody should read "beats 0" as a finding where no result could have been another.
        found = f"{n_datasets} data sets are too few to tell {control} from {len(rows)} model(s)"
    else:
        found = f"{control} beats {better} and loses to {worse} of {len(rows)} model(s)"
    outcomes = ("prob_control_better", "prob_equivalent", "prob_model_better")
    n_better, n_equivalent, n_worse = (
        sum(row[outcome] > 1 - alpha for row in rows) for outcome in outcomes
    )
    return [
        f"{found} (Wilcoxon-Holm, {alpha:g})",
        f"Better than {n_better}, within {rope:g} of {n_equivalent}, worse than {n_worse} "
        f"(Bayesian signed-rank, > {1 - alpha:g})",
    ]
