"""Whatever table comes: a finite matrix of constant width, or one sentence."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

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
