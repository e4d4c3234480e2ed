"""Nodes of the preprocessing pipeline."""

from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.preparation import prepare_dataset
from qcl_mixnet.evaluation.protocol import EvaluationProtocol


def prepare(
    table: pd.DataFrame, protocol: EvaluationProtocol
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Check a table, encode its labels and draw its splits.

    Returns a table with ``label`` and one ``part_<seed>`` column per repeat, and the schema.
    Scaling and imputation belong to the models, which fit them on training rows.
    """
    # A mapping where the node runs as another pipeline's prerequisite: Kedro types the parameters
    # of the pipelines that a command names.
    prepared = prepare_dataset(table, EvaluationProtocol.model_validate(protocol))
    return prepared.splits, prepared.schema
