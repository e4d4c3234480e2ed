"""Each input works as documented or is refused by an error that says what is at fault."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch
from sklearn.exceptions import DataConversionWarning, NotFittedError

from qcl_mixnet import QCLMixNetClassifier

N = 24
A = np.random.default_rng(0).normal(size=(N, 3))
Y = np.array(["a", "b", "b"] * 8)
KINDS = ["x", "y", "z", "x"] * 6
DATES = pd.date_range("2020-01-01", periods=N)
PERIODIC = ["b", "a"] * 12


def frame(**columns):
    return pd.DataFrame({"size": A[:, 0], "width": A[:, 1], **columns})


def make_model(**parameters):
    return QCLMixNetClassifier(**{"epochs": 1, "random_state": 0, "n_jobs": 1} | parameters)


def check(X, y=Y, X_new=None, expected=None, **parameters):
    """Fit and predict; `expected` is part of the error's message, None if there is to be none."""
    if expected is None:
        X_new = X if X_new is None else X_new
        model = make_model(**parameters).fit(X, y)
        probabilities = model.predict_proba(X_new)
        assert probabilities.shape[1] == len(model.classes_)
        assert np.isfinite(probabilities).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        assert set(model.predict(X_new)) <= set(model.classes_)
        return
    with pytest.raises((ValueError, TypeError), match=expected):
        make_model(**parameters).fit(X, y).predict(X if X_new is None else X_new)


def of(column, dtype=None):
    return pd.Series(column, dtype=dtype)


DTYPE = "Column 'c' has dtype"
TYPE = "Column 'c' holds values of type"
COLUMNS = {
    "float16": (A[:, 0].astype(np.float16), None),
    "longdouble": (A[:, 0].astype(np.longdouble), None),
    "int8 at its limits": (np.array([-128, 127] * 12, dtype=np.int8), None),
    "uint64 at its limit": (np.array([0, 2**64 - 1] * 12, dtype=np.uint64), None),
    "integers beyond int64": ([10**30, 1] * 12, None),
    "integers beyond float64": ([10**400, 1] * 12, "Column 'c' holds numbers that float64 cannot"),
    "constant": ([7.0] * N, None),
    "subnormal": (A[:, 0] * 5e-324, None),
    "nothing but gaps": ([np.nan] * N, None),
    "nothing but None": ([None] * N, None),
    "variance beyond float64": (A[:, 0] * 1e300, "Column 'c' holds numbers too large"),
    "inf": (np.r_[np.inf, A[1:, 0]], r"infinity, .*'c' \(1\)"),
    "-inf": (np.r_[-np.inf, -np.inf, A[2:, 0]], r"infinity, .*'c' \(2\)"),
    "object numbers": (of([1, 2.5, None] * 8, object), None),
    "Decimal": ([Decimal("1.5"), Decimal(2), None] * 8, None),
    "Decimal infinity": ([Decimal("inf"), Decimal(1)] * 12, "infinity, .*'c'"),
    "Fraction": ([Fraction(1, 3), Fraction(2)] * 12, None),
    "Int64": (of([1, 2, None] * 8, "Int64"), None),
    "Float64": (of([1, 2.5, None] * 8, "Float64"), None),
    "boolean": (of([True, False, None] * 8, "boolean"), None),
    "bool": ([True, False] * 12, None),
    "bool and None": ([True, False, None] * 8, None),
    "string[pyarrow]": (of(["x", "y", None] * 8, "string[pyarrow]"), None),
    "string[python]": (of(["x", "y", None] * 8, "string[python]"), None),
    "int64[pyarrow]": (of([1, 2, None] * 8, "int64[pyarrow]"), None),
    "category with unused levels": (pd.Categorical(KINDS, categories=list("xyzuvw")), None),
    "category of numbers": (pd.Categorical([1, 2, 3] * 8), None),
    "category of nothing": (pd.Categorical([None] * N, categories=["x"]), None),
    "sparse column": (pd.arrays.SparseArray([0.0, 1.0] * 12), None),
    "bytes": (of([b"x", b"\xff"] * 12, object), None),
    "long and empty strings": (["x" * 10_000, ""] * 12, None),
    "zero bytes in strings": (["a\0b", "c"] * 12, None),
    "numbers and text": (of([1, "x", None, 2.5] * 6, object), None),
    "pd.NA and numbers": (of([pd.NA, 1] * 12, object), None),
    "every row its own level": ([f"id{i}" for i in range(N)], None),
    "complex": (A[:, 0] + 1j, f"{DTYPE} complex128"),
    "dates": (DATES, f"{DTYPE} datetime64"),
    "dates with a zone": (DATES.tz_localize("UTC"), f"{DTYPE} datetime64"),
    "time spans": (DATES - DATES[0], f"{DTYPE} timedelta64"),
    "periods": (DATES.to_period("D"), f"{DTYPE} period"),
    "intervals": (pd.IntervalIndex.from_breaks(np.arange(N + 1)), f"{DTYPE} interval"),
    "date objects": ([datetime.date(2020, 1, 1)] * N, f"{TYPE} date"),
    "lists": ([[1], [2]] * 12, f"{TYPE} list"),
    "dicts": ([{}, {}] * 12, f"{TYPE} dict"),
    "objects": ([object()] * N, f"{TYPE} object"),
}


@pytest.mark.parametrize(("column", "expected"), COLUMNS.values(), ids=COLUMNS)
def test_column__of_any_kind__works_or_is_named(column, expected):
    check(frame(c=column), expected=expected)


TABLES = {
    "no rows": (A[:0], Y[:0], r"0 sample\(s\)"),
    "a frame without rows": (frame()[:0], Y[:0], "table of 0 rows"),
    "one row": (A[:1], Y[:1], "at least 2 classes; y holds one class: a"),
    "two rows": (A[:2], ["a", "b"], None),
    "one dimension": (A[:, 0], Y, "Expected 2D array, got 1D"),
    "three dimensions": (A[:, :, None], Y, "dim 3"),
    "no columns": (A[:, :0], Y, r"0 feature\(s\)"),
    "a frame without columns": (frame()[[]], Y, r"0 column\(s\)"),
    "a series": (pd.Series(A[:, 0], name="size"), Y, "2-dimensional container|Expected 2D"),
    "None": (None, Y, "Expected 2D array"),
    "a string": ("table", Y, "Expected 2D array"),
    "a dict": ({"size": A[:, 0]}, Y, "Expected 2D array"),
    "ragged lists": ([[1, 2], [1]] * 12, Y, "inhomogeneous"),
    "lists": (A.tolist(), Y, None),
    "fewer labels": (A, Y[:-1], r"inconsistent numbers of samples: \[24, 23\]"),
    "more labels": (frame(), [*Y, "a"], r"inconsistent numbers of samples: \[24, 25\]"),
    "sparse matrix": (scipy.sparse.csr_matrix(A), Y, "Sparse data was passed for X"),
    "sparse array": (scipy.sparse.coo_array(A), Y, "Sparse data was passed for X"),
    "complex": (A + 1j, Y, "Complex data not supported"),
    "text": (np.array([["x", "y"]] * N), Y, "arrays of bytes/strings"),
    "text objects": (np.array([["x", 1]] * N, dtype=object), Y, "could not convert string"),
    "bytes": (np.array([[b"x", b"y"]] * N), Y, "arrays of bytes/strings"),
    "inf": (np.where(A[2, 1] == A, np.inf, A), Y, r"infinity, in column .* 1 \(1\)"),
    "nan": (np.where(A[2, 1] == A, np.nan, A), Y, None),
    "objects with None": (np.array([[1, None]] * N, dtype=object), Y, None),
    "booleans": (A > 0, Y, None),
    "float16": (A.astype(np.float16), Y, None),
    "foreign byte order": (A.astype(">f8"), Y, None),
    "read-only": (np.broadcast_to(A[:, :1], (N, 3)), Y, None),
    "backwards": (A[::-1], Y, None),
    "masked": (np.ma.masked_greater(A, 1), Y, None),
    "structured": (np.zeros(N, dtype=[("a", float)]), Y, "Expected 2D array"),
    "tensor": (torch.from_numpy(A), Y, None),
    "polars": (pl.DataFrame({"a": A[:, 0], "k": KINDS}), Y, None),
    "arrow": (pa.table({"a": A[:, 0], "k": KINDS}), Y, None),
    "names twice": (pd.DataFrame(A, columns=["a", "b", "a"]), Y, "'a' occur"),
    "names of two types": (pd.DataFrame(A, columns=["a", 1, "b"]), Y, r"\['int', 'str'\]"),
    "numbers for names": (pd.DataFrame(A), Y, None),
    "names of two levels": (pd.DataFrame(A, columns=pd.MultiIndex.from_tuples(["ac", "ad", "be"])),
                            Y, None),
    "one index for all rows": (pd.DataFrame(A, index=[0] * N), Y, None),
    "labels of another index": (frame(), pd.Series(Y, index=range(100, 100 + N)), None),
}  # fmt: skip


@pytest.mark.parametrize(("X", "y", "expected"), TABLES.values(), ids=TABLES)
def test_table__of_any_kind__works_or_is_refused(X, y, expected):
    check(X, y, expected=expected)


def test_table__too_many_levels__names_the_column():
    table = pd.DataFrame({"id": [f"i{i}" for i in range(1200)]})
    check(table, ["a", "b"] * 600, expected="'id' has 1200 levels")


GAPS = "y.*(NaN|gap|missing)"
LABELS = {
    "one class": (["a"] * N, "at least 2 classes; y holds one class: a"),
    "a class of one row": (["a"] * 23 + ["b"], None),
    "NaN": ([1.0, np.nan] * 12, "Input y contains NaN"),
    "inf": ([1.0, np.inf] * 12, "Input y contains infinity"),
    "Int64 with a gap": (of([1, None] * 12, "Int64"), "Input y contains NaN"),
    "boolean with a gap": (of([True, None] * 12, "boolean"), "Input y contains NaN"),
    "text with NaN": (np.array(["a", np.nan] * 12, dtype=object), "Input y contains NaN"),
    "category with a gap": (of(["a", None] * 12, "category"), "Input y contains NaN"),
    "numbers with a fraction": (A[:, 0], "Unknown label type: continuous"),
    "two columns": (np.array([[0, 1], [1, 0]] * 12), r"y should be a 1d array, .* \(24, 2\)"),
    "a frame of two columns": (pd.DataFrame({"y": PERIODIC, "z": PERIODIC}), "y should be a 1d"),
    "None": (None, "target y is None"),
    "a number": (1, "y should be a 1d array"),
    "a string": ("ab" * 12, "y should be a 1d array"),
    "bool": ([True, False] * 12, None),
    "strings": (PERIODIC, None),
    "empty string": (["", "b"] * 12, None),
    "numbers and text in a list": ([1, "a"] * 12, "Unknown label type"),
    "numbers and text": (np.array([1, "a"] * 12, dtype=object), "Unknown label type"),
    "bytes": (np.array([b"a", b"b"] * 12), "which holds no labels"),
    "complex": ([1j, 2] * 12, "Unknown label type"),
    "Decimal": ([Decimal(1), Decimal(2)] * 12, "Unknown label type"),
    "lists": ([[1], [2, 3]] * 12, "inhomogeneous"),
    "sparse": (scipy.sparse.csr_matrix([[1], [0]] * 12), "Sparse data was passed for y"),
    "category with an unused level": (pd.Categorical(PERIODIC, categories=list("bac")), None),
    "Int64": (of([1, 2] * 12, "Int64"), None),
    "boolean": (of([True, False] * 12, "boolean"), None),
    "string[pyarrow]": (of(PERIODIC, "string[pyarrow]"), None),
    "large numbers": ([2**62, -(2**62)] * 12, None),
    "int8": (np.array([0, 1] * 12, dtype=np.int8), None),
    "polars": (pl.Series(PERIODIC), None),
}


@pytest.mark.parametrize(("y", "expected"), LABELS.values(), ids=LABELS)
def test_labels__of_any_kind__work_or_are_refused(y, expected):
    check(A, y, expected=expected)


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (A, ["a", None] * 12),
        (A, of(["a", None] * 12, "string")),
        (A, np.array([pd.NA, "a"] * 12, dtype=object)),
        (A, []),
    ],
    ids=["text with None", "string with a gap", "pd.NA", "none at all"],
)
def test_labels__gaps_of_other_kinds__are_refused_by_name(X, y):
    check(X, y, expected=r"\by\b")


def test_labels__a_column__are_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        make_model().fit(A, Y[:, None])


def test_labels__every_row_its_own__are_taken_with_a_warning():
    with pytest.warns(UserWarning, match="unique classes is greater than 50%"):
        model = make_model().fit(A, np.arange(N))
    assert model.predict_proba(A).shape == (N, N)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "transform", "embed", "score"])
def test_predict__before_fit__says_so(method):
    arguments = (A, Y) if method == "score" else (A,)
    with pytest.raises(NotFittedError, match="QCLMixNetClassifier instance is not fitted"):
        getattr(make_model(), method)(*arguments)


NEW_ROWS = {
    "fewer columns": (A, A[:, :2], "X has 2 features, but QCLMixNetClassifier is expecting 3"),
    "no rows": (A, A[:0], r"0 sample\(s\)"),
    "a frame without rows": (frame(), frame()[:0], "table of 0 rows"),
    "one row": (A, A[:1], None),
    "one dimension": (A, A[0], "Expected 2D array, got 1D"),
    "inf": (A, A + np.inf, "infinity, in column"),
    "too large for float32": (A, A * 1e60, "Column 0 holds .* exceeds float32"),
    "column missing": (frame(), frame()[["size"]], "yet now missing:\n- width"),
    "column more": (frame(), frame(more=1.0), "unseen at fit time:\n- more"),
    "columns in another order": (frame(), frame()[["width", "size"]], "in the same order"),
    "column of another name": (frame(), frame().rename(columns={"size": "sise"}), "- sise"),
    "unseen category": (frame(c=KINDS), frame(c=["new"] * N), None),
    "unseen gap": (frame(c=KINDS), frame(c=[None] * N), None),
    "gaps": (frame(), frame() * np.nan, None),
    "text for numbers": (frame(), frame().assign(size="x"), "Column 'size' holds 'x'"),
    "numbers for text": (frame(c=KINDS), frame(c=1.5), None),
    "dates for numbers": (frame(), frame().assign(size=DATES), "Column 'size' has dtype datetime"),
    "dates for text": (frame(c=KINDS), frame(c=DATES), DTYPE),
    "other categories": (
        frame(c=pd.Categorical(KINDS)), frame(c=pd.Categorical(["z"] * N, categories=["z"])), None,
    ),
    "polars for pandas": (frame(c=KINDS), pl.DataFrame(dict(frame(c=KINDS).items())), None),
    "sparse": (A, scipy.sparse.csr_matrix(A), "Sparse data was passed for X"),
}  # fmt: skip


@pytest.mark.filterwarnings(
    "ignore::qcl_mixnet.preprocessing.table_preprocessor.UnseenLevelsWarning"
)
@pytest.mark.parametrize(("X", "X_new", "expected"), NEW_ROWS.values(), ids=NEW_ROWS)
def test_predict__rows_of_any_kind__work_or_are_refused(X, X_new, expected):
    check(X, X_new=X_new, expected=expected)


def test_predict__array_for_a_frame__is_taken_with_scikit_learns_warning():
    model = make_model().fit(frame(), Y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        found = model.predict_proba(A[:, :2])
    np.testing.assert_array_equal(found, model.predict_proba(frame()))


def test_predict__polars_for_pandas__same_probabilities():
    model = make_model().fit(frame(c=KINDS), Y)
    other = pl.DataFrame({name: column.to_numpy() for name, column in frame(c=KINDS).items()})
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(frame(c=KINDS)))


@pytest.mark.parametrize("part", ["X", "y"])
def test_eval_set__unusable__is_refused(part):
    eval_set = (A[:, :2], Y) if part == "X" else (A, Y[:-1])
    model = make_model(checkpoint="test")
    with (
        pytest.warns(UserWarning, match="optimistic"),
        pytest.raises(ValueError, match=r"2 features|inconsistent numbers of samples"),
    ):
        model.fit(A, Y, eval_set=eval_set)
