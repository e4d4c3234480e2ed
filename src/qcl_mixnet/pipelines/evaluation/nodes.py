"""Nodes of the evaluation pipeline."""

from typing import Any

import pandas as pd

from qcl_mixnet.baselines.specs import ModelSpec
from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.gathering import gather_metrics, gather_per_class
from qcl_mixnet.evaluation.protocol import EvaluationProtocol


def evaluate_dataset(
    schema: dict[str, Any],
    protocol: EvaluationProtocol,
    models: dict[str, Any],
    **results: CellResult | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Gather the metrics of a data set's cells: per model and repeat, and per class."""
    dataset = schema["provenance"]["dataset"]
    specs = {name: ModelSpec.model_validate(models[name]) for name in results}
    return (
        gather_metrics(dataset, results, specs, protocol, schema["fingerprint"]),
        gather_per_class(dataset, results, schema["class_names"]),
    )
