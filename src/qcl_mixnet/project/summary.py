"""The end of a run: a ranked table in the terminal, and where everything is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from rich import get_console
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.project.availability import problems_of
from qcl_mixnet.project.plan_summary import plan_lines, plan_table
from qcl_mixnet.project.report_folders import REPORT_FOLDER
from qcl_mixnet.project.tracking import RunBinding
from qcl_mixnet.project.tracking_addresses import is_server, public_address
from qcl_mixnet.statistics.posthoc import smallest_p_holm
from qcl_mixnet.tuning.options import TuningOptions
from qcl_mixnet.tuning.tune import TUNED


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
        for line in missing_lines(statistics, asked - set(refused)):
            console.print(line, highlight=False, markup=False)
        folder = report_path(catalog.get("leaderboard"))
        console.print(f"Tables and figures: {folder.parent if folder else ''}", highlight=False)
        console.print(
            "They are of this configuration alone (run.json says which); `latest` in "
            f"{REPORT_FOLDER} points at them.",
            highlight=False,
        )
    if refused:
        console.print(refusal_lines(refused), highlight=False, markup=False)
    if "speed_table" in outputs:
        console.print(speed_table(catalog.load("speed_table")))
        folder = report_path(catalog.get("speed_table"))
        console.print(f"Table and figure: {folder.parent if folder else ''}", highlight=False)
    if "replay_designs" in outputs:
        console.print(replay_table(catalog.load("replay_designs")))
        folder = report_path(catalog.get("replay_designs"))
        console.print(f"Tables and figure: {folder.parent if folder else ''}", highlight=False)
    if "plan_workers" in outputs:
        cells = catalog.load("plan_cells")
        console.print(plan_table(catalog.load("plan_workers"), cells))
        console.print(plan_lines(cells), highlight=False, markup=False)
        folder = report_path(catalog.get("plan_cells"))
        console.print(f"Tables: {folder.parent if folder else ''}", highlight=False)
    if "inference_report" in outputs:
        report = catalog.load("inference_report")
        console.print(scored_lines(report), highlight=False, markup=False)
    if "fit_report" in outputs:
        console.print(fitted_lines(catalog.load("fit_report")), highlight=False, markup=False)
    if "tuning_scores" in outputs:
        options = TuningOptions.model_validate(catalog.load("params:tuning"))
        console.print(tuning_table(catalog.load("tuning_scores"), options))
        folder = report_path(catalog.get("tuning_scores"))
        console.print(f"Tables and figures: {folder.parent if folder else ''}", highlight=False)
    if binding.tracked:
        where = "in its UI" if is_server(binding.tracking_uri) else "with `make mlflow`"
        address = public_address(binding.tracking_uri)
        console.print(
            f"MLflow run {binding.run_id} in {address}: see it {where}, the DAG with `make viz`.",
            highlight=False,
        )
    if "report" in outputs and (page := report_path(catalog.get("report"))):
        # Whole, so that it can be copied; and last, where it is looked for.
        console.print(f"Report: {page}", highlight=False, markup=False, soft_wrap=True)


def print_cells(records: list[dict[str, Any]]) -> None:
    """Print the scores of a run that asked for cells alone; nothing where it has none."""
    if records:
        get_console().print(cells_table(records))


def cells_table(records: list[dict[str, Any]]) -> Table:
    """Scores of cells for the terminal: means over the repeats."""
    selected = any(record["test_selected"] for record in records)
    table = Table(
        title=f"Scores{' · * epoch chosen on the test part' if selected else ''}",
        box=SIMPLE_HEAD,
        collapse_padding=True,
    )
    table.add_column("data set", overflow="fold")
    table.add_column("model", overflow="fold")
    for name in ("macro F1", "G-mean", "MCC", "fit s"):
        table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    for record in records:
        scores = record["metrics"]
        shown = (
            ["failed", "", "", ""]
            if record["status"] == "failed"
            else [
                *(f"{scores[name]:.3f}" for name in ("macro_f1", "g_mean", "mcc")),
                f"{scores['fit_seconds']:.1f}",
            ]
        )
        mark = "*" if record["test_selected"] else ""
        table.add_row(escape(record["dataset"]), f"{escape(record['label'])}{mark}", *shown)
    return table


def refusal_lines(reasons: Mapping[str, str]) -> str:
    """Lines on data sets that are there but cannot be used, with the reason of each."""
    named = [f"  {name}: {reason}" for name, reason in reasons.items()]
    return "\n".join([f"Data sets refused ({len(reasons)}):", *named])


def leaderboard_table(board: pd.DataFrame) -> Table:
    """Leaderboard for the terminal."""
    n_datasets = int(board["n_datasets"].iloc[0])
    mark = " · * epoch chosen on the test part" if board["test_selected"].any() else ""
    table = Table(
        title=f"Mean ranks by macro F1 over {count(n_datasets, 'data set')} (1 is best){mark}",
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
            _number(row.mean_rank, 2),
            str(row.wins),
            _number(row.macro_f1, 3),
            _number(row.g_mean, 3),
            _number(row.mcc, 3),
            _number(row.fit_seconds, 1),
            str(row.n_failed),
        )
    return table


def _number(value: Any, decimals: int) -> str:
    return "n/a" if pd.isna(value) else f"{value:.{decimals}f}"


def missing_lines(statistics: Mapping[str, Any], asked: set[str]) -> list[str]:
    """Lines on what has no scores: cells, and data sets of those that were asked for.

    Each counts them all and names the first eight.
    """
    cells = [*statistics["failed"], *statistics["not_run"]]
    known = {*statistics["datasets"], *(cell.partition(".")[0] for cell in cells)}
    lists = {
        "Failed": statistics["failed"],
        "Data sets that do not count, because every model failed": (
            statistics["datasets_without_score"]
        ),
        "Not run": statistics["not_run"],
        "Data sets not available, see above": sorted(asked - known),
    }
    return [f"{title} ({len(names)}): {_named(names)}" for title, names in lists.items() if names]


def _named(names: Sequence[str], most: int = 8) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


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


def tuning_table(scores: pd.DataFrame, options: TuningOptions) -> Table:
    """Scores of tuned models beside those of the models as they were, for the terminal."""
    label = METRICS[options.metric].label
    selected = " · * epoch chosen on the test part" if scores["test_selected"].any() else ""
    table = Table(title=f"{label} of the test part, before and after{selected}", box=SIMPLE_HEAD)
    table.add_column("data set", overflow="fold")
    for name in ("split", "model", "best trial", "cross-validated", "test"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in scores.to_dict("records"):
        table.add_row(
            escape(str(row["dataset"])),
            str(row["split"]),
            f"{row['model']}{'*' if row['test_selected'] else ''}",
            f"{row['trial']} of {row['trials']}" if row["model"] == TUNED else "",
            _number(row[f"cv_{options.metric}"], 3),
            _number(row[options.metric], 3),
        )
    return table


def replay_table(designs: pd.DataFrame) -> Table:
    """Designs of a replay for the terminal, by mean rank."""
    table = Table(title="Designs of the replay, by mean rank in macro F1", box=SIMPLE_HEAD)
    table.add_column("design", overflow="fold")
    for name in ("log loss", "F1 argmax", "F1 tuned", "mean rank"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in designs.itertuples():
        scores = (row.log_loss, row.macro_f1_argmax, row.macro_f1_tuned)
        table.add_row(
            escape(str(row.design)), *(_number(s, 4) for s in scores), _number(row.mean_rank, 2)
        )
    return table


def scored_lines(report: Mapping[str, Any]) -> str:
    """Lines on a scored table: rows, rows by label, largest first, and where the predictions are.

    Only ten labels are named.
    """
    counts = sorted(report["rows_by_label"].items(), key=lambda item: -item[1])
    named = ", ".join(f"{label} {count:,}" for label, count in counts[:10])
    more = f" and {count(len(counts) - 10, 'more label')}" if len(counts) > 10 else ""
    rows = "row" if report["rows"] == 1 else "rows"
    return (
        f"Scored {report['rows']:,} {rows} of {report['table']} in {report['seconds']:.1f} s: "
        f"{named}{more}\nPredictions: {report['output']}"
    )


def fitted_lines(report: Mapping[str, Any]) -> str:
    """Lines on a fitted model: what it was fitted on, what its search chose, and where it is."""
    best = ", ".join(f"{name}={value}" for name, value in report["best_parameters"].items())
    return (
        f"Fitted {report['label']} on all {report['rows']:,} rows of {report['dataset']} in "
        f"{report['seconds']:.1f} s{f' with {best}' if best else ''}\nModel: {report['output']}"
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
            f"{statistics['control']} failed on all data sets, so no other model was compared "
            "with it."
        )
    judged = [row for row in rows if row["p_value"] is not None]
    lines = _judgement(statistics, judged) if judged else []
    if n_failed := len(rows) - len(judged):
        verb = "was" if n_failed == 1 else "were"
        lines.append(
            f"{count(n_failed, 'model')} failed on all data sets and {verb} not compared with "
            f"{statistics['control']}."
        )
    return "\n".join(lines)


def _judgement(statistics: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    control, alpha, rope = (statistics[name] for name in ("control", "alpha", "rope"))
    better = sum(row["differs"] and row["effect_size"] > 0 for row in rows)
    worse = sum(row["differs"] and row["effect_size"] < 0 for row in rows)
    n_datasets = max(row["n_compared"] for row in rows)
    others = count(len(rows), "other model")
    if smallest_p_holm(n_datasets, 1 + len(rows)) > alpha:
        # Nobody should read "better than 0" as a finding where no result could have been another.
        verb = "is" if n_datasets == 1 else "are"
        found = (
            f"{count(n_datasets, 'data set')} {verb} too few for a significant difference between "
            f"{control} and {others}"
        )
    else:
        found = (
            f"{control} is significantly better than {better} and worse than {worse} of {others}"
        )
    outcomes = ("prob_control_better", "prob_equivalent", "prob_model_better")
    n_better, n_equivalent, n_worse = (
        sum(row[outcome] > 1 - alpha for row in rows) for outcome in outcomes
    )
    undecided = len(rows) - n_better - n_equivalent - n_worse
    return [
        f"{found} (Wilcoxon-Holm, level {alpha:g}).",
        f"With probability above {1 - alpha:g} {control} is better than {n_better} of {others}, "
        f"practically equal to {n_equivalent} (macro F1 within {rope:g}) and worse than {n_worse}; "
        f"undecided: {undecided} (Bayesian signed-rank test).",
    ]
