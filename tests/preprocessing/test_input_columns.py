import numpy as np
import pandas as pd
from tests.preprocessing.dated_table import make_dated_table

from qcl_mixnet.preprocessing.input_columns import InputColumn, input_columns
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


def test_input_columns__numbers_and_categories():
    table = pd.DataFrame({"a": ["x", None, "y"], "b": [1.0, 3.0, None], "c": [None, None, None]})
    columns = input_columns(TablePreprocessor(categorical_features=[0]).fit(table))
    assert columns == [
        InputColumn("categories", "x", frozenset("xy")),
        InputColumn("numbers", 2.0),
        InputColumn("numbers", 0.0),
    ]


def test_input_columns__dates_and_joined_levels__are_those_of_the_table():
    table, _ = make_dated_table()
    preprocessor = TablePreprocessor(dates="features", rare_levels="join", max_levels=4)
    columns = input_columns(preprocessor.fit(table))
    assert [column.kind for column in columns] == [
        "numbers", "dates", "categories", "categories", "dates", "categories", "categories", "dates"
    ]  # fmt: skip
    most = table["shop"].value_counts().index[:3]
    assert columns[2].levels == set(most)
    assert columns[2].typical == min(most)
    for position, name, zoned in ((1, "paid", False), (4, "booked", True), (7, "joined", False)):
        assert columns[position].typical == table[name].min()
        assert columns[position].zoned is zoned
    typical = pd.DataFrame([[column.typical for column in columns]], columns=list(table))
    assert np.isfinite(preprocessor.transform(typical)).all()
