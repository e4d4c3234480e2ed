import numpy as np
import pandas as pd
import pytest

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.estimators.predictions import prediction_table, probability_columns


@pytest.mark.parametrize("labels", [["b", "a"], [7, 3], [True, False]])
def test_prediction_table__decision_weights__label_is_the_model_s_decision(labels):
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, labels * 20)
    probabilities = model.predict_proba(X)
    middle = np.median(probabilities[:, 1] / probabilities[:, 0])
    model.set_params(decision=[middle, 1.0]).fit(X, labels * 20)

    table = prediction_table(model, X)

    assert list(table) == ["label", *probability_columns(model)]
    assert probability_columns(model) == [f"proba_{label}" for label in sorted(labels)]
    np.testing.assert_array_equal(table["label"], model.predict(X))
    np.testing.assert_array_equal(table.iloc[:, 1:], model.predict_proba(X))
    assert table["label"].value_counts().tolist() == [20, 20]
    assert pd.api.types.infer_dtype(table["label"]) == pd.api.types.infer_dtype(labels)
