"""A fitted model in MLflow: its run's name, and the model itself."""

import logging
from collections.abc import Mapping
from typing import Any

from qcl_mixnet.keeping.loading import load_fitted
from qcl_mixnet.project.tracking import RunBinding
from qcl_mixnet.project.tracking_addresses import public_address, reason

logger = logging.getLogger(__name__)


def fit_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """Rows and seconds of a fit."""
    return {"rows": float(report["rows"]), "fit_seconds": float(report["seconds"])}


def log_fitted(binding: RunBinding, report: Mapping[str, Any]) -> None:
    """Name the run, and add the model, with signature and input example.

    A tracking server that fails costs the view: the model is in its folder all the same.

    Parameters
    ----------
    binding : RunBinding
        The run.
    report : mapping
        `fit_report`.
    """
    if not binding.tracked:
        return
    import mlflow

    from qcl_mixnet.mlflow_model import log_model

    model = load_fitted(report["output"], "cpu")
    name = f"{report['model']} on {report['dataset']}"
    try:
        client = mlflow.MlflowClient(tracking_uri=binding.tracking_uri)
        client.update_run(binding.run_id, name=name)
        # The run is the one that is open: the binding was made from it.
        log_model(model, name="model", tags={"dataset": str(report["dataset"])})
    except Exception as error:  # a server that answers with nonsense confuses MLflow at will
        logger.warning(
            "The model is in %s but not in MLflow at %s (%s).",
            report["output"], public_address(binding.tracking_uri),
            reason(error, binding.tracking_uri),
        )  # fmt: skip
