"""Results that are kept for good: rows of many runs in two small tables, and what they show."""

from __future__ import annotations

from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.gathering import TIMINGS
from qcl_mixnet.evaluation.keys import digest
from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.evaluation.protocol import EvaluationProtocol

# What cells that were made alike share, beside the protocol and the versions of the libraries.
MADE_WITH = ("environment", "git_commit", "machine", "devices")
CELL = ["dataset", "model"]
# Enough to rank by and to print, and the same text on every machine.
DIGITS = 8
# What is the same in all rows of a model.
_IDENTITY = ["label", "family", "checkpoint"]


def collect_cells(
    metrics: pd.DataFrame, provenance: pd.DataFrame, protocol: EvaluationProtocol
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join the scores of a run's cells with where they come from.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    provenance : DataFrame
        Rows of `gather_provenance` for all data sets.
    protocol : EvaluationProtocol
        Of all of them.

    Returns
    -------
    cells : DataFrame
        A row for each data set, model and split that was run: its identity, status, error, scores
        and seconds, rounded to 8 significant digits; `finished_at`; and `source`.
    sources : DataFrame
        A row for each `source`: environment, commit, machine, devices, the protocol and the
        versions of the libraries.

    Raises
    ------
    EvaluationError
        When no cell was run.
    """
    if provenance.empty:
        raise EvaluationError(
            "No cell of this grid has a result, so there is nothing to publish; run the pipeline "
            "'full' with the same parameters first."
        )
    versions = [name for name in provenance.columns if name.startswith("version_")]
    made = provenance[[*MADE_WITH, *versions]].astype("str")
    made = made.assign(**{k: str(v) for k, v in protocol.model_dump(mode="json").items()})
    identified = provenance[[*CELL, "finished_at"]].assign(
        source=[digest(row)[:8] for row in made.to_dict("records")]
    )
    made.insert(0, "source", identified["source"])
    columns = [
        *CELL, *_IDENTITY, "test_selected", "repeat", "status", "error", *METRICS, *TIMINGS,
    ]  # fmt: skip
    run = metrics.loc[metrics["status"].ne("not run"), columns]
    cells = run.merge(identified, on=CELL, how="left", validate="many_to_one")
    numbers = [*METRICS, *TIMINGS]
    cells[numbers] = cells[numbers].map(lambda value: float(f"{value:.{DIGITS}g}"))
    sources = made.drop_duplicates("source").sort_values("source", ignore_index=True)
    return cells, sources


def complete(cells: pd.DataFrame) -> pd.DataFrame:
    """Say of each data set and model without a row that it was not run.

    Parameters
    ----------
    cells : DataFrame
        Of `collect_cells`, joined from any number of runs.

    Returns
    -------
    DataFrame
        Rows as `compare_models` and `leaderboard` take them: a model that lacks a data set has no
        rank, and is named.
    """
    datasets, models = cells["dataset"].unique(), cells.groupby("model", sort=False)[_IDENTITY]
    every = pd.MultiIndex.from_product([datasets, cells["model"].unique()], names=CELL)
    absent = every.difference(pd.MultiIndex.from_frame(cells[CELL]), sort=False)
    rows = absent.to_frame(index=False).merge(models.first().reset_index(), on="model")
    # "nan" is how the tables of runs write that there was no error.
    rows = rows.assign(repeat=0, status="not run", test_selected=False, error="nan")
    joined = pd.concat([cells, rows], ignore_index=True) if len(rows) else cells
    return joined.astype({"repeat": int, "test_selected": bool, "error": "str"})


def summarize_cells(cells: pd.DataFrame, sources: pd.DataFrame) -> dict[str, Any]:
    """Count what is in the tables.

    Parameters
    ----------
    cells, sources : DataFrame
        Of `collect_cells`, joined from any number of runs.

    Returns
    -------
    dict
        Ready for JSON: `datasets`, `models`, `cells`, `failed` (cells), `splits` of a cell at
        most, `hours` of fitting and predicting on all of them together, `finished` (the first and
        the last time), and `commits`.
    """
    by_cell = cells.drop_duplicates(CELL)
    used = sources[sources["source"].isin(cells["source"])]
    return {
        "datasets": int(cells["dataset"].nunique()),
        "models": int(cells["model"].nunique()),
        "cells": len(by_cell),
        "failed": int(by_cell["status"].eq("failed").sum()),
        "splits": int(cells.groupby(CELL)["repeat"].nunique().max()),
        "hours": round(float(cells[list(TIMINGS)].sum().sum()) / 3600, 3),
        "finished": [str(by_cell["finished_at"].min()), str(by_cell["finished_at"].max())],
        "commits": sorted(used["git_commit"].unique()),
    }
