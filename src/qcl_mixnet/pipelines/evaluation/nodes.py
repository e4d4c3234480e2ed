"""Nodes of the evaluation pipeline."""

from typing import Any

import pandas as pd

from qcl_mixnet.baselines.specs import ModelSpec
from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.gathering import current_results, gather_metrics, gather_per_class
from qcl_mixnet.evaluation.protocol import EvaluationProtocol


def evaluate_dataset(
    schema: dict[str, Any],
    protocol: EvaluationProtocol,
    models: dict[str, Any],
    **results: CellResult | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Gather the metrics of a data set's cells: per model and repeat, and per class."""
    dataset = schema["provenance"]["dataset"]
    # A mapping where the node runs as another pipeline's prerequisite, as in preprocessing.
    protocol = EvaluationProtocol.model_validate(protocol)
    specs = {name: ModelSpec.model_validate(models[name]) for name in results}
    current = current_results(results, specs, protocol, schema["fingerprint"])
    return (
        gather_metrics(dataset, current, specs, protocol, schema["fingerprint"]),
        gather_per_class(dataset, current, schema["class_names"]),
    )
