"""Labels mean the same whatever holds them; what are no classes is refused in a sentence."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.schema import check_table, describe_table
from qcl_mixnet.data.target import check_target, plain_target

CONTAINERS = {
    "int64": pd.Series([2, 10, 2, 10]),
    "int8": pd.Series([2, 10, 2, 10], dtype="int8"),
    "float": pd.Series([2.0, 10.0, 2.0, 10.0]),
    "nullable": pd.Series([2, 10, 2, 10], dtype="Int64"),
    "nullable float": pd.Series([2, 10, 2, 10], dtype="Float64"),
    "arrow": pd.Series([2, 10, 2, 10], dtype="int64[pyarrow]"),
    "objects": pd.Series([2, 10, 2, 10], dtype=object),
    "decimals": pd.Series([Decimal(2), Decimal(10)] * 2),
    "categories": pd.Series(pd.Categorical([2, 10, 2, 10], categories=[10, 7, 2])),
    "float categories": pd.Series(pd.Categorical([2.0, 10.0, 2.0, 10.0])),
}


@pytest.mark.parametrize("target", CONTAINERS.values(), ids=CONTAINERS.keys())
def test_plain_target__whole_numbers__are_integers_in_every_container(target):
    plain = plain_target(target)
    assert plain.tolist() == [2, 10, 2, 10]
    assert plain.dtype.kind == "i"
    described = describe_table(pd.DataFrame({"a": range(4), "target": target}))
    assert described["class_counts"] == {"2": 2, "10": 2}


@pytest.mark.parametrize(
    "target",
    [
        pd.Series([True, False]),
        pd.Series([True, False], dtype="boolean"),
        pd.Series([True, False], dtype="bool[pyarrow]"),
        pd.Series([True, False], dtype=object),
        pd.Series(pd.Categorical([True, False])),
    ],
    ids=lambda target: str(target.dtype),
)
def test_plain_target__booleans__stay_booleans(target):
    plain = plain_target(target)
    assert plain.dtype == bool
    assert plain.tolist() == [True, False]


@pytest.mark.parametrize(
    "target",
    [
        pd.Series(["1", "x"]),
        pd.Series(["1", "x"], dtype=object),
        pd.Series(["1", "x"], dtype="string"),
        pd.Series(["1", "x"], dtype="str"),
        pd.Series(["1", "x"], dtype="string[pyarrow]"),
        pd.Series(pd.Categorical(["1", "x"])),
        pd.Series([b"1", "x"], dtype=object),
        pd.Series([1, "x"], dtype=object),
        pd.Series([1.0, "x"], dtype=object),
    ],
    ids=lambda target: str(target.dtype),
)
def test_plain_target__text__is_text(target):
    assert plain_target(target).tolist() == ["1", "x"]


def test_plain_target__large_integers__do_not_merge():
    labels = [2**53, 2**53 + 1]
    for dtype in ("int64", "Int64", "UInt64", "int64[pyarrow]", object):
        assert plain_target(pd.Series(labels, dtype=dtype)).tolist() == labels
    assert plain_target(pd.Series([2**63, 2**63 + 1], dtype="UInt64")).tolist() == [
        2**63,
        2**63 + 1,
    ]
    assert plain_target(pd.Series([0.5, 2.0**60])).dtype == float


def test_check_table__unused_categories__are_no_classes():
    target = pd.Categorical(["x", "y"] * 3, categories=["x", "rare", "y"])
    table = pd.DataFrame({"a": [1, 2, 4, 4, 5, 6], "target": target})
    check_table(table, "mine")
    described = describe_table(table)
    assert described["class_counts"] == {"x": 3, "y": 3}
    assert (described["classes"], described["imbalance_ratio"]) == (2, 1.0)
    with pytest.raises(DataError, match="one class only, 'x'"):
        check_table(table[table["target"] == "x"], "mine")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.linspace(0, 1, 300), "300 different values in 300 rows, such as 0.0, .* a quantity"),
        (np.repeat(np.linspace(0, 1, 30), 10), "30 different values .* quantity"),
        (np.arange(300), "300 different values .* quantity"),
        ([f"row {i}" for i in range(300)], "such as row 0, and looks like an identifier"),
        ([[1, 2]] * 300, "values of type list, which are no classes"),
        ([np.arange(2)] * 300, "values of type ndarray"),
        ([{"a": 1}] * 300, "values of type dict"),
    ],
    ids=["fractions", "repeated", "whole", "text", "lists", "arrays", "mappings"],
)
def test_check_target__no_classes__one_sentence(labels, words):
    with pytest.raises(DataError, match=words) as failure:
        check_target(pd.Series(labels), "mine")
    assert "'mine'" in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "labels",
    [
        np.repeat([0.5, 1.5, 2.5], 10),
        np.repeat(np.arange(100), 3),
        [f"c{i % 100}" for i in range(300)],
        pd.to_datetime(["2020-01-01", "2021-01-01"] * 5),
    ],
    ids=["few fractions", "many whole", "many texts", "dates"],
)
def test_check_target__many_classes_of_rows_enough__pass(labels):
    check_target(pd.Series(labels), "mine")
