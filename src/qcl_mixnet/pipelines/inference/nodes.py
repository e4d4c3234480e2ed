"""Nodes of the inference pipeline."""

import time
from collections.abc import Mapping
from typing import Any

from qcl_mixnet.project.inference import (
    check_id_names,
    decide,
    inference_paths,
    load_model,
    output_errors,
)
from qcl_mixnet.project.parameters import InferenceOptions
from qcl_mixnet.project.progress import ReadingProgress
from qcl_mixnet.scoring.score_file import open_for, score_file
from qcl_mixnet.scoring.training_columns import ColumnRules


def score_table(options: Mapping[str, Any]) -> dict[str, Any]:
    """Write the predictions of a saved model for a table, and report how many there are.

    Parameters
    ----------
    options : mapping
        See `InferenceOptions`.

    Returns
    -------
    dict
        `model`, `table`, `output` (paths), `rows`, `rows_by_label`,
        `ignored_columns`, `seconds`.

    Raises
    ------
    ConfigurationError
        When a path is not given or cannot be used.
    DataError
        When the table is not what the model was trained on. Nothing is written then.
    """
    checked = InferenceOptions.model_validate(options)
    paths = inference_paths(checked)
    started = time.monotonic()
    model = load_model(paths.model, checked.device)
    if checked.decision is not None:
        decide(model, checked.decision)
    check_id_names(checked.id_columns, model)
    rules = ColumnRules(tuple(checked.id_columns), checked.column_order, checked.extra_columns)
    table = open_for(model, paths.table, rules)
    with output_errors(paths.output):
        counts = score_file(
            model, table, paths.output, chunk_rows=checked.chunk_rows, progress=ReadingProgress
        )
    return {
        "model": str(paths.model),
        "table": str(paths.table),
        "output": str(paths.output),
        "rows": counts.total(),
        "rows_by_label": {str(label): counts[str(label)] for label in model.classes_},
        "ignored_columns": table.ignored,
        "seconds": round(time.monotonic() - started, 3),
    }
