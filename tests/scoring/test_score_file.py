"""The loop over the chunks of a table, with a model and a reporter that are not the project's."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.scoring.score_file import open_for, score_file
from qcl_mixnet.scoring.training_columns import ColumnRules

TABLE = pd.DataFrame({"key": list("abcde"), "size": [1.0, -2.0, 3.0, -4.0, -5.0]})


def predict_proba(features):
    if np.isinf(features["size"]).any():
        raise ValueError("infinite")
    positive = (features["size"] > 0).to_numpy(float)
    return np.column_stack([1 - positive, positive])


@pytest.fixture
def model():
    """Any object that has what the protocol asks for."""
    return SimpleNamespace(
        classes_=np.array(["low", "high"]),
        decision_rule_=DecisionRule.plain(2),
        predict_proba=predict_proba,
        preprocessor_=TablePreprocessor().fit(TABLE[["size"]]),
    )


class Reached(list):
    """Notes how far the reading was."""

    def reach(self, done):
        self.append(done)

    @contextmanager
    def __call__(self, size, unit):
        self.append((size, unit))
        yield self
        self.append("end")


def write(folder, table=TABLE):
    table.to_parquet(folder / "new.parquet")
    return folder / "new.parquet"


def test_score_file__chunks__are_reported_and_labels_counted(model, tmp_path):
    table = open_for(model, write(tmp_path), ColumnRules(ids=("key",)))
    reached = Reached()
    counts = score_file(model, table, tmp_path / "out.csv", chunk_rows=2, progress=reached)
    assert reached == [(5, "rows"), 2, 4, 5, "end"]
    assert counts == {"high": 2, "low": 3}
    scored = pd.read_csv(tmp_path / "out.csv")
    assert scored["key"].tolist() == list("abcde")
    assert scored["label"].tolist() == ["high", "low", "high", "low", "low"]


def test_score_file__model_refuses_a_chunk__names_its_rows_and_writes_nothing(model, tmp_path):
    source = write(tmp_path, TABLE.replace({"size": {-4.0: np.inf}}))
    table = open_for(model, source, ColumnRules(ids=("key",)))
    with pytest.raises(DataError, match=r"rows 2 to 3 \(from 0\): infinite"):
        score_file(model, table, tmp_path / "out.csv", chunk_rows=2, progress=Reached())
    assert [path.name for path in tmp_path.iterdir()] == ["new.parquet"]


def test_open_for__columns_of_no_use__are_named(model, tmp_path, caplog):
    assert open_for(model, write(tmp_path), ColumnRules()).ignored == ["key"]
    assert "they are ignored: 'key'" in caplog.text
