import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.data.gaps import COMMON_CODES, GapCodes, codes_among_numbers, is_code


def test_common_codes__are_those_of_pandas():
    from pandas._libs.parsers import STR_NA_VALUES

    assert set(COMMON_CODES) == STR_NA_VALUES


@pytest.mark.parametrize(
    ("told", "feature", "other"),
    [
        (None, COMMON_CODES, COMMON_CODES),
        (("?",), COMMON_CODES | {"?"}, COMMON_CODES | {"?"}),
        ((), {""}, {""}),
        ({"a": ("?",)}, COMMON_CODES | {"?"}, COMMON_CODES),
        ({"a": ()}, {""}, COMMON_CODES),
    ],
)
def test_gap_codes__told__join_the_common_ones_unless_there_is_none(told, feature, other):
    codes = GapCodes(told)
    assert codes.of_feature("a") == feature
    assert codes.of_feature("b") == other
    assert codes.of_target("b") >= other


@pytest.mark.parametrize(
    ("values", "codes", "expected"),
    [
        ([1, -999, 3], {"-999"}, [False, True, False]),
        ([1.0, -999.0, np.nan], {"-999"}, [False, True, False]),
        (["-999.00", " ? ", "x"], {"-999", "?"}, [True, True, False]),
        (["1", None, "NA"], {"NA"}, [False, False, True]),
        ([[1], {"a": 1}, "NA"], {"NA"}, [False, False, True]),
        ([True, False, True], {"1"}, [True, False, True]),
        (pd.Categorical(["a", "NA", "a"]), {"NA"}, [False, True, False]),
    ],
)
def test_is_code__values_of_any_type__marked(values, codes, expected):
    assert is_code(pd.Series(values), codes).tolist() == expected


def test_codes_among_numbers__objects_that_are_no_scalars__are_none():
    assert codes_among_numbers(pd.Series([[1], [2], "?"], dtype=object)) == []
    assert codes_among_numbers(pd.Series([1, 2.5, "?"], dtype=object)) == ["?"]
    assert codes_among_numbers(pd.Series(["?", "?"])) == []
