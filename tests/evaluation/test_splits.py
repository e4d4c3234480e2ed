"""Splits: scikit-learn's own, and one sentence for each bad request."""

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from qcl_mixnet.evaluation import EvaluationError, make_splits

Y = np.repeat([0, 1, 2], [60, 30, 10])


def test_split_s__is_scikit_learns_with_seed_plus_s() -> None:
    splits = make_splits(Y, test_size=0.25, repeats=3, seed=7)
    assert [split.seed for split in splits] == [7, 8, 9]
    for split in splits:
        train, test = train_test_split(
            np.arange(100), test_size=0.25, stratify=Y, random_state=split.seed
        )
        np.testing.assert_array_equal(split.train, train)
        np.testing.assert_array_equal(split.test, test)
        assert split.train.dtype == split.test.dtype == np.int64


def test_defaults__one_stratified_fifth_with_seed_42() -> None:
    (split,) = make_splits(Y)
    assert split.seed == 42
    np.testing.assert_array_equal(np.bincount(Y[split.test]), [12, 6, 2])
    np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.test])), range(100))


def test_strings__split_like_their_codes() -> None:
    (by_name,) = make_splits(np.array(["a", "b", "c"])[Y])
    (by_code,) = make_splits(Y)
    np.testing.assert_array_equal(by_name.test, by_code.test)


def test_class_of_two_rows__may_miss_the_test_part() -> None:
    y = np.repeat([0, 1], [98, 2])
    for split in make_splits(y, repeats=5):
        assert 1 in y[split.train]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"test_size": 1.5}, r"test_size is 1.5 and must lie strictly between 0 and 1; 0.2 keeps"),
        ({"test_size": 0.0}, r"test_size is 0.0 and"),
        ({"test_size": True}, r"test_size is True and"),
        ({"test_size": "0.2"}, r"test_size is '0.2' and"),
        ({"repeats": 0}, r"repeats is 0 and must be a whole number of at least 1; 1 gives"),
        ({"repeats": 1.5}, r"repeats is 1.5 and"),
        ({"seed": -1}, r"seed is -1 and must be a whole number from 0"),
        ({"seed": 2**32 - 1, "repeats": 2}, r"seed is 4294967295 and"),
        ({"test_size": 0.02}, r"leaves 2 test row\(s\) for 3 classes and .*; choose another"),
        ({"test_size": 0.99}, r"leaves 1 training row\(s\) for 3 classes"),
    ],
    ids=str,
)
def test_bad_argument__sentence_with_value_limit_and_remedy(
    arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(EvaluationError, match=sentence):
        make_splits(Y, **arguments)


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        ([0] * 9 + [5], r"Class 5 has 1 row and .* at least 2 of each class; drop the class"),
        (["only"] * 9, r"single class only"),
        ([], r"shape \(0,\)"),
        ([[0, 1], [1, 0]], r"shape \(2, 2\)"),
    ],
    ids=str,
)
def test_bad_classes__sentence(y: Any, sentence: str) -> None:
    with pytest.raises(EvaluationError, match=sentence):
        make_splits(y)


@pytest.mark.parametrize("n", range(6, 40))
@pytest.mark.parametrize("test_size", [0.1, 0.2, 0.3, 0.34, 0.5, 0.7, 0.9])
def test_our_checks__refuse_exactly_what_scikit_learn_refuses(n: int, test_size: float) -> None:
    y = np.arange(n) % 3
    try:
        train_test_split(y, test_size=test_size, stratify=y, random_state=0)
    except ValueError:
        with pytest.raises(EvaluationError):
            make_splits(y, test_size=test_size)
    else:
        make_splits(y, test_size=test_size)
