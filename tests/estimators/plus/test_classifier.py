"""QCLMixNetPlusClassifier: reproducible, and clear about what it cannot use."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from tests.estimators.plus.quick import make_frame, make_model, make_table

from qcl_mixnet.estimators.plus.classifier import input_layout
from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor, UnseenLevelsWarning

pytestmark = pytest.mark.usefixtures("quick_plan")

N = 24
A = np.random.default_rng(0).normal(size=(N, 3))
Y = np.array(["a", "b", "b"] * 8)
# Every kind of network and of neighbour.
ALL = {"n_members": None, "neighbors": True}


def check(X, y=Y, X_new=None, **parameters):
    model = make_model(**parameters).fit(X, y)
    X_new = X if X_new is None else X_new
    probabilities = model.predict_proba(X_new)
    assert probabilities.shape == (len(X_new), len(model.classes_))
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert set(model.predict(X_new)) <= set(model.classes_)
    return model


def test_same_seed__the_same_to_the_last_bit_and_global_generators_untouched():
    frame, y = make_frame()
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.random.get_rng_state()  # noqa: NPY002
    first, second = (make_model(**ALL).fit(frame, y) for _ in range(2))
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    np.testing.assert_array_equal(first.predict_proba(frame), second.predict_proba(frame))
    np.testing.assert_array_equal(first.out_of_fold_proba_, second.out_of_fold_proba_)
    np.testing.assert_array_equal(first.decision_weights_, second.decision_weights_)
    columns = ["kind", "log_loss", "weight", "best_epoch"]
    pd.testing.assert_frame_equal(first.leaderboard_[columns], second.leaderboard_[columns])


def test_other_seed__and_generator_as_seed():
    X, y = make_table()
    first, other = (make_model(random_state=s).fit(X, y).predict_proba(X) for s in (0, 1))
    assert not np.array_equal(first, other)
    drawn = [make_model(random_state=np.random.RandomState(0)).fit(X, y) for _ in range(2)]
    np.testing.assert_array_equal(drawn[0].predict_proba(X), drawn[1].predict_proba(X))


def test_classes__of_a_copy_with_words__the_same_probabilities():
    X, y = make_table()
    numbers = make_model().fit(X, y).predict_proba(X)
    words = make_model().fit(X, np.array(["x", "y"])[y]).predict_proba(X)
    np.testing.assert_array_equal(words, numbers)


@pytest.mark.parametrize("labels", [["b", "a"], [True, False], [3, -1], [1.0, 0.0]], ids=str)
def test_labels__of_any_kind__are_predicted(labels):
    y = np.array(labels * 12)
    model = check(A, y)
    assert model.classes_.tolist() == sorted(labels)
    assert model.predict(A).dtype == y.dtype


def test_decision__given_tuned_or_none():
    X, y = make_table()
    plain = make_model(decision="argmax").fit(X, y)
    assert plain.decision_weights_.tolist() == [1, 1]
    np.testing.assert_array_equal(plain.predict(X), plain.predict_proba(X).argmax(1))
    tuned = make_model(decision="balanced_accuracy").fit(X, y)
    given = make_model(decision={0: 1e-9, 1: 1.0}).fit(X, y)
    assert given.predict(X).tolist() == [1] * 60
    for model in (tuned, given):
        np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
        expected = (model.predict_proba(X) * model.decision_weights_).argmax(1)
        np.testing.assert_array_equal(model.predict(X), expected)


TABLES = {
    "one column": A[:, :1],
    "constant columns": np.ones((N, 2)),
    "columns of gaps alone": np.full((N, 2), np.nan),
    "gaps": np.where(A > 0.5, np.nan, A),
    "one categorical column": pd.DataFrame({"c": ["x", "y", "z", "x"] * 6}),
    "many levels": pd.DataFrame({"c": pd.Categorical([f"l{i % 12}" for i in range(N)])}),
    "lists": A.tolist(),
    "far numbers": np.where(A[2, 1] == A, 1e30, A),
    "subnormal": A * 5e-324,
}


@pytest.mark.parametrize("X", TABLES.values(), ids=TABLES)
def test_table__of_any_kind__works(X):
    check(X, n_members=2, neighbors=True)


def test_table__new_rows_far_away__finite_probabilities():
    check(np.where(A[2, 1] == A, 1e30, A), X_new=A * 1e37, **ALL)
    check(A, X_new=np.full((2, 3), np.nan))


def test_table__700_columns():
    check(np.random.default_rng(0).normal(size=(N, 700)), neighbors=True)


def test_table__100_classes__without_a_warning():
    """A fold has more classes than half of its rows, but the table has not."""
    rng = np.random.default_rng(0)
    check(rng.normal(size=(250, 2)), np.arange(250) % 100, neighbors=True, n_members=2)


def test_table__smallest__two_rows_of_two_classes():
    check(A[:4], ["a", "a", "b", "b"], **ALL)
    check(A[:5], ["a", "a", "b", "b", "b"], n_members=2)


def test_classes__one_of_two_rows__is_predicted_for():
    model = check(A, ["a"] * 22 + ["b"] * 2)
    assert model.classes_.tolist() == ["a", "b"]


def test_classes__one_of_one_row__is_refused_by_name():
    with pytest.raises(ValueError, match=r"Class 'b' has 1 row, .* at least 2 of every class"):
        make_model().fit(A, ["a"] * 23 + ["b"])
    with pytest.raises(ValueError, match=r"Class 7 has 1 row, .* or use QCLMixNetClassifier"):
        make_model().fit(A, np.r_[[7], np.arange(23) % 2])


REFUSED = {
    "one class": ((A, ["a"] * N), "at least 2 classes; y holds one class: a"),
    "gap in y": ((A, [1.0, np.nan] * 12), "Input y contains NaN"),
    "fractions": ((A, A[:, 0]), "Unknown label type: continuous"),
    "lengths": ((A, Y[:-1]), r"inconsistent numbers of samples: \[24, 23\]"),
    "infinity": ((np.where(A[2, 1] == A, np.inf, A), Y), r"infinity, in column .* 1 \(1\)"),
    "no rows": ((A[:0], Y[:0]), r"0 sample\(s\)"),
    "text": ((np.array([["x", 1]] * N, dtype=object), Y), "could not convert string"),
    "periods": ((pd.DataFrame({"c": pd.period_range("2020", periods=N)}), Y), "Column 'c' has dt"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_fit__unusable__is_refused(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_model().fit(*arguments)


PARAMETERS = {
    "n_members": ([0, 7, 1.5, "all"], "The 'n_members' parameter"),
    "time_limit": ([0, -1.0, np.nan, "1h"], "The 'time_limit' parameter"),
    "decision": (["f1"], "The 'decision' parameter"),
    "neighbors": (["yes", 64], "The 'neighbors' parameter"),
    "trees": ([None], "The 'trees' parameter"),
    "random_state": (["seed", -1], "The 'random_state' parameter"),
    "n_jobs": ([0, 1.5], "The 'n_jobs' parameter"),
    "device": ([None], "The 'device' parameter"),
    "categorical_features": (["some"], "The 'categorical_features' parameter"),
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [(name, value, text) for name, (values, text) in PARAMETERS.items() for value in values],
    ids=str,
)
def test_parameters__unusable__are_named_before_any_training(name, value, message):
    with pytest.raises(ValueError, match=message):
        make_model(**{name: value}).fit(A, Y)


def test_parameters__of_the_decision_and_the_columns__are_checked_against_the_table():
    with pytest.raises(ValueError, match="'c'"):
        make_model(decision={"a": 1.0, "c": 2.0}).fit(A, Y)
    with pytest.raises(ValueError, match="kinds"):
        make_model(categorical_features=["kinds"]).fit(*make_frame())
    with pytest.raises((ValueError, RuntimeError), match="gpu9"):
        make_model(device="gpu9").fit(A, Y)


def test_time_limit__without_end__is_taken():
    check(A, time_limit=1e9)


def test_predict__columns_of_another_kind__are_refused():
    frame, y = make_frame()
    model = make_model().fit(frame, y)
    with pytest.raises(ValueError, match="in the same order"):
        model.predict(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="yet now missing:\n- kind"):
        model.predict(frame.drop(columns="kind"))
    with pytest.raises(ValueError, match="Column 'size' holds 'x'"):
        model.predict(frame.assign(size="x"))
    with pytest.raises(ValueError, match="table of 0 rows"):
        model.predict(frame[:0])


def test_predict__unseen_levels__finite_with_a_warning_if_there_are_no_others():
    frame, y = make_frame()
    model = make_model(n_members=2, neighbors=True).fit(frame, y)
    some = frame.assign(kind=["new", *frame["kind"][1:]])
    with warnings.catch_warnings(action="error"):
        assert np.isfinite(model.predict_proba(some)).all()
    with pytest.warns(UnseenLevelsWarning, match="'kind'"):
        assert np.isfinite(model.predict_proba(frame.assign(kind="new"))).all()


def test_categorical_features__by_position__as_text_of_the_same_levels():
    codes = np.arange(N) % 3
    X = np.column_stack([A[:, 0], codes])
    frame = pd.DataFrame({"a": A[:, 0], "b": codes.astype(str)})
    listed = make_model(categorical_features=[1]).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(listed, make_model().fit(frame, Y).predict_proba(frame))


def test_dates_and_rare_levels__are_read_without_being_asked():
    frame, y = make_frame()
    table = frame.assign(when=pd.date_range("2020-01-30", periods=60, freq="h"))
    table["shop"] = [f"shop {i}" for i in range(60)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TablePreprocessor.__init__.__kwdefaults__, "max_levels", 5)
        model = make_model().fit(table, y)
    names = model.preprocessor_.get_feature_names_out().tolist()
    assert {"when_month", "when_hour", "when_elapsed", "shop_(other)"} <= set(names)
    later = table.assign(when=pd.Timestamp(2030, 1, 1), shop="unknown")
    assert np.isfinite(model.predict_proba(later)).all()


def test_input_layout__numbers_then_levels_then_indicators():
    frame, _ = make_frame()
    preprocessor = GapIndicatingPreprocessor().fit(frame)
    layout = input_layout(preprocessor)
    assert (layout.n_numbers, layout.levels) == (3, (12, 2, 1))
    assert layout.width == preprocessor.transform(frame).shape[1]
