"""What a column of each type becomes, and what is refused with the column's name."""

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


def frame(cells: Any, dtype: Any = None) -> pd.DataFrame:
    """A table of one column of the name that errors must give."""
    return pd.DataFrame({"q": pd.Series(cells, dtype=dtype)})


def objects(*cells: Any) -> pd.DataFrame:
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return frame(column, object)


NUMERIC = ["q"]


# What a column becomes at fit, by the names of the result.
@pytest.mark.parametrize(
    ("table", "names"),
    [
        (frame([1, 2], "uint8"), NUMERIC),
        (frame([1, None], "Int32"), NUMERIC),
        (frame([0.5, None], "float32"), NUMERIC),
        (frame([0.5, None], "double[pyarrow]"), NUMERIC),
        (frame([1, None], "int8[pyarrow]"), NUMERIC),
        (frame(pd.arrays.SparseArray([1.0, 0.0])), NUMERIC),
        (objects(Decimal("1.5"), 2, None), NUMERIC),
        (objects(2**70, 1), NUMERIC),
        (frame([2**53 + 1, 1]), NUMERIC),
        (objects(None, None), NUMERIC),
        (objects(np.nan, pd.NA), NUMERIC),
        (frame([np.nan, np.nan]), NUMERIC),
        (frame([None, None], "null[pyarrow]"), NUMERIC),
        (frame([5, 5]), NUMERIC),
        (frame(["u", None], "str"), ["q_u", "q_nan"]),
        (frame(["u", None], "string[python]"), ["q_u", "q_nan"]),
        (frame(["u", None], "string[pyarrow]"), ["q_u", "q_nan"]),
        (frame([None, None], "str"), ["q_nan"]),
        (frame(["", " "], "str"), ["q_", "q_ "]),
        (objects("u", 1.0, 2.5), ["q_1", "q_2.5", "q_u"]),
        (objects(b"u", "u", b"\xff"), ["q_\\xff", "q_u"]),
        (objects(True, None), ["q_True", "q_nan"]),
        (frame([True, None], "boolean"), ["q_True", "q_nan"]),
        (frame([True, None], "bool[pyarrow]"), ["q_True", "q_nan"]),
        (frame([2.0, 1.0], "category"), ["q_1", "q_2"]),
        (frame(pd.Categorical(["u"], categories=["u", "unused"])), ["q_u"]),
        (frame(pd.cut([1, 2], [0, 1, 2])), ["q_(0, 1]", "q_(1, 2]"]),
    ],
    ids=lambda value: str(value.dtypes["q"]) if isinstance(value, pd.DataFrame) else "",
)
def test_column__of_any_dtype__numeric_or_its_levels(table: pd.DataFrame, names: list[str]) -> None:
    preprocessor = TablePreprocessor()
    out = preprocessor.fit_transform(table)
    assert preprocessor.get_feature_names_out().tolist() == names
    assert np.isfinite(out).all()
    if names != NUMERIC:
        assert out.sum(axis=1).tolist() == [1.0] * len(table)


REFUSED = [
    (pd.to_datetime(["2020-01-01"]), r"has dtype datetime64.*days since"),
    (pd.to_datetime(["2020-01-01"], utc=True), "has dtype datetime64.*UTC"),
    (pd.to_timedelta(["1s"]), "has dtype timedelta64"),
    (pd.period_range("2020", periods=1, freq="D"), "has dtype period"),
    (pd.interval_range(0, 1), "has dtype interval"),
    (np.array([1j]), "has dtype complex128"),
    (objects(1j)["q"], "values of type complex"),
    (objects(dt.date(2020, 1, 1))["q"], "values of type date"),
    (objects(pd.Timestamp("2020"), "u")["q"], "values of type Timestamp"),
    (objects(np.timedelta64(1, "s"), "u")["q"], "values of type .*delta"),
    (objects([1], [2])["q"], "values of type list.*or drop it"),
    (objects((1,), None)["q"], "values of type tuple"),
    (objects({"a": 1})["q"], "values of type dict"),
    (objects(np.array([1, 2]))["q"], "values of type ndarray"),
    (objects(object())["q"], "values of type object"),
    (pd.array([[1]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))), "values of type ndarray"),
    (pd.array([dt.date(2020, 1, 1)], dtype="date32[day][pyarrow]"), "has dtype date32"),
]


@pytest.mark.parametrize(("cells", "words"), REFUSED, ids=[words for _, words in REFUSED])
@pytest.mark.parametrize("when", ["infer", "listed", "numeric before", "text before"])
def test_column__neither_numbers_nor_categories__error_with_its_name_and_the_remedy(
    cells: Any, words: str, when: str
) -> None:
    table, preprocessor = frame(cells), TablePreprocessor()
    if when == "listed":
        preprocessor.set_params(categorical_features=["q"])
    if when.endswith("before"):
        preprocessor.fit(frame([1, 2] if when.startswith("num") else ["u", "v"]))
    call = preprocessor.transform if when.endswith("before") else preprocessor.fit
    with pytest.raises(
        ValueError, match=r"^Column 'q' (has|holds) .*convert it to numbers"
    ) as info:
        call(table)
    assert re.search(words, str(info.value))


@pytest.mark.parametrize(
    "cells",
    [
        [1.0, np.inf],
        [1.0, -np.inf],
        pd.array([1.0, np.inf], dtype="Float64"),
        pd.array([1.0, np.inf], dtype="float[pyarrow]"),
        objects(1, float("inf"))["q"],
        objects(Decimal("Infinity"))["q"],
        np.array([np.inf, 0], dtype=np.float16),
    ],
    ids=repr,
)
@pytest.mark.parametrize("listed", ["infer", ["q"]], ids=str)
def test_infinity__error_with_column_and_number_at_fit_and_transform(
    cells: Any, listed: Any
) -> None:
    words = r"contains infinity, in column .* 'q' \(1\); replace"
    with pytest.raises(ValueError, match=words):
        TablePreprocessor(categorical_features=listed).fit(frame(cells))
    preprocessor = TablePreprocessor(categorical_features=listed).fit(frame([1.0, 2.0]))
    with pytest.raises(ValueError, match=words):
        preprocessor.transform(frame(cells))


def test_infinity__many_columns_of_an_array__positions_and_the_rest_counted() -> None:
    X = np.ones((40_000, 7))
    X[:3, 1:] = np.inf
    X[-1, 1] = -np.inf
    words = r"1 \(4\), 2 \(3\), 3 \(3\), 4 \(3\), 5 \(3\) and 1 more"
    with pytest.raises(ValueError, match=words):
        TablePreprocessor().fit(X)
    with pytest.raises(ValueError, match=words):
        TablePreprocessor().fit(np.eye(7)).transform(X)


@pytest.mark.parametrize(
    ("before", "later", "words"),
    [
        ([1, 2], ["old"], "holds 'old', and it was numeric.*pandas.to_numeric"),
        ([1, 2], ["1.5"], "holds '1.5', and it was numeric"),
        ([1, 2], pd.Categorical(["old"]), "holds 'old'"),
        ([1, 2], objects(1, b"old")["q"], "holds b'old'"),
        ([1, 2], [1e200], r"holds 1e\+200 in row 0 .*, which exceeds float32"),
        ([1, 2], objects(10**400)["q"], "float64 cannot hold"),
        (objects(10**400)["q"], [1], "float64 cannot hold"),
        ([1e300, 0], [1], "too large for their variance"),
        ([str(i) for i in range(1001)], ["1"], "has 1001 levels, more than max_levels=1000; drop"),
    ],
)  # fmt: skip
def test_values__not_usable__error_with_the_column(before: Any, later: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^Column 'q' .*{words}"):
        TablePreprocessor().fit(frame(before)).transform(frame(later))


def test_scale_false__number_beyond_float32__error_at_fit() -> None:
    with pytest.raises(ValueError, match=r"Column 'q' holds numbers too large for float32"):
        TablePreprocessor(scale=False).fit(frame([1e39, 0]))


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (frame([True, None], "boolean"), [1, 2]),
        (frame([None, None], "str"), [2, 2]),
        (frame([None, None], "category"), [2, 2]),
        (frame([3, None], "category"), [3, 2]),
        (frame(objects(Decimal(3), None)["q"]), [3, 2]),
    ],
)  # fmt: skip
def test_numeric_column__other_dtype_at_transform__numbers_and_gaps_are_read(
    later: pd.DataFrame, expected: list[float]
) -> None:
    preprocessor = TablePreprocessor(scale=False).fit(frame([1, 2, 3]))
    assert preprocessor.transform(later)[:, 0].tolist() == expected


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (sparse.csr_array(np.eye(2)), TypeError, "Sparse data.*toarray.*dense"),
        (sparse.csr_matrix(np.eye(2)), TypeError, "Sparse data.*toarray.*dense"),
        (np.array([["u", 1]], dtype=object), ValueError, "'u'.*text belongs in a DataFrame"),
        (np.array([["u"]]), ValueError, "numeric"),
        (np.array([[b"u"]]), ValueError, "numeric"),
        (np.array([[1j]]), ValueError, "Complex"),
        (np.array([["2020-01-01"]], dtype="M8[D]"), ValueError, "Column 0 has dtype datetime64"),
        (np.ones(3), ValueError, "2D array"),
        (np.ones((2, 2, 2)), ValueError, "dim 3"),
        (np.empty((0, 2)), ValueError, "0 sample"),
        (pd.Series([1, 2]), ValueError, "2-dimensional"),
        (pd.DataFrame({"q": []}), ValueError, r"0 row\(s\) and 1 column"),
        (pd.DataFrame(index=[0, 1]), ValueError, r"2 row\(s\) and 0 column"),
        (pd.DataFrame(np.eye(2), columns=["q", "q"]), ValueError, "'q' occur"),
        (pd.DataFrame(np.eye(2), columns=["q", 1]), TypeError, "string names"),
        (pd.DataFrame(np.eye(2), columns=["q", None]), TypeError, "string names"),
    ],
)  # fmt: skip
def test_table__not_usable__error(X: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=f"(?s){words}"):
        TablePreprocessor().fit(X)
