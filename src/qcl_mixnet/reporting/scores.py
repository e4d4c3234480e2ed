"""What the figures show: the headline score of every cell, and notes on cells without one."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.reporting.order import model_order
from qcl_mixnet.reporting.rendering import starred
from qcl_mixnet.statistics.comparison import HEADLINE

TASKS = {"binary": "binary", "multiclass": "multi-class"}
TEST_SELECTED = "* epochs chosen on the test part"
BASELINES = ("ml", "dl", "gnn", "peer")


def cell_scores(metrics: pd.DataFrame) -> pd.DataFrame:
    """Mean headline score over the repeats of every cell.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.

    Returns
    -------
    DataFrame with a row per cell
        `dataset`, `model`, `label`, `family`, `status`, `test_selected` and `score`
        (NaN where it failed or was not run). Models are in the order of `model_order`.
    """
    cells = metrics.groupby(["dataset", "model"], sort=False, as_index=False).agg(
        label=("label", "first"),
        family=("family", "first"),
        status=("status", "first"),
        test_selected=("test_selected", "any"),
        score=(HEADLINE, "mean"),
    )
    place = {model: i for i, model in enumerate(model_order(metrics))}
    return cells.sort_values("model", key=lambda model: model.map(place), kind="stable")


def shown_models(cells: pd.DataFrame) -> pd.DataFrame:
    """One row per model, for the rows of a figure.

    Parameters
    ----------
    cells : DataFrame
        Rows of `cell_scores` that the figure is about.

    Returns
    -------
    DataFrame of shape (n_models, 4)
        `model`, `family`, `test_selected` (of any of its cells) and `label`, with a star
        where that is so. In the order of `cells`.
    """
    models = cells.groupby("model", sort=False, as_index=False).agg(
        family=("family", "first"), test_selected=("test_selected", "any"), label=("label", "first")
    )
    labels = zip(models["label"], models["test_selected"], strict=True)
    return models.assign(label=[starred(*row) for row in labels])


def described(frame: pd.DataFrame, descriptions: pd.DataFrame) -> pd.DataFrame:
    """Rows of `descriptions`, in their order, for the data sets of `frame`.

    Raises
    ------
    EvaluationError
        If a data set of `frame` has no description.
    """
    unknown = frame.loc[~frame["dataset"].isin(descriptions["dataset"]), "dataset"]
    if len(unknown):
        raise EvaluationError(
            f"Data set {unknown.iloc[0]!r} has results and no row in the descriptions; "
            "describe_dataset makes one for each data set, as the evaluation pipeline does."
        )
    return descriptions[descriptions["dataset"].isin(frame["dataset"])]


def datasets_by_task(cells: pd.DataFrame, descriptions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split the descriptions of the data sets that have cells by task.

    Returns
    -------
    dict of str to DataFrame
        Task's name for people to rows of `descriptions`, in their order; no empty ones.
    """
    present = described(cells, descriptions)
    split = {name: present[present["task"] == task] for task, name in TASKS.items()}
    return {name: rows for name, rows in split.items() if len(rows)}


def star_notes(test_selected: Iterable[bool]) -> list[str]:
    """Explain the stars of a figure, if what it shows has any."""
    return [TEST_SELECTED] if any(test_selected) else []


def cell_notes(cells: pd.DataFrame, failed: str = "left out") -> list[str]:
    """Say what the figure's numbers leave out.

    Parameters
    ----------
    cells : DataFrame
        Rows of `cell_scores` that the figure is about.
    failed : str, default="left out"
        What the figure does with failed cells.
    """
    notes = []
    n_failed = int(cells["status"].eq("failed").sum())
    if n_failed:
        notes.append(f"{count(n_failed, 'failed cell')} {failed}")
    n_missing = int(cells["status"].eq("not run").sum())
    if n_missing:
        notes.append(f"{count(n_missing, 'cell')} not run")
    return notes


def task_notes(tasks: dict[str, pd.DataFrame]) -> list[str]:
    """Say which panel is not there."""
    return [f"no {name} data set" for name in TASKS.values() if name not in tasks]


def proposed_model(cells: pd.DataFrame) -> str | None:
    """Name of the first proposed model; None without one."""
    proposed = cells.loc[cells["family"] == "proposed", "model"]
    return None if proposed.empty else proposed.iloc[0]
