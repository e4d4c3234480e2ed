"""Kinds of columns, the spelling of levels, and which columns `categorical_features` means."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.preprocessing.features import (
    column_kind,
    factorize,
    level_text,
    listed_columns,
    numbers,
    one_hot_into,
)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1, 2.5, None], "numbers"),
        ([Decimal("1.5"), 1, np.float32(2)], "numbers"),
        ([Fraction(1, 2)], "numbers"),
        ([None, np.nan, pd.NA, pd.NaT], "numbers"),
        ([True, None, np.False_], "booleans"),
        ([True, 1], "categories"),
        (["a", 1], "categories"),
        ([b"a"], "categories"),
    ],
)
def test_column_kind__objects__by_their_cells(cells, kind):
    column = pd.Series(np.array([*cells, None], dtype=object)[:-1], dtype=object)
    assert column_kind(column) == kind


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"), (1.0, "1"), (-0.0, "0"), (np.int8(1), "1"), (Decimal("1.0"), "1"),
        (0.1, "0.1"), (np.float32(0.1), "0.1"), (np.float16(0.1), "0.1"),
        (Decimal("0.10"), "0.1"), (Fraction(1, 2), "0.5"),
        (2**60 + 1, "1152921504606846977"), (2.0**60, "1152921504606846976"),
        (True, "True"), (np.True_, "True"), ("1", "1"), (b"1", "1"), (b"\xff", "\\xff"),
        (pd.Interval(0, 1), "(0, 1]"),
    ],
)  # fmt: skip
def test_level_text__equal_values_of_any_type__one_spelling(value, text):
    assert level_text(value, pd.Series([])) == text


def test_factorize__booleans_beside_numbers__are_levels_of_their_own():
    codes, texts = factorize(pd.Series([True, 1, 1.0, "1", None], dtype=object))
    assert codes.tolist() == [0, 1, 1, 1, -1]
    assert texts.tolist() == ["True", "1"]


def test_numbers__float64__shares_memory_with_the_column():
    column = pd.Series([1.0, np.nan])
    assert np.shares_memory(numbers(column, ""), column.to_numpy())


NAMES = np.array(["a", "b", "c"], dtype=object)


@pytest.mark.parametrize(
    "listed",
    [["a", "c"], [0, 2], [True, False, True], (2, 0, 2), np.array(["c", "a"]), np.array([0, 2]),
     np.array([True, False, True]), pd.Index(["a", "c"]), pd.Series([True, False, True])],
    ids=repr,
)  # fmt: skip
def test_listed_columns__names_positions_or_mask__the_same_columns(listed):
    assert listed_columns(listed, NAMES, 3).tolist() == [True, False, True]


@pytest.mark.parametrize("listed", [[], (), np.array([])], ids=repr)
def test_listed_columns__nothing__none(listed):
    assert not listed_columns(listed, NAMES, 3).any()


@pytest.mark.parametrize(
    ("listed", "names", "words"),
    [
        (["a", "z"], NAMES, "the name 'z', which is no column.*'a', 'b', 'c'"),
        (["a"], None, "the name 'a'.*give positions"),
        ([0, 3], NAMES, "position 3, and the table has 3 columns.*from 0 to 2"),
        ([-1], NAMES, "position -1"),
        ([True, False], NAMES, "mask of 2 values for a table of 3 columns"),
        (["a", 1], NAMES, "of type int, str"),
        ([0, True], NAMES, "of type bool, int"),
        ([0.0], NAMES, "of type float"),
        ([["a"]], NAMES, "of type list"),
    ],
)
def test_listed_columns__not_those_of_the_table__error(listed, names, words):
    with pytest.raises(ValueError, match=f"categorical_features.*{words}"):
        listed_columns(listed, names, 3)


def test_one_hot_into__known_level_gap_and_unknown_level__in_their_columns():
    levels = np.array(["1", "a", np.nan], dtype=object)
    out = np.zeros((4, 3), dtype=np.float32)
    assert one_hot_into(out, pd.Series(["a", None, 1.0, "new"], dtype=object), levels)
    np.testing.assert_array_equal(out, [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(("cells", "known"), [(["new"], False), ([None], True), ([], True)])
def test_one_hot_into__no_value_is_a_level__says_so(cells, known):
    out = np.zeros((len(cells), 1), dtype=np.float32)
    found = one_hot_into(out, pd.Series(cells, dtype=object), np.array(["a"], dtype=object))
    assert found is known
    assert not out.any()
