"""From the cells of a data set to tables of metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.keys import cell_key
from qcl_mixnet.evaluation.metrics import METRICS, per_class_scores
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec

# Besides the scores: what a run costs.
TIMINGS = ("fit_seconds", "predict_seconds")


def current_results(
    results: Mapping[str, CellResult | None],
    specs: Mapping[str, ModelSpec],
    protocol: EvaluationProtocol,
    fingerprint: str,
) -> dict[str, CellResult | None]:
    """Put None for results made under another specification, protocol, table or code.

    Parameters
    ----------
    results : mapping of str to CellResult or None
        Results by model; None where a cell was never run.
    specs, protocol, fingerprint
        The models' specifications, the protocol and the data's fingerprint now.
    """
    return {
        model: result
        if result is not None
        and result.record["key"] == cell_key(fingerprint, specs[model], protocol)
        else None
        for model, result in results.items()
    }


def gather_metrics(
    dataset: str,
    results: Mapping[str, CellResult | None],
    specs: Mapping[str, ModelSpec],
    protocol: EvaluationProtocol,
    fingerprint: str,
) -> pd.DataFrame:
    """Collect the metrics of a data set's cells, one row per model and repeat.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    results : mapping of str to CellResult or None
        Results by model; None where a cell was never run.
    specs : mapping of str to ModelSpec
        The models' specifications now.
    protocol : EvaluationProtocol
        The protocol now.
    fingerprint : str
        The data's fingerprint now.

    Returns
    -------
    DataFrame
        `dataset`, `model`, `label`, `family`, `checkpoint`, `test_selected`,
        `repeat`, `status` ("ok", "failed" or "not run"), `error` and one column per metric
        and timing. A result made under another specification, protocol, table or code counts as
        not run: results of different protocols never meet in one table.
    """
    rows: list[dict[str, Any]] = []
    for model, result in current_results(results, specs, protocol, fingerprint).items():
        spec = specs[model]
        identity = {
            "dataset": dataset,
            "model": model,
            "label": spec.label,
            "family": spec.family,
            "checkpoint": protocol.checkpoint,
        }
        if result is None:
            rows.append({**identity, "repeat": 0, "status": "not run"})
        elif result.failed:
            error = result.record["error"]
            rows += [
                {**identity, "repeat": i, "status": "failed", "error": error}
                for i in range(protocol.repeats)
            ]
        else:
            rows += [
                {
                    **identity,
                    "repeat": repeat["repeat"],
                    "status": "ok",
                    "test_selected": repeat["test_selected"],
                    **repeat["metrics"],
                }
                for repeat in result.record["repeats"]
            ]
    columns = [
        "dataset", "model", "label", "family", "checkpoint", "test_selected", "repeat", "status",
        "error", *METRICS, *TIMINGS,
    ]  # fmt: skip
    frame = pd.DataFrame(rows).reindex(columns=columns)
    frame["test_selected"] = frame["test_selected"].eq(True)
    frame["error"] = frame["error"].astype("str")
    return frame.astype(dict.fromkeys((*METRICS, *TIMINGS), np.float64))


def gather_per_class(
    dataset: str, results: Mapping[str, CellResult | None], class_names: list[str]
) -> pd.DataFrame:
    """Precision, recall, F1 and average precision of every class, over all repeats' test rows.

    Parameters
    ----------
    dataset : str
    results : mapping of str to CellResult or None
        Results by model, those of `current_results`; those not run or failed have no rows.
    class_names : list of str
        Names of the classes 0 to `n_classes - 1`.

    Returns
    -------
    DataFrame
        `dataset`, `model`, `test_selected`, `repeat` and the columns of
        `per_class_scores`.
    """
    frames = []
    for model, result in results.items():
        if result is None or result.failed:
            continue
        probabilities = [f"proba_{i}" for i in range(len(class_names))]
        for repeat, rows in result.predictions.groupby("repeat"):
            scores = per_class_scores(
                rows["y_true"].to_numpy(),
                rows["y_pred"].to_numpy(),
                rows[probabilities].to_numpy(),
                class_names,
            )
            scores.insert(0, "repeat", repeat)
            scores.insert(0, "test_selected", result.record["test_selected"])
            scores.insert(0, "model", model)
            scores.insert(0, "dataset", dataset)
            frames.append(scores)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def without_ablations(metrics: pd.DataFrame) -> pd.DataFrame:
    """Leave out the ablations, which are variants of one model and no competitors in ranks.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for one or more data sets.

    Returns
    -------
    DataFrame
        All rows where nothing but proposed models and ablations was run: there the ablations are
        what is compared.
    """
    families = metrics.loc[metrics["status"].ne("not run"), "family"]
    if set(families) <= {"proposed", "ablation"}:
        return metrics
    return metrics[metrics["family"].ne("ablation")]


def score_table(metrics: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean over the repeats as a table of data sets by models, for ranks and tests.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for one or more data sets.
    metric : str
        One of its metric columns.

    Returns
    -------
    DataFrame of shape (n_datasets, n_models)
        NaN where a cell failed. Ranks need complete tables: a data set on which nothing was run is
        left out, then a model that was not run on all of the others. One on which all that was run
        failed has a row, but keeps no model out: it does not count in ranks (see `ties`).
    """
    was_run = metrics["status"].ne("not run")
    rows = metrics[metrics["dataset"].isin(metrics["dataset"][was_run])]
    with_results = rows["dataset"].isin(rows["dataset"][rows["status"].eq("ok")])
    counted = rows[with_results] if with_results.any() else rows
    rows = rows[~rows["model"].isin(counted["model"][counted["status"].eq("not run")])]
    table = rows.groupby(["dataset", "model"], sort=False)[metric].mean().unstack()
    return table.reindex(columns=rows["model"].unique())
