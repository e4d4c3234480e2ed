"""A file of rows into a file of predictions, a chunk at a time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.estimators.predictions import LABEL, Predictor, prediction_table
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.preprocessing.tables import quoted
from qcl_mixnet.scoring.table_file import PARQUET_SUFFIXES, Chunk, TableFile, open_table
from qcl_mixnet.scoring.table_writer import TableWriter
from qcl_mixnet.scoring.training_columns import ColumnRules, TrainingColumns
from qcl_mixnet.writing import write_atomically

logger = logging.getLogger(__name__)


class SavedModel(Predictor, Protocol):
    """What scoring needs of a fitted model."""

    preprocessor_: TablePreprocessor


class Progress(Protocol):
    """Who wants to know how far the reading is."""

    def reach(self, done: int) -> None:
        """Take note of how much of the file has been read."""


# Gets the size of a file and what it is counted in.
MakeProgress = Callable[[int, Literal["rows", "bytes"]], AbstractContextManager[Progress]]


def open_for(model: SavedModel, source: Path, rules: ColumnRules) -> TableFile:
    """Open a table that a model can score; a warning names the columns that it ignores.

    Parameters
    ----------
    model : SavedModel
    source : Path
        A CSV or Parquet file.
    rules : ColumnRules

    Returns
    -------
    TableFile

    Raises
    ------
    DataError
        When the table cannot be read, or is not what the model was trained on.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from qcl_mixnet import QCLMixNetClassifier
    >>> from qcl_mixnet.scoring.score_file import open_for
    >>> from qcl_mixnet.scoring.training_columns import ColumnRules
    >>> X = pd.DataFrame({"size": [1.0, 2.0, 8.0, 9.0], "age": [3, 4, 3, 5]})
    >>> model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, [0, 0, 1, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "new.csv")
    ...     X[["age", "size"]].assign(id=list("abcd")).to_csv(path, index=False)
    ...     table = open_for(model, path, ColumnRules(ids=("id",)))
    ...     [(list(chunk.features), len(chunk.ids)) for chunk in table.chunks(3)]
    [(['size', 'age'], 3), (['size', 'age'], 1)]
    """
    table = open_table(source, TrainingColumns.of(model.preprocessor_), rules)
    if table.ignored:
        logger.warning(
            "%s has columns that the model was not trained on; they are ignored: %s.",
            source, quoted(table.ignored),
        )  # fmt: skip
    return table


def score_file(
    model: SavedModel,
    table: TableFile,
    output: Path,
    *,
    chunk_rows: int,
    progress: MakeProgress,
) -> Counter[str]:
    """Write a model's predictions for a table, and count their labels.

    Parameters
    ----------
    model : SavedModel
    table : TableFile
        As `open_for` gives it.
    output : Path
        The file of predictions: Parquet if its suffix says so, else CSV. It appears complete or
        not at all.
    chunk_rows : int
        Rows that are in memory at a time.
    progress : callable
        Gets the size of the table and its unit; gives a context manager of a `Progress`.

    Returns
    -------
    Counter
        Rows by label.

    Raises
    ------
    DataError
        When a value of the table cannot be used. Nothing is written then.
    OSError
        When the output cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from contextlib import contextmanager
    >>> from pathlib import Path
    >>> from types import SimpleNamespace
    >>> import pandas as pd
    >>> from qcl_mixnet import QCLMixNetClassifier
    >>> from qcl_mixnet.scoring.score_file import open_for, score_file
    >>> from qcl_mixnet.scoring.training_columns import ColumnRules
    >>> @contextmanager
    ... def told(size, unit):
    ...     yield SimpleNamespace(reach=lambda done: print(f"{done} of {size} {unit}"))
    >>> X = pd.DataFrame({"size": [1.0, 2.0, 8.0, 9.0], "age": [3, 4, 3, 5]})
    >>> model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, [0, 0, 1, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     X.assign(id=list("abcd")).to_parquet(Path(folder, "new.parquet"))
    ...     table = open_for(model, Path(folder, "new.parquet"), ColumnRules(ids=("id",)))
    ...     output = Path(folder, "scored.csv")
    ...     counts = score_file(model, table, output, chunk_rows=3, progress=told)
    ...     list(pd.read_csv(output)), counts.total()
    3 of 4 rows
    4 of 4 rows
    (['id', 'label', 'proba_0', 'proba_1'], 4)
    """
    counts: Counter[str] = Counter()
    parquet = output.suffix.lower() in PARQUET_SUFFIXES

    def fill(path: Path) -> None:
        with (
            TableWriter(path, parquet=parquet) as out,
            progress(table.size, table.unit) as reached,
        ):
            for chunk in table.chunks(chunk_rows):
                predicted = _predict(model, chunk, table.path, counts.total())
                counts.update(predicted[LABEL].astype(str))
                out.append(predicted)
                reached.reach(chunk.done)

    write_atomically(output, fill)
    return counts


def _predict(model: SavedModel, chunk: Chunk, path: Path, first_row: int) -> pd.DataFrame:
    """Ids and predictions of a chunk."""
    try:
        predicted = prediction_table(model, chunk.features)
    except ValueError as error:  # such as infinite numbers
        last = first_row + len(chunk.features) - 1
        raise DataError(f"{path}, rows {first_row} to {last} (from 0): {error}") from error
    if not len(chunk.ids.columns):
        return predicted
    return pd.concat([chunk.ids.reset_index(drop=True), predicted], axis=1)
