import datetime
import decimal

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.exceptions import DataConversionWarning

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.baselines.classical import KNNClassifier
from qcl_mixnet.baselines.deep import MLPNetworkClassifier
from qcl_mixnet.baselines.graph import GCNClassifier
from qcl_mixnet.estimators.labels import codes_among, encode_labels

LARGE = 2**53  # beyond it float64 merges neighbours
UNSIGNED = 2**63  # beyond int64


@pytest.mark.parametrize(
    ("y", "classes", "labels"),
    [
        (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
        ([10, 9, 10], [9, 10], [1, 0, 1]),
        ([True, False], [False, True], [1, 0]),
    ],
)
def test_encode_labels__sorted_classes_and_their_positions(y, classes, labels):
    found, encoded = encode_labels(y)
    assert found.tolist() == classes
    assert encoded.tolist() == labels
    assert encoded.dtype == np.int64


def arrow(values, dtype):
    return pd.Series(values, dtype=pd.ArrowDtype(dtype))


INTEGERS = {
    "list": [LARGE + 1, LARGE],
    "tuple": (LARGE + 1, LARGE),
    "array": np.array([LARGE + 1, LARGE]),
    "objects": np.array([LARGE + 1, LARGE], dtype=object),
    "masked array": np.ma.array([LARGE + 1, LARGE], mask=[False, False]),
    "Series": pd.Series([LARGE + 1, LARGE], index=[7, 3]),
    "nullable": pd.Series([LARGE + 1, LARGE], dtype="Int64"),
    "nullable array": pd.array([LARGE + 1, LARGE], dtype="Int64"),
    "Index": pd.Index([LARGE + 1, LARGE]),
    "nullable Index": pd.Index([LARGE + 1, LARGE], dtype="Int64"),
    "categories": pd.Series([LARGE + 1, LARGE], dtype="Int64").astype("category"),
    "sparse": pd.Series(pd.arrays.SparseArray([LARGE + 1, LARGE])),
    "Arrow": arrow([LARGE + 1, LARGE], pa.int64()),
    "PyArrow": pa.array([LARGE + 1, LARGE]),
    "chunks": pa.chunked_array([[LARGE + 1], [LARGE]]),
    "polars": pl.Series([LARGE + 1, LARGE]),
}


@pytest.mark.parametrize("y", INTEGERS.values(), ids=INTEGERS.keys())
def test_encode_labels__integers_in_any_container__are_the_same(y):
    classes, labels = encode_labels(y)
    assert classes.tolist() == [LARGE, LARGE + 1]
    assert classes.dtype == np.int64
    assert labels.tolist() == [1, 0]


TEXT = {
    "list": ["b", "a"],
    "array": np.array(["b", "a"]),
    "strings of variable length": np.array(["b", "a"], dtype=np.dtypes.StringDType()),
    "objects": np.array(["b", "a"], dtype=object),
    "string": pd.Series(["b", "a"], dtype="string"),
    "string array": pd.array(["b", "a"], dtype="string"),
    "category": pd.Series(["b", "a"], dtype="category"),
    "ordered, with a category that no row has": pd.Categorical(
        ["b", "a"], categories=["b", "none", "a"], ordered=True
    ),
    "Arrow": arrow(["b", "a"], pa.string()),
    "Arrow dictionary": arrow(["b", "a"], pa.dictionary(pa.int8(), pa.string())),
    "PyArrow dictionary": pa.array(["b", "a"]).dictionary_encode(),
    "polars": pl.Series(["b", "a"]),
    "polars category": pl.Series(["b", "a"], dtype=pl.Categorical),
    "polars enumeration": pl.Series(["b", "a"], dtype=pl.Enum(["b", "a"])),
}


@pytest.mark.parametrize("y", TEXT.values(), ids=TEXT.keys())
def test_encode_labels__text_in_any_container__is_the_same(y):
    classes, labels = encode_labels(y)
    assert classes.tolist() == ["a", "b"]
    assert all(type(label) is str for label in classes.tolist())
    assert labels.tolist() == [1, 0]


BOOLEANS = {
    "objects": np.array([True, False], dtype=object),
    "nullable": pd.array([True, False], dtype="boolean"),
    "category": pd.Series([True, False], dtype="category"),
    "Arrow": arrow([True, False], pa.bool_()),
    "PyArrow": pa.array([True, False]),
    "polars": pl.Series([True, False]),
}


@pytest.mark.parametrize("y", BOOLEANS.values(), ids=BOOLEANS.keys())
def test_encode_labels__booleans_in_any_container__stay_booleans(y):
    classes, labels = encode_labels(y)
    assert classes.tolist() == [False, True]
    assert classes.dtype == bool
    assert labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array([1, 2], dtype=np.float32), [1.0, 2.0]),
        (pd.array([1.0, 2.0], dtype="Float64"), [1.0, 2.0]),
        (arrow([1.0, 2.0], pa.float64()), [1.0, 2.0]),
        ([1, 2.0], [1.0, 2.0]),
        (np.array([1, 2.0], dtype=object), [1.0, 2.0]),
        (np.array([1, 2], dtype=np.longdouble), [1.0, 2.0]),
    ],
    ids=str,
)
def test_encode_labels__whole_floats__stay_floats(y, classes):
    found, _ = encode_labels(y)
    assert found.tolist() == classes
    assert all(type(label) is float for label in found.tolist())


@pytest.mark.parametrize(
    ("y", "dtype"),
    [
        ([UNSIGNED, 5], np.uint64),
        (pd.array([UNSIGNED, 5], dtype="UInt64"), np.uint64),
        (pl.Series([UNSIGNED, 5], dtype=pl.UInt64), np.uint64),
        (np.array([UNSIGNED, 5], dtype=object), np.uint64),
        ([UNSIGNED, -5], object),  # NumPy would make floats of these
        ([2**64, 2**64 + 1], object),
    ],
    ids=str,
)
def test_encode_labels__integers_beyond_64_bits__stay_what_they_are(y, dtype):
    classes, _ = encode_labels(y)
    assert classes.dtype == dtype
    assert set(classes.tolist()) == {int(label) for label in y}


@pytest.mark.parametrize(
    "y",
    [
        ["a", None, "b"],
        ["a", float("nan"), "b"],  # NumPy would make the text "nan" of it
        np.array(["a", np.nan, "b"], dtype=object),
        np.array([1, pd.NA, 2], dtype=object),
        np.array(["a", pd.NaT, "b"], dtype=object),
        [1.0, np.nan, 2.0],
        np.ma.array([0, 1, 0], mask=[False, True, False]),
        pd.array([1, None, 2], dtype="Int64"),
        pd.DataFrame({"y": pd.array([1, None, 2], dtype="Int64")}),
        pd.Series(["a", None, "b"], dtype="string"),
        pd.Series(["a", None, "b"], dtype="category"),
        arrow([True, None, False], pa.bool_()),
        pa.array([1, None, 2]),
        pl.Series([1, None, 2]),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_encode_labels__gap_in_any_container__is_refused_with_its_row(y):
    with pytest.raises(ValueError, match=r"y contains NaN or other gaps, in 1 rows, .* row 1 \("):
        encode_labels(y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1, 1], "one class: 1"),
        ([], "no labels"),
        ([0.5, 0.7], "continuous"),
        (np.array([0.5, 0.7], dtype=object), "continuous"),
        ([1.0, np.inf], "infinity"),
        (None, "y is None"),
        (["a", 1], "types int, str, and labels must be all text"),
        ([True, 2], "types bool, int, and"),
        ([LARGE + 1, 2.0], "types float, int, and"),  # a float would be another label
        (np.array([b"a", b"b"]), r"dtype \|S1, which holds no labels; convert"),
        ([b"a", b"b"], r"dtype \|S1, which holds no labels; convert"),
        (np.array(["2020", "2021"], dtype="M8[Y]"), r"dtype datetime64\[Y\]"),
        ([datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)], "values of type date, and"),
        ([decimal.Decimal(1), decimal.Decimal(2)], "values of type Decimal, and"),
        (pd.cut(pd.Series([1, 5, 9]), 2), "values of type Interval, and"),
        (pd.MultiIndex.from_tuples([(1, 2), (3, 4)]), "values of type tuple, and"),
        ([[1], [2, 3]], "one label for each row"),
        (pd.DataFrame({"a": [1, 2], "b": [1, 2]}), "1d array"),
        ("text", "1d array"),
    ],
    ids=str,
)
def test_encode_labels__unusable__says_why(y, message):
    with pytest.raises(ValueError, match=message):
        encode_labels(y)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("Int64", np.int64), ("UInt8", np.int64), ("boolean", np.bool_), ("int64[pyarrow]", np.int64)],
)
def test_encode_labels__nullable__classes_of_numpy_s_type(dtype, expected):
    classes, labels = encode_labels(pd.Series([1, 0, 1], dtype=dtype))
    assert classes.dtype == expected
    assert labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "y",
    [
        pd.DataFrame({"y": pd.array([LARGE, LARGE + 1], dtype="Int64")}),
        pl.DataFrame({"y": [LARGE, LARGE + 1]}),
        pa.table({"y": [LARGE, LARGE + 1]}),
    ],
    ids=["pandas", "polars", "PyArrow"],
)
def test_encode_labels__frame_of_one_column__is_the_column_with_a_warning(y):
    with pytest.warns(DataConversionWarning):
        classes, labels = encode_labels(y)
    assert classes.tolist() == [LARGE, LARGE + 1]
    assert labels.tolist() == [0, 1]


def test_codes_among__known_and_unknown_labels__are_told_apart():
    codes = codes_among(np.array(["a", "c"]), pd.Series(["c", "b", "a", "d"]), name="y")
    assert codes.tolist() == [1, 2, 0, 3]


def test_codes_among__no_label_known__is_refused():
    with pytest.raises(ValueError, match="none of the training labels 0, 1 but '0', for one"):
        codes_among(np.array([0, 1]), ["0", "1"], name="y of eval_set")


MODELS = [QCLMixNetClassifier, MLPNetworkClassifier, GCNClassifier, KNNClassifier]


@pytest.mark.parametrize("make", MODELS)
def test_fit__same_labels_in_other_containers__same_model(make):
    X = np.random.default_rng(0).normal(size=(20, 2))
    labels = [1, 0, 1, 1] * 5
    parameters = {} if make is KNNClassifier else {"epochs": 1, "random_state": 0}
    expected = make(**parameters).fit(X, labels)
    for y in (
        pd.Series(labels, index=np.random.default_rng(1).permutation(20), dtype="Int64"),
        pd.array(labels, dtype="Int8"),
        np.array(labels, dtype=object),
        pl.Series(labels),
    ):
        model = make(**parameters).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
        assert model.classes_.tolist() == [0, 1]
        assert type(model.predict(X).tolist()[0]) is int


def test_fit__indexes_that_disagree__rows_go_by_position():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(20, 2)), columns=["a", "b"])
    y = (X["a"] > 0).astype(int)
    parameters = {"epochs": 1, "random_state": 0, "checkpoint": "validation"}
    expected = QCLMixNetClassifier(**parameters).fit(X.to_numpy(), y.to_numpy())
    shuffled = X.set_axis(rng.permutation(20)), y.set_axis(rng.permutation(20))
    model = QCLMixNetClassifier(**parameters).fit(*shuffled)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X.to_numpy()))


@pytest.mark.filterwarnings("ignore::qcl_mixnet.estimators.training_options.TestSelectionWarning")
def test_fit__eval_set_labels_in_any_container__choose_the_same_epoch():
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(30, 2)), [0, 1, 2] * 10
    histories = []
    for y in (labels, pd.Series(labels, dtype="Int64", index=range(30, 0, -1)), pl.Series(labels)):
        model = QCLMixNetClassifier(epochs=3, random_state=0, checkpoint="test")
        histories.append(model.fit(X, labels, eval_set=(X, y)).history_)
    for history in histories[1:]:
        pd.testing.assert_frame_equal(history, histories[0])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["0", "1", "0"], "y of eval_set holds none of the training labels 0, 1 but '0'"),
        ([0, None, 1], r"y of eval_set contains NaN or other gaps, in 1 rows, .* row 1"),
        ([0, 1], "inconsistent numbers of samples"),
    ],
)
@pytest.mark.filterwarnings("ignore::qcl_mixnet.estimators.training_options.TestSelectionWarning")
def test_fit__unusable_eval_set_labels__are_refused(y, message):
    model = QCLMixNetClassifier(epochs=1, checkpoint="test")
    X = np.arange(6.0).reshape(3, 2)
    with pytest.raises(ValueError, match=message):
        model.fit(X, [0, 1, 0], eval_set=(X, y))


@pytest.mark.parametrize(
    "y",
    [
        [LARGE + 1, LARGE] * 4,
        pd.array([UNSIGNED, 5] * 4, dtype="UInt64"),
        pd.array([True, False] * 4, dtype="boolean"),
        pd.Series(["ä", "b"] * 4, dtype="category"),
        np.array([1, 2] * 4, dtype=np.float32),
        np.array([2**64, 2**64 + 1] * 4, dtype=object),
    ],
    ids=["large", "unsigned", "booleans", "category", "float32", "beyond 64 bits"],
)
def test_save__any_labels__come_back_with_their_type(y, tmp_path):
    X = np.random.default_rng(0).normal(size=(8, 2))
    model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, y)
    model.save(tmp_path / "m")
    loaded = QCLMixNetClassifier.load(tmp_path / "m")
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize(
    "y",
    [pd.array([LARGE + 1, LARGE] * 4, dtype="Int64"), pd.array(["b", "a"] * 4)],
    ids=["integers", "text"],
)
def test_to_onnx__labels_of_nullable_types__are_the_estimator_s(y):
    X = np.random.default_rng(0).normal(size=(8, 2))
    model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, y)
    session = onnxruntime.InferenceSession(model.to_onnx().SerializeToString())
    assert session.run(["label"], {"X": X})[0].tolist() == model.predict(X).tolist()
