"""Nodes of the training pipeline."""

from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.cells import CellResult, run_cell
from qcl_mixnet.evaluation.preparation import cell_data
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.project.resources import Resources


def train_cell(
    table: pd.DataFrame,
    splits: pd.DataFrame,
    schema: dict[str, Any],
    spec: ModelSpec,
    protocol: EvaluationProtocol,
    resources: Resources,
) -> CellResult:
    """Fit and score one model on every split of one data set."""
    return run_cell(cell_data(table, splits, schema), spec, protocol, n_jobs=resources.n_jobs)
