"""Models that encode dates and join rare levels, in files and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.estimators.plus.quick_fits import fit_quickly
from tests.persistence.forging import assert_usable_or_refused, fuzz
from tests.preprocessing.dated_table import make_dated_table

from qcl_mixnet import QCLMixNetClassifier, QCLMixNetPlusClassifier
from qcl_mixnet.persistence.preprocessor import preprocessor_state, restore_preprocessor
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

ASKED = {"dates": "features", "rare_levels": "join"}


def fitted(**parameters):
    table, _ = make_dated_table()
    return TablePreprocessor(**{**ASKED, "max_levels": 8, **parameters}).fit(table)


def test_restore_preprocessor__dates_and_joined_levels__bit_equal_transforms():
    preprocessor = fitted()
    document, arrays = preprocessor_state(preprocessor)
    restored = restore_preprocessor(json.loads(json.dumps(document)), arrays)
    for table in (make_dated_table()[0], make_dated_table(seed=1)[0]):
        assert np.array_equal(restored.transform(table), preprocessor.transform(table))
    assert list(restored.get_feature_names_out()) == list(preprocessor.get_feature_names_out())
    assert set(vars(restored)) == set(vars(preprocessor))
    assert vars(restored.encoder_).keys() == vars(preprocessor.encoder_).keys()
    assert preprocessor_state(restored)[0] == document


def of_date(**changes):
    return lambda encoder: encoder["dates"][0].update(changes)


def of_joined(**changes):
    return lambda encoder: encoder["joined"][0].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (of_date(column=99), "different columns"),
        (of_date(column=-1), "different columns"),
        (of_date(column=4), "different columns"),
        (of_date(column=7), "ascending order"),
        (of_date(column=2), "different columns"),
        (of_date(parts=["year"]), "the last included"),
        (of_date(parts=["hour", "year", "elapsed"]), "the last included"),
        (of_date(parts=["elapsed"]), "positions"),
        (of_date(parts=["second", "elapsed"]), "parts"),
        (of_date(parts=[]), "parts"),
        (of_date(first=2**62), "first"),
        (of_date(first=0.5), "first"),
        (of_date(zoned=1), "zoned"),
        (of_joined(column=True), "column"),
        (of_joined(kept=["b", "a"]), "not sorted"),
        (of_joined(kept=["a", "a"]), "not sorted"),
        (of_joined(kept=["a"], other="a"), "not sorted"),
        (lambda encoder: encoder.update(dates=[], joined=[]), "different columns"),
        (lambda encoder: encoder.update(hook="x"), "hook"),
    ],
)
def test_restore_preprocessor__encoder_that_does_not_fit__is_refused(change, message):
    document, arrays = preprocessor_state(fitted())
    change(document["encoder"])
    with pytest.raises(ValueError, match=message):
        restore_preprocessor(document, arrays)


@pytest.mark.parametrize("name", ASKED)
def test_restore_preprocessor__encoder_that_the_parameters_exclude__is_refused(name):
    document, arrays = preprocessor_state(fitted())
    document["parameters"][name] = "error"
    with pytest.raises(ValueError, match="that its parameters refuse"):
        restore_preprocessor(document, arrays)


@pytest.fixture
def few_levels(monkeypatch):
    """Classifiers join levels beyond 8 instead of 1000."""
    monkeypatch.setitem(TablePreprocessor.__init__.__kwdefaults__, "max_levels", 8)


def test_save__classifier__loads_with_equal_predictions(few_levels, tmp_path, assert_same):
    table, y = make_dated_table()
    model = QCLMixNetClassifier(epochs=2, random_state=0, n_jobs=1, **ASKED).fit(table, y)
    assert len(model.preprocessor_.encoder_.joined_columns_) == 1
    model.save(tmp_path / "model")
    loaded = QCLMixNetClassifier.load(tmp_path / "model")
    assert_same(loaded, model, make_dated_table(seed=1)[0])
    assert loaded.n_features_in_ == 8
    loaded.save(tmp_path / "again")
    for file in ("model.json", "model.safetensors"):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "model" / file).read_bytes()


def test_save__plus__loads_with_equal_predictions(few_levels, tmp_path, assert_same):
    model = fit_quickly(*make_dated_table(), n_members=1)
    assert len(model.preprocessor_.encoder_.date_columns_) == 3
    model.save(tmp_path / "model")
    loaded = QCLMixNetPlusClassifier.load(tmp_path / "model")
    assert_same(loaded, model, make_dated_table(seed=1)[0])
    assert loaded.preprocessor_.get_feature_names_out().tolist() == (
        model.preprocessor_.get_feature_names_out().tolist()
    )


@pytest.fixture(scope="module")
def saved_dated(tmp_path_factory):
    path = tmp_path_factory.mktemp("dated") / "model"
    table, y = make_dated_table()
    QCLMixNetClassifier(epochs=1, random_state=0, n_jobs=1, **ASKED).fit(table, y).save(path)
    return path


def zoned_as_asked(loaded, X):
    """Times with a time zone where the encoder knew one: whether it did is a value like others."""
    encoder = loaded.preprocessor_.encoder_
    X = X.copy()
    for position, zoned in zip(encoder.date_columns_, encoder.zoned_, strict=True):
        if zoned != (X[position].dt.tz is not None):
            X[position] = X[position].dt.tz_localize("UTC" if zoned else None)
    return X


@fuzz(30)
@given(data=st.data())
def test_load__any_value_of_the_encoder_replaced__usable_or_one_error(
    saved_dated, tmp_path, edit, data
):
    def edit_encoder(path, change):
        edit(path, lambda content: change(content["preprocessor"]["encoder"]))

    table = make_dated_table(6)[0]
    table["paid"] = table["paid"].dt.as_unit("us")
    assert_usable_or_refused(
        QCLMixNetClassifier,
        saved_dated,
        tmp_path / "model",
        data,
        edit_encoder,
        table,
        zoned_as_asked,
    )
