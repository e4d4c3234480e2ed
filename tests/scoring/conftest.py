"""A training table, and files to be scored with what was fitted to it."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.scoring.table_file import open_table
from qcl_mixnet.scoring.training_columns import ColumnRules, TrainingColumns

GAP = np.nan


def training_table():
    return pd.DataFrame(
        {
            "size": [1, 2, 3, 4],
            "weight": [0.5, GAP, 1.5, 2.5],
            "colour": ["red", "blue", None, "NA"],
            "grade": pd.Categorical([1, 2, None, 2]),
            "alive": [True, False, True, True],
        }
    )


@pytest.fixture
def fitted():
    return TablePreprocessor().fit(training_table())


@pytest.fixture
def columns(fitted):
    return TrainingColumns.of(fitted)


@pytest.fixture
def write(tmp_path):
    """Write a table as either kind of file, or text as CSV."""

    def write(table, suffix=".csv"):
        path = tmp_path / f"table{suffix}"
        if isinstance(table, bytes):
            path.write_bytes(table)
        elif isinstance(table, str):
            path.write_text(table)
        elif isinstance(table, pa.Table):
            pq.write_table(table, path)
        else:
            table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
        return path

    return write


def read(path, columns, n_rows=1000, **rules):
    return list(open_table(path, columns, ColumnRules(**rules)).chunks(n_rows))


def refusal(path, columns, **rules):
    with pytest.raises(DataError) as caught:
        read(path, columns, 2, **rules)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message
