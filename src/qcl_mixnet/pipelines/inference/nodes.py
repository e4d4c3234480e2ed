"""Nodes of the inference pipeline."""

import logging
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.estimators.classifier import QCLMixNetClassifier
from qcl_mixnet.estimators.predictions import LABEL, prediction_table, probability_columns
from qcl_mixnet.preprocessing.tables import quoted
from qcl_mixnet.project.configuration import expanded
from qcl_mixnet.project.parameters import ConfigurationError, InferenceOptions
from qcl_mixnet.project.progress import ReadingProgress
from qcl_mixnet.scoring.table_file import (
    CSV_SUFFIXES,
    PARQUET_SUFFIXES,
    Chunk,
    TableFile,
    errors_as,
    open_table,
)
from qcl_mixnet.scoring.table_writer import TableWriter
from qcl_mixnet.scoring.training_columns import ColumnRules, TrainingColumns
from qcl_mixnet.writing import write_atomically

logger = logging.getLogger(__name__)


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
    folder, source, output = _paths(checked)
    started = time.monotonic()
    model = _load(folder, checked.device)
    rules = ColumnRules(tuple(checked.id_columns), checked.column_order, checked.extra_columns)
    _check_id_names(checked.id_columns, model)
    table = open_table(source, TrainingColumns.of(model.preprocessor_), rules)
    if table.ignored:
        logger.warning(
            "%s has columns that the model was not trained on; they are ignored: %s.",
            source, quoted(table.ignored),
        )  # fmt: skip
    counts: Counter[str] = Counter()
    with errors_as(
        ConfigurationError,
        f"The predictions cannot be written to {output}",
        "free it, or choose another with --params=inference.output=/a/path",
        (OSError,),
    ):
        write_atomically(
            output, lambda part: _fill(part, output.suffix, table, model, checked, counts)
        )
    return {
        "model": str(folder),
        "table": str(source),
        "output": str(output),
        "rows": counts.total(),
        "rows_by_label": {str(label): counts[str(label)] for label in model.classes_},
        "ignored_columns": table.ignored,
        "seconds": round(time.monotonic() - started, 3),
    }


def _paths(options: InferenceOptions) -> tuple[Path, Path, Path]:
    """Check the paths of model, table and output before anything is loaded."""
    paths = {}
    for name in ("model", "table", "output"):
        value = getattr(options, name)
        if value is None:
            raise ConfigurationError(
                f"Parameter 'inference.{name}' is not given; say which {name} with "
                f"--params=inference.{name}=/a/path."
            )
        paths[name] = Path(expanded(value))
    for name in ("table", "output"):
        if paths[name].suffix.lower() not in CSV_SUFFIXES | PARQUET_SUFFIXES:
            known = ", ".join(sorted(CSV_SUFFIXES | PARQUET_SUFFIXES))
            raise ConfigurationError(
                f"inference.{name} is {paths[name]}, whose suffix is none of {known}; name a CSV "
                f"or Parquet file."
            )
    model, table, output = paths.values()
    if not model.is_dir():
        raise ConfigurationError(
            f"inference.model is {model}, and there is no such folder; name the one that "
            f"QCLMixNetClassifier.save wrote."
        )
    if not table.is_file():
        raise ConfigurationError(f"inference.table is {table}, and there is no such file.")
    if output.resolve() == table.resolve() or output.is_dir():
        raise ConfigurationError(
            f"inference.output is {output}, which is the table itself or a folder; name another "
            f"file."
        )
    return model, table, output


def _load(folder: Path, device: str) -> QCLMixNetClassifier:
    try:
        return QCLMixNetClassifier.load(folder, device=device)
    except (ValueError, OSError) as error:
        raise ConfigurationError(
            f"The model in {folder} cannot be loaded ({error}); correct inference.model or "
            f"inference.device."
        ) from error


def _check_id_names(names: list[str], model: QCLMixNetClassifier) -> None:
    """Refuse ids that could not be told from predictions."""
    if taken := sorted({LABEL, *probability_columns(model)}.intersection(names)):
        raise ConfigurationError(
            f"inference.id_columns holds {quoted(taken)}, which is the name of a column of "
            f"predictions; rename it in the table."
        )


def _fill(
    path: Path,
    suffix: str,
    table: TableFile,
    model: QCLMixNetClassifier,
    options: InferenceOptions,
    counts: Counter[str],
) -> None:
    """Write the predictions of all chunks and count their labels."""
    parquet = suffix.lower() in PARQUET_SUFFIXES
    with TableWriter(path, parquet=parquet) as out, ReadingProgress(table.size, table.unit) as bar:
        for chunk in table.chunks(options.chunk_rows):
            predicted = _predict(model, chunk, table.path, counts.total())
            counts.update(predicted[LABEL].astype(str))
            out.append(predicted)
            bar.reach(chunk.done)


def _predict(model: QCLMixNetClassifier, chunk: Chunk, path: Path, first_row: int) -> pd.DataFrame:
    """Ids and predictions of a chunk."""
    try:
        predicted = prediction_table(model, chunk.features)
    except ValueError as error:  # such as infinite numbers
        last = first_row + len(chunk.features) - 1
        raise DataError(f"{path}, rows {first_row} to {last} (from 0): {error}") from error
    if not len(chunk.ids.columns):
        return predicted
    return pd.concat([chunk.ids.reset_index(drop=True), predicted], axis=1)
