"""Whatever a data frame holds, a fit works or ends in a ValueError or a TypeError."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcl_mixnet import QCLMixNetClassifier


def make_model(**parameters):
    return QCLMixNetClassifier(**{"epochs": 1, "random_state": 0, "n_jobs": 1} | parameters)


CELLS = st.one_of(
    st.floats(),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.text(max_size=3),
    st.binary(max_size=2),
    st.none(),
    st.just(pd.NA),
    st.decimals(allow_nan=False),  # pandas itself fails on a signalling NaN
    st.dates(),
    st.tuples(),
)
KINDS_OF_CELLS = [
    st.floats(),
    st.floats(width=16),
    st.floats(-1e3, 1e3),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.text(alphabet="ab\0é", max_size=2),
    st.sampled_from(["x", "y", None]),
    st.sampled_from([True, False, None]),
    st.sampled_from([0.0, np.nan]),
    st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1)),
    CELLS,
]


@st.composite
def columns(draw, n_rows):
    cells = draw(st.sampled_from(KINDS_OF_CELLS))
    values = draw(st.lists(cells, min_size=n_rows, max_size=n_rows))
    if draw(st.booleans()):
        return pd.Series(values, dtype=object)
    if draw(st.booleans()):
        return pd.Series(pd.Categorical([str(value) for value in values]))
    try:
        return pd.Series(values)
    except (ValueError, TypeError, OverflowError):  # pandas cannot hold them in one column
        return pd.Series(values, dtype=object)


@st.composite
def frames(draw, n_columns):
    n_rows = draw(st.integers(2, 10))
    return pd.DataFrame({f"c{i}": draw(columns(n_rows)) for i in range(n_columns)})


@pytest.mark.filterwarnings(
    "ignore::qcl_mixnet.preprocessing.table_preprocessor.UnseenLevelsWarning",
    "ignore::qcl_mixnet.grouping.duplicates.DuplicateRowsWarning",
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_frame__works_or_is_a_value_or_type_error(data):
    n_columns = data.draw(st.integers(1, 3))
    X = data.draw(frames(n_columns))
    X_new = data.draw(st.one_of(st.just(X[::-1]), frames(n_columns)))
    labels = data.draw(st.sampled_from([[0, 1], ["a", "b", "c"], [True, False]]))
    others = data.draw(st.lists(st.sampled_from(labels), min_size=len(X), max_size=len(X)))
    y = [*labels[:2], *others[2:]]
    parameters = data.draw(
        st.sampled_from([{}, {"n_members": 2, "bagging": "bootstrap"}, {"calibrate": True}])
    )
    try:
        model = make_model(**parameters).fit(X, y)
        found = [model.predict_proba(X), model.predict_proba(X_new)]
    except (ValueError, TypeError):
        return
    for probabilities in found:
        assert np.isfinite(probabilities).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
