"""A trial in MLflow: its run's name, scores of every model, its files, and the model itself."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qcl_mixnet.keeping.loading import load_fitted
from qcl_mixnet.project.tracking import RunBinding
from qcl_mixnet.project.tracking_addresses import public_address, reason
from qcl_mixnet.trial.folder import BOARD_FILE, READINGS_FILE

logger = logging.getLogger(__name__)

_SCORES = ("macro_f1", "average_precision", "log_loss", "fit_seconds")


def try_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """Scores of every model that has them, and what is luck.

    Parameters
    ----------
    report : mapping
        `try_report`.
    """
    metrics = {
        f"{score}/{row['model']}": float(row[score])
        for row in report["leaderboard"]
        for score in _SCORES
        if row[score] is not None
    }
    luck = report["verdict"]["luck"]
    return metrics | ({} if luck is None else {"luck": float(luck)})


def trial_files(report: Mapping[str, Any]) -> list[Path]:
    """Files of the trial that are attached to the run."""
    return [Path(report["folder"]) / name for name in (BOARD_FILE, READINGS_FILE)]


def log_tried(binding: RunBinding, report: Mapping[str, Any]) -> None:
    """Name the run, and add the model that was saved.

    A tracking server that fails costs the view: the model is in its folder all the same.

    Parameters
    ----------
    binding : RunBinding
        The run.
    report : mapping
        `try_report`.
    """
    if not binding.tracked:
        return
    import mlflow

    from qcl_mixnet.mlflow_model import log_model

    try:
        client = mlflow.MlflowClient(tracking_uri=binding.tracking_uri)
        client.update_run(binding.run_id, name=f"try {Path(report['folder']).name}")
        if report["model"] is not None:
            # The run is the one that is open: the binding was made from it.
            log_model(load_fitted(report["model"], "cpu"), name="model")
    except Exception as error:  # a server that answers with nonsense confuses MLflow at will
        logger.warning(
            "The trial is in %s but not in MLflow at %s (%s).",
            report["folder"], public_address(binding.tracking_uri),
            reason(error, binding.tracking_uri),
        )  # fmt: skip
