import datetime as dt

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder
from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

NAN = np.nan


def make_table():
    return pd.DataFrame(
        {
            "amount": [1.0, 2.0, NAN, 4.0],
            "paid": pd.to_datetime(
                ["2023-12-31 06:00", "2024-01-01 18:00", None, "2024-03-04 06:00"]
            ),
            "born": [dt.date(2000, 5, 1), dt.date(2000, 5, 2), None, None],
            "shop": ["a", "b", "a", None],
        },
        index=[7, 7, 8, 9],
    )


@parametrize_with_checks([ColumnEncoder(), ColumnEncoder(dates="error", rare_levels="error")])
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


def test_dates__become_the_numbers_that_vary():
    table = make_table()
    encoder = ColumnEncoder().fit(table)
    encoded = encoder.transform(table)
    assert list(encoded) == [
        "amount", "paid_year", "paid_month", "paid_weekday", "paid_hour", "paid_elapsed",
        "born_weekday", "born_elapsed", "shop",
    ]  # fmt: skip
    assert list(encoder.get_feature_names_out()) == list(encoded)
    assert encoded.index.tolist() == [7, 7, 8, 9]
    expected = {
        "paid_year": [2023, 2024, NAN, 2024],
        "paid_month": [12, 1, NAN, 3],
        "paid_weekday": [6, 0, NAN, 0],
        "paid_hour": [6, 18, NAN, 6],
        "paid_elapsed": [0, 1.5, NAN, 64],
        "born_weekday": [0, 1, NAN, NAN],
        "born_elapsed": [0, 1, NAN, NAN],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(encoded[name], values)
    for name in ("amount", "shop"):
        pd.testing.assert_series_equal(encoded[name], table[name])


def test_dates__of_new_rows__count_from_the_first_of_training():
    encoder = ColumnEncoder().fit(make_table()[["paid"]])
    new = pd.DataFrame({"paid": pd.to_datetime(["2023-12-30 00:00", "1969-12-31 23:00"])})
    encoded = encoder.transform(new)
    np.testing.assert_allclose(encoded["paid_elapsed"], [-1.25, -19722 - 7 / 24], rtol=1e-12)
    assert encoded["paid_year"].tolist() == [2023, 1969]
    assert encoded["paid_hour"].tolist() == [0, 23]


def test_dates__constant_or_without_a_value__keep_the_elapsed_days():
    table = pd.DataFrame(
        {"one": [pd.Timestamp(2024, 1, 1)] * 2, "none": pd.to_datetime([None, None])}
    )
    encoded = ColumnEncoder().fit_transform(table)
    assert list(encoded) == ["one_elapsed", "none_elapsed"]
    np.testing.assert_array_equal(encoded, [[0, NAN], [0, NAN]])
    assert TablePreprocessor(dates="features").fit_transform(table).tolist() == [[0, 0], [0, 0]]


def test_names__that_are_taken__get_an_underscore():
    table = make_table()[["paid"]].assign(paid_year=1.0, paid_year_=2.0)
    encoded = ColumnEncoder().fit_transform(table)
    assert next(iter(encoded)) == "paid_year__"
    assert encoded["paid_year"].tolist() == [1.0] * 4


def test_names__that_are_numbers__positions_instead():
    table = make_table().set_axis(range(4), axis=1)
    encoder = ColumnEncoder().fit(table)
    assert list(encoder.transform(table))[:3] == ["x0", "x1_year", "x1_month"]
    with config_context(transform_output="pandas"):
        assert list(encoder.transform(table))[-1] == "x3"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["2024-01-01"], "Column 'paid' held dates .* now holds '2024-01-01'; convert"),
        ([20240101], "now holds .*20240101"),
        (pd.to_datetime(["2024-01-01"], utc=True), "had no time zone .* have one now"),
    ],
)
def test_dates__once_fitted__other_cells_are_refused(cells, message):
    encoder = ColumnEncoder().fit(make_table()[["paid"]])
    with pytest.raises(ValueError, match=message):
        encoder.transform(pd.DataFrame({"paid": cells}))


def test_dates__with_a_time_zone__are_the_same_moments_in_any():
    table = pd.DataFrame(
        {"paid": pd.to_datetime(["2024-01-01 01:00", "2024-01-02 00:00"], utc=True)}
    )
    encoder = ColumnEncoder().fit(table)
    expected = encoder.transform(table)
    assert expected["paid_hour"].tolist() == [1, 0]
    moved = table.assign(paid=table["paid"].dt.tz_convert("America/New_York"))
    pd.testing.assert_frame_equal(encoder.transform(moved), expected)
    with pytest.raises(ValueError, match=r"had a time zone .* have none now"):
        encoder.transform(table.assign(paid=table["paid"].dt.tz_localize(None)))


@pytest.mark.parametrize("gaps", [[None, None], [NAN, NAN], [pd.NaT, pd.NaT]])
def test_dates__nothing_but_gaps_of_any_kind__are_gaps(gaps):
    encoder = ColumnEncoder().fit(make_table()[["paid"]])
    assert encoder.transform(pd.DataFrame({"paid": gaps})).isna().all(axis=None)


def test_dates__asked_to_refuse__as_the_preprocessor_does():
    with pytest.raises(ValueError, match="Column 'paid' has dtype datetime64"):
        ColumnEncoder(dates="error").fit(make_table())


def test_dates__among_categorical_features__are_refused():
    with pytest.raises(ValueError, match="Column 'paid' is among categorical_features and holds"):
        ColumnEncoder(categorical_features=["shop", "paid"]).fit(make_table())


def levels_table(n=2):
    """Levels a to f; those further on are rarer."""
    return pd.DataFrame({"shop": list("aaaabbbccdef") * n})


def test_rare_levels__the_most_frequent_are_kept():
    encoder = ColumnEncoder(max_levels=4).fit(levels_table())
    assert encoder.kept_levels_[0].tolist() == ["a", "b", "c"]
    encoded = encoder.transform(pd.DataFrame({"shop": ["a", "d", "zzz", None, "(other)", "c"]}))
    assert encoded["shop"].fillna("gap").tolist() == ["a", *["(other)"] * 2, "gap", "(other)", "c"]


def test_rare_levels__equally_rare__the_first_in_the_alphabet_is_kept():
    encoder = ColumnEncoder(max_levels=5).fit(levels_table()[::-1])
    assert encoder.kept_levels_[0].tolist() == ["a", "b", "c", "d"]


def test_rare_levels__gaps__count_as_a_level():
    table = pd.concat([levels_table(), pd.DataFrame({"shop": [None]})])
    encoder = ColumnEncoder(max_levels=4).fit(table)
    assert encoder.kept_levels_[0].tolist() == ["a", "b"]
    assert encoder.transform(table)["shop"].nunique(dropna=False) == 4
    TablePreprocessor(max_levels=4).fit(encoder.transform(table))


def test_rare_levels__a_level_of_the_joined_one_s_name__is_another():
    table = pd.DataFrame({"shop": ["(other)", "(other)", "((other))", "b", "b", "c", "d"]})
    encoder = ColumnEncoder(max_levels=3).fit(table)
    assert encoder.other_levels_ == ["(((other)))"]
    assert encoder.transform(table)["shop"].tolist()[:3] == ["(other)"] * 2 + ["(((other)))"]


def test_rare_levels__few_levels__stay_as_they_are():
    table = levels_table()
    assert ColumnEncoder(max_levels=6).fit_transform(table) is table
    assert ColumnEncoder(max_levels=2).fit(table[["shop"]].isin(["a"])).changes_columns is False


def test_rare_levels__numbers_as_categories__go_by_value():
    table = pd.DataFrame({"code": [1.0, 1, 2, 2, 3, 4], "x": range(6)})
    encoder = ColumnEncoder(max_levels=3, categorical_features=["code"]).fit(table)
    assert encoder.transform(table)["code"].tolist() == ["1", "1", "2", "2", "(other)", "(other)"]
    assert ColumnEncoder(max_levels=3).fit(table).changes_columns is False


def test_rare_levels__asked_to_refuse__with_the_remedy():
    with pytest.raises(ValueError, match=r"'shop' has 6 levels, more than max_levels=4; .*'join'"):
        ColumnEncoder(rare_levels="error", max_levels=4).fit(levels_table())


def test_rare_levels__learnt_from_training_rows_alone():
    encoder = ColumnEncoder(max_levels=3).fit(levels_table())
    later = pd.DataFrame({"shop": ["f"] * 100})
    encoder.transform(later)
    assert encoder.transform(later)["shop"].unique().tolist() == ["(other)"]


def test_pipeline__before_any_classifier():
    rng = np.random.default_rng(0)
    days = rng.integers(0, 700, 80)
    table = pd.DataFrame(
        {
            "when": pd.Timestamp(2023, 1, 1) + pd.to_timedelta(days, unit="D"),
            "shop": rng.integers(0, 60, 80).astype(str),
        }
    )
    y = days > 350
    steps = ColumnEncoder(max_levels=10), TablePreprocessor(), LogisticRegression()
    model = clone(make_pipeline(*steps)).fit(table, y)
    assert model.score(table, y) > 0.95
    names = model[:-1].get_feature_names_out().tolist()
    assert {"when_year", "when_elapsed", "shop_(other)"} <= set(names)


def fraud_table(n_rows=60):
    rng = np.random.default_rng(1)
    days = rng.integers(0, 40, n_rows).astype(float)
    days[::7] = NAN
    return pd.DataFrame(
        {
            "amount": rng.normal(size=n_rows),
            "when": pd.Timestamp(2024, 1, 1) + pd.to_timedelta(days, unit="D"),
            "shop": rng.integers(0, 30, n_rows).astype(str),
            "abroad": rng.random(n_rows) < 0.5,
        }
    )


@pytest.mark.parametrize("kind", [TablePreprocessor, GapIndicatingPreprocessor])
def test_preprocessor__delegates(kind):
    table = fraud_table()
    whole = kind(dates="features", rare_levels="join", max_levels=8).fit(table)
    first = ColumnEncoder(max_levels=8).fit(table)
    second = TablePreprocessor(max_levels=8).fit(first.transform(table))
    expected = second.transform(first.transform(table))
    out = whole.transform(table)
    np.testing.assert_array_equal(out[:, : expected.shape[1]], expected)
    names = whole.get_feature_names_out().tolist()
    assert names[: expected.shape[1]] == second.get_feature_names_out().tolist()
    assert names[expected.shape[1] :] == [] or names[expected.shape[1] :] == ["when_elapsed_gap"]
    assert len(names) == out.shape[1]
    assert (whole.n_features_in_, whole.feature_names_in_.tolist()) == (4, list(table))


def test_gap_indicators__a_date_has_one():
    table = fraud_table()
    preprocessor = GapIndicatingPreprocessor(dates="features").fit(table)
    out = preprocessor.transform(table)
    assert preprocessor.get_feature_names_out().tolist()[-1] == "when_elapsed_gap"
    np.testing.assert_array_equal(out[:, -1], table["when"].isna())
    assert len(preprocessor.gap_columns_) == 1


@pytest.mark.parametrize("kind", [TablePreprocessor, GapIndicatingPreprocessor])
def test_preprocessor__asked_but_nothing_to_do__bit_equal_and_without_an_encoder(kind):
    table = fraud_table().drop(columns="when").assign(size=[NAN, *range(59)])
    plain, asked = kind(), kind(dates="features", rare_levels="join")
    np.testing.assert_array_equal(asked.fit_transform(table), plain.fit_transform(table))
    assert asked.encoder_ is None


def test_preprocessor__by_default__refuses_what_it_always_refused():
    table = fraud_table()
    with pytest.raises(ValueError, match="'when' has dtype datetime64"):
        TablePreprocessor(rare_levels="join").fit(table)
    with pytest.raises(ValueError, match=r"'shop' has .* levels, more than max_levels=8"):
        TablePreprocessor(dates="features", max_levels=8).fit(table)
    with pytest.raises(ValueError, match=r"'shop' has .* levels, more than max_levels=8"):
        TablePreprocessor(max_levels=8).fit(table.drop(columns="when"))


def test_preprocessor__listed_categories_before_and_behind_a_date():
    table = fraud_table()[["abroad", "when", "shop", "amount"]]
    preprocessor = TablePreprocessor(
        dates="features", rare_levels="join", max_levels=5, categorical_features=[0, 2]
    ).fit(table)
    names = preprocessor.get_feature_names_out().tolist()
    assert "when_elapsed" in names
    assert [name for name in names if name.startswith(("abroad", "shop"))][:2] == [
        "abroad_False", "abroad_True"
    ]  # fmt: skip
    assert len([name for name in names if name.startswith("shop")]) == 5


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_preprocessor__set_output_of_the_user__decides_on_nothing_inside(output):
    table = fraud_table()
    preprocessor = TablePreprocessor(dates="features")
    expected = preprocessor.fit_transform(table)
    with config_context(transform_output=output):
        out = preprocessor.fit(table).transform(table)
    np.testing.assert_array_equal(out.to_numpy(), expected)
