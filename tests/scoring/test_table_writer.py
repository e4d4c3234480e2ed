import pandas as pd
import pyarrow.parquet as pq
import pytest

from qcl_mixnet.scoring.table_writer import TableWriter


@pytest.mark.parametrize("parquet", [False, True])
def test_append__tables__stand_below_one_another(tmp_path, parquet):
    path = tmp_path / "table"
    parts = [
        pd.DataFrame({"label": ["é", 'a "b", c'], "p": [0.1, 1 / 3]}, index=[7, 8]),
        pd.DataFrame({"label": ["x"], "p": [1.0]}),
    ]
    with TableWriter(path, parquet=parquet) as writer:
        for part in parts:
            writer.append(part)
    found = pd.read_parquet(path) if parquet else pd.read_csv(path)
    pd.testing.assert_frame_equal(found, pd.concat(parts, ignore_index=True))


def test_append__column_of_gaps_later__keeps_the_first_type(tmp_path):
    path = tmp_path / "table"
    with TableWriter(path, parquet=True) as writer:
        writer.append(pd.DataFrame({"key": pd.array([1, 2], dtype="int64[pyarrow]")}))
        writer.append(pd.DataFrame({"key": pd.array([None, 3], dtype="int64[pyarrow]")}))
    assert pq.read_table(path)["key"].to_pylist() == [1, 2, None, 3]


def test_enter__folder_is_missing__is_an_error_at_once(tmp_path):
    with pytest.raises(FileNotFoundError), TableWriter(tmp_path / "no" / "t", parquet=True):
        pass
