"""The preprocessor: what each kind of column becomes, and what is learnt from training rows."""

import datetime as dt
import re
import tracemalloc
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from qcl_mixnet.preprocessing import table_preprocessor as preprocessing
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


# `check_array_api_input` skips itself unless SCIPY_ARRAY_API is set; no check fails.
@parametrize_with_checks([TablePreprocessor(), TablePreprocessor(scale=False)])
def test_scikit_learn_estimator_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_numbers__median_then_standardised() -> None:
    # Median of 1, 3, 8 is 3; mean of 1, 3, 8, 3 is 3.75, variance 6.6875.
    table = pd.DataFrame({"a": [1.0, 3.0, 8.0, np.nan]})
    out = TablePreprocessor().fit_transform(table)
    expected = (np.array([1, 3, 8, 3]) - 3.75) / np.sqrt(6.6875)
    np.testing.assert_allclose(out[:, 0], expected, rtol=1e-6)
    assert out.dtype == np.float32


def test_scale_false__numbers_stay_as_they_are() -> None:
    out = TablePreprocessor(scale=False).fit_transform(pd.DataFrame({"a": [1, 3, 8]}))
    np.testing.assert_array_equal(out, [[1.0], [3.0], [8.0]])


def test_transform__uses_statistics_of_the_training_rows() -> None:
    preprocessor = TablePreprocessor().fit(pd.DataFrame({"a": [0.0, 2.0]}))
    out = preprocessor.transform(pd.DataFrame({"a": [100.0, np.nan]}))
    np.testing.assert_array_equal(out[:, 0], [99.0, 0.0])


TEXT = ["red", "blue", None, "red"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(TEXT, dtype="str"),
        pd.Series(TEXT, dtype="string"),
        pd.Series(TEXT, dtype=object),
        pd.Series(TEXT, dtype="category"),
    ],
    ids=lambda column: str(column.dtype),
)
def test_text_of_any_dtype__one_hot_with_missing_as_its_own_level(column: pd.Series) -> None:
    preprocessor = TablePreprocessor()
    out = preprocessor.fit_transform(column.to_frame("colour"))
    assert preprocessor.get_feature_names_out().tolist() == [
        "colour_blue",
        "colour_red",
        "colour_nan",
    ]
    np.testing.assert_array_equal(out, [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]])


def test_text__a_level_unseen_in_training_gives_zeros() -> None:
    preprocessor = TablePreprocessor().fit(pd.DataFrame({"c": ["a", "b"]}))
    out = preprocessor.transform(pd.DataFrame({"c": ["b", "z", None]}))
    np.testing.assert_array_equal(out, [[0, 1], [0, 0], [0, 0]])


@pytest.mark.parametrize("dtype", [object, "boolean"])
def test_bool__gaps_at_transform_do_not_change_the_levels(dtype: Any) -> None:
    preprocessor = TablePreprocessor().fit(pd.DataFrame({"b": [True, False]}))
    later = pd.DataFrame({"b": pd.Series([None, True], dtype=dtype)})
    assert preprocessor.get_feature_names_out().tolist() == ["b_False", "b_True"]
    np.testing.assert_array_equal(preprocessor.transform(later), [[0, 0], [0, 1]])


@pytest.mark.parametrize("dtype", ["Int64", "Float64", object])
def test_numbers__nullable_and_object_columns_are_numbers(dtype: Any) -> None:
    table = pd.DataFrame({"n": pd.Series([1, None, 3], dtype=dtype)})
    out = TablePreprocessor(scale=False).fit_transform(table)
    np.testing.assert_array_equal(out, [[1.0], [2.0], [3.0]])


def test_all_missing_column__zeros_even_if_values_turn_up_later() -> None:
    table = pd.DataFrame({"empty": [np.nan, np.nan], "a": [0.0, 2.0]})
    preprocessor = TablePreprocessor().fit(table)
    later = pd.DataFrame({"empty": [7.0, np.nan], "a": [0.0, 2.0]})
    np.testing.assert_array_equal(preprocessor.transform(later), [[0, -1], [0, 1]])
    assert preprocessor.get_feature_names_out().tolist() == ["empty", "a"]


def test_constant_column__zeros() -> None:
    out = TablePreprocessor().fit_transform(pd.DataFrame({"k": [5, 5, 5], "a": [1, 2, 3]}))
    np.testing.assert_array_equal(out[:, 0], 0)


def test_mixed_table__numbers_first_and_names_match_the_width() -> None:
    table = pd.DataFrame({"c": ["u", "v", "u"], "n": [1, 2, 3], "b": [True, False, True]})
    preprocessor = TablePreprocessor().fit(table)
    names = preprocessor.get_feature_names_out().tolist()
    assert names == ["n", "c_u", "c_v", "b_False", "b_True"]
    assert preprocessor.transform(table).shape == (3, 5)
    assert preprocessor.n_features_in_ == 3
    assert preprocessor.feature_names_in_.tolist() == ["c", "n", "b"]


def test_array__equals_the_same_numbers_in_a_frame() -> None:
    X = np.random.default_rng(0).normal(size=(20, 3))
    X[2, 1] = np.nan
    from_array = TablePreprocessor().fit(X)
    from_frame = TablePreprocessor().fit_transform(pd.DataFrame(X, columns=list("abc")))
    np.testing.assert_array_equal(from_array.transform(X), from_frame)
    assert from_array.get_feature_names_out().tolist() == ["x0", "x1", "x2"]


def test_global_output_setting__inner_transformers_are_unmoved() -> None:
    table = pd.DataFrame({"c": ["u", "v"], "n": [1.0, 3.0]})
    with config_context(transform_output="pandas"):
        out = TablePreprocessor().fit_transform(table)
    assert out.columns.tolist() == ["n", "c_u", "c_v"]
    np.testing.assert_array_equal(out.to_numpy(), [[-1, 1, 0], [1, 0, 1]])


def test_fit__does_not_change_the_table() -> None:
    table = pd.DataFrame({"c": ["u", None], "n": [1.0, np.nan]})
    before = table.copy()
    TablePreprocessor().fit_transform(table)
    pd.testing.assert_frame_equal(table, before)


def test_columns_changed_at_transform__error_names_them() -> None:
    preprocessor = TablePreprocessor().fit(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]}))
    for columns, words in [
        ("az", r"(?s)feature names should match.*- z\n.*- b\n"),
        ("a", r"(?s)now missing:\n- b\n"),
        ("abz", r"(?s)unseen at fit time:\n- z\n"),
        ("ba", "same order"),
    ]:
        with pytest.raises(ValueError, match=words):
            preprocessor.transform(pd.DataFrame(np.ones((1, len(columns))), columns=list(columns)))
    with pytest.raises(ValueError, match=r"X has 3 features.*expecting 2"):
        TablePreprocessor().fit(np.ones((2, 2))).transform(np.ones((1, 3)))


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


MIXED = pd.DataFrame({"c": ["u", "v", "u"], "n": [1, 2, 1], "b": [True, False, True]})


@pytest.mark.parametrize("listed", [["c", "n"], [0, 1], [True, True, False]], ids=str)
def test_categorical_features__listed__others_are_numbers_and_booleans_0_and_1(listed: Any) -> None:
    preprocessor = TablePreprocessor(scale=False, categorical_features=listed).fit(MIXED)
    assert preprocessor.get_feature_names_out().tolist() == ["b", "c_u", "c_v", "n_1", "n_2"]
    np.testing.assert_array_equal(
        preprocessor.transform(MIXED), [[1, 1, 0, 1, 0], [0, 0, 1, 0, 1], [1, 1, 0, 1, 0]]
    )


@pytest.mark.parametrize("listed", [None, [], ["n"]], ids=str)
def test_categorical_features__text_not_listed__error_with_the_remedy(listed: Any) -> None:
    words = "^Column 'c' holds 'u', and it is not among categorical_features: list it there"
    with pytest.raises(ValueError, match=words):
        TablePreprocessor(categorical_features=listed).fit(MIXED)


def test_categorical_features__none__booleans_and_categories_of_numbers_are_numbers() -> None:
    table = pd.DataFrame({"b": [True, None], "k": pd.Categorical([3.0, None])})
    out = TablePreprocessor(scale=False, categorical_features=None).fit_transform(table)
    np.testing.assert_array_equal(out, [[1, 3], [1, 3]])


def test_categorical_features__numbers__levels_go_by_value_whatever_the_dtype() -> None:
    preprocessor = TablePreprocessor(categorical_features=["q"]).fit(frame([1.0, 2.5, None]))
    assert preprocessor.get_feature_names_out().tolist() == ["q_1", "q_2.5", "q_nan"]
    for later in (frame([1, 3], "int8"), frame([1, 3], "Int64"), frame(["1", "3"]), objects(1, 3)):
        np.testing.assert_array_equal(preprocessor.transform(later), [[1, 0, 0], [0, 0, 0]])
    later = frame([2.5, None], "float32")
    np.testing.assert_array_equal(preprocessor.transform(later), [[0, 1, 0], [0, 0, 1]])


def test_categorical_features__position_in_an_array__one_hot() -> None:
    X = np.array([[0.5, 7], [1.5, np.nan]])
    preprocessor = TablePreprocessor(scale=False, categorical_features=[1]).fit(X)
    assert preprocessor.get_feature_names_out().tolist() == ["x0", "x1_7", "x1_nan"]
    np.testing.assert_array_equal(preprocessor.transform(X), [[0.5, 1, 0], [1.5, 0, 1]])


@pytest.mark.parametrize("value", ["c", 1, 0.5], ids=repr)
def test_categorical_features__of_another_type__error(value: Any) -> None:
    with pytest.raises(ValueError, match=r"'categorical_features' parameter.*infer.*array-like"):
        TablePreprocessor(categorical_features=value).fit(MIXED)


def test_categorical_features__name_that_the_table_lacks__error() -> None:
    with pytest.raises(ValueError, match="'size', which is no column of the table"):
        TablePreprocessor(categorical_features=["size"]).fit(MIXED)


def test_max_levels__at_the_limit__is_read_and_a_gap_counts() -> None:
    table = frame([*map(str, range(9)), None])
    assert TablePreprocessor(max_levels=10).fit_transform(table).shape == (10, 10)
    with pytest.raises(ValueError, match="10 levels, more than max_levels=9"):
        TablePreprocessor(max_levels=9).fit(table)


def by_scikit_learn(train: pd.DataFrame, later: pd.DataFrame) -> np.ndarray:
    """The numeric part as scikit-learn's own transformers do it, all columns at once."""
    steps = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    as_columns = [np.asfortranarray(table.to_numpy(np.float64)) for table in (train, later)]
    return steps.fit(as_columns[0]).transform(as_columns[1]).astype(np.float32)


@pytest.mark.parametrize("n_rows", [1, 2, 9, 1000, 50_000])
def test_numbers__blocks_and_batches__bit_equal_to_scikit_learn_on_the_whole(
    n_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocessing, "_BLOCK", 3 * n_rows)
    monkeypatch.setattr(preprocessing, "_ROWS", 300)
    rng = np.random.default_rng(n_rows)
    X = pd.DataFrame(rng.normal(100, [1, 10, 1e-6, 1e6] * 2, size=(n_rows, 8))).add_prefix("c")
    if n_rows > 2:
        X = X.mask(rng.random(X.shape) < 0.1)
    train, later = X.iloc[: n_rows // 2 + 1], X
    out = TablePreprocessor().fit(train).transform(later)
    np.testing.assert_array_equal(out, by_scikit_learn(train, later))


def test_transform__million_rows__makes_no_copy_of_the_table() -> None:
    X = np.random.default_rng(0).normal(size=(1_000_000, 8))
    preprocessor = TablePreprocessor().fit(X[:1000])
    tracemalloc.start()
    out = preprocessor.transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < out.nbytes + X.nbytes / 8


NAMES = st.text(max_size=5) | st.sampled_from(["", " ", "nan", "a_b", "\0", "é", "0"])
NUMBERS = st.floats(width=64) | st.integers(-(2**70), 2**70) | st.decimals(allow_nan=False)
GAPS = st.sampled_from([None, np.nan, pd.NA, pd.NaT])
CELLS = {
    "numbers": NUMBERS | GAPS,
    "text": st.text(max_size=3) | GAPS,
    "booleans": st.booleans() | GAPS,
    "anything": st.one_of(
        NUMBERS, st.text(max_size=2), st.binary(max_size=2), st.booleans(), GAPS,
        st.dates(), st.timedeltas(), st.complex_numbers(), st.lists(st.integers(), max_size=2),
    ),
}  # fmt: skip
DTYPES = {"numbers": ["float64", "float32"], "text": ["str", "category"], "booleans": ["boolean"]}


@st.composite
def columns_of_two_tables(draw: Any, n_rows: int) -> tuple[pd.Series, pd.Series]:
    """A column at fit and at predict, of one kind mostly, as objects or of a proper dtype."""
    out = []
    kind = draw(st.sampled_from(sorted(CELLS)))
    for _ in range(2):
        kind = draw(st.sampled_from([kind, kind, kind, *CELLS]))
        cells = np.empty(n_rows, dtype=object)
        cells[:] = draw(st.lists(CELLS[kind], min_size=n_rows, max_size=n_rows))
        column = pd.Series(cells, dtype=object)
        dtype = draw(st.sampled_from([None, *DTYPES.get(kind, [])]))
        if dtype in ("float64", "float32"):
            with np.errstate(over="ignore"):
                column = pd.Series([np.nan if pd.isna(c) else float(c) for c in cells], dtype=dtype)
        elif dtype is not None:
            column = column.where(column.notna(), None).astype(dtype)
        out.append(column)
    return out[0], out[1]


@st.composite
def two_tables(draw: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    n_rows = draw(st.integers(1, 6))
    pairs = [draw(columns_of_two_tables(n_rows)) for _ in names]
    index = draw(st.permutations(range(n_rows)))
    first, second = (
        pd.concat([pair[which] for pair in pairs], axis=1, keys=names).set_axis(index)
        for which in (0, 1)
    )
    return first, second


@pytest.mark.filterwarnings(
    "ignore::qcl_mixnet.preprocessing.table_preprocessor.UnseenLevelsWarning"
)
@settings(max_examples=150, deadline=None)
@given(
    tables=two_tables(),
    scale=st.booleans(),
    listed=st.sampled_from(["infer", "infer", None, [0], []]),
)
def test_any_table__finite_matrix_of_constant_width_or_one_sentence(
    tables: tuple[pd.DataFrame, pd.DataFrame], scale: bool, listed: Any
) -> None:
    preprocessor = TablePreprocessor(scale=scale, categorical_features=listed)
    for table in tables:
        before = table.copy()
        try:
            if table is tables[0]:
                preprocessor.fit(table)
            out = preprocessor.transform(table)
        except (ValueError, TypeError) as error:
            event(str(error).split("'")[0])
            sentence = re.search(r"\w+ .*[;:] .*\w", str(error))
            assert sentence
            if table is tables[0]:
                return
        else:
            event("works")
            assert out.dtype == np.float32
            assert np.isfinite(out).all()
            assert out.shape == (len(table), len(preprocessor.get_feature_names_out()))
        pd.testing.assert_frame_equal(table, before)
