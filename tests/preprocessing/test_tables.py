"""What becomes a pandas DataFrame, and what is left to scikit-learn's checks."""

import sys

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.preprocessing.tables import as_table, quoted

FRAME = pd.DataFrame({"n": [1.0, 2.0, np.nan], "c": ["u", None, "v"]})


class Interchanged:
    """A dataframe that is nothing but the interchange protocol."""

    def __dataframe__(self, **options):
        with pytest.warns(DeprecationWarning, match="Interchange"):
            return FRAME.__dataframe__(**options)


class Streamed:
    """A dataframe that is nothing but an Arrow stream."""

    def __arrow_c_stream__(self, schema=None):
        return FRAME.__arrow_c_stream__(schema)


class Convertible:
    """A dataframe that converts itself, as cuDF's does."""

    def to_pandas(self):
        return FRAME


def polars_frame():
    polars = pytest.importorskip("polars")
    return polars.DataFrame({"n": [1.0, 2.0, None], "c": ["u", None, "v"]})


def arrow_table():
    return pytest.importorskip("pyarrow").table(FRAME)


@pytest.mark.parametrize(
    "make",
    [Interchanged, Streamed, Convertible, polars_frame, arrow_table],
    ids=lambda f: f.__name__,
)
def test_as_table__dataframe_of_another_library__same_values_and_names(make):
    table = as_table(make())
    assert isinstance(table, pd.DataFrame)
    pd.testing.assert_frame_equal(table, FRAME, check_dtype=False)

    preprocessor = TablePreprocessor().fit(make())
    assert preprocessor.feature_names_in_.tolist() == ["n", "c"]
    expected = TablePreprocessor().fit(FRAME).transform(FRAME)
    np.testing.assert_array_equal(preprocessor.transform(FRAME), expected)
    np.testing.assert_array_equal(preprocessor.transform(make()), expected)


def test_as_table__polars_types__as_in_pandas():
    polars = pytest.importorskip("polars")
    X = polars.DataFrame(
        {
            "i": [1, None],
            "b": [True, None],
            "c": polars.Series(["u", "v"], dtype=polars.Categorical),
            "e": polars.Series(["u", "v"], dtype=polars.Enum(["u", "v"])),
            "none": [None, None],
            "bytes": [b"x", b"y"],
        }
    )
    names = TablePreprocessor().fit(X).get_feature_names_out().tolist()
    assert names == (
        "i none b_True b_nan c_u c_v e_u e_v bytes_x bytes_y".split()  # noqa: SIM905
    )


def test_as_table__pandas__is_not_copied():
    assert as_table(FRAME) is FRAME


def test_as_table__pyarrow_not_installed__error_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"Streamed is read through PyArrow.*pip install pyarrow"):
        as_table(Streamed())


@pytest.mark.parametrize("X", [np.eye(2), [[1, 2]], pd.Series([1]), None, "text", 3], ids=repr)
def test_as_table__no_dataframe__is_returned_as_it_is(X):
    assert as_table(X) is X


@pytest.mark.parametrize("dtype", [float, int, object])
def test_as_table__masked_array__masked_entries_are_gaps(dtype):
    X = np.ma.array([[1, 7], [3, 4]], mask=[[False, True], [False, False]], dtype=dtype)
    out = TablePreprocessor(scale=False).fit_transform(X)
    np.testing.assert_array_equal(out, [[1, 4], [3, 4]])


def test_as_table__two_columns_of_one_name__error_names_them():
    table = pd.DataFrame(np.eye(3), columns=["size", "a", "size"])
    with pytest.raises(ValueError, match=r"unique, and 'size' occur.*rename"):
        as_table(table)


def test_quoted__many_names__the_rest_is_counted():
    assert quoted("abcdefg") == "'a', 'b', 'c', 'd', 'e' and 2 more"
    assert quoted(["a", 1]) == "'a', 1"
