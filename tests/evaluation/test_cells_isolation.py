"""What a cell learns from: the training rows alone, and nothing that other cells leave behind."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.evaluation.probes import KNN, PROBE, QCL_MIXNET, SEED, Probe, columns, make_data, run

from qcl_mixnet.evaluation.splits import Split


def test_run_cell__model__is_fitted_on_the_training_rows_alone():
    data = make_data(repeats=2)
    run(PROBE, data, repeats=2)
    assert len(Probe.fitted_on) == 2
    for (X, y), split in zip(Probe.fitted_on, data.splits, strict=True):
        pd.testing.assert_frame_equal(X, data.features.iloc[split.train])
        np.testing.assert_array_equal(y, data.labels[split.train])


LEARNERS = {
    "knn": (KNN, "last"),
    "svm_smote": ({"class": "qcl_mixnet.baselines.svm.SVMSmoteClassifier"}, "last"),
    "qcl_mixnet last": (QCL_MIXNET, "last"),
    "qcl_mixnet validation": (QCL_MIXNET, "validation"),
}


@pytest.mark.parametrize(("model", "checkpoint"), LEARNERS.values(), ids=LEARNERS.keys())
def test_run_cell__other_test_features__no_other_row_is_predicted_differently(model, checkpoint):
    data = make_data()
    changed, kept = np.split(data.splits[0].test, 2)
    features = data.features.copy()
    features.iloc[changed] = 100 * features.iloc[changed] + 1000

    before = run(model, data, checkpoint=checkpoint).predictions.set_index("row")
    after = run(model, replace(data, features=features), checkpoint=checkpoint)
    after = after.predictions.set_index("row")

    pd.testing.assert_frame_equal(before.loc[kept], after.loc[kept])
    assert not before.loc[changed].equals(after.loc[changed])


@pytest.mark.parametrize(("model", "checkpoint"), LEARNERS.values(), ids=LEARNERS.keys())
def test_run_cell__shuffled_test_labels__no_prediction_changes(model, checkpoint):
    data = make_data()
    labels, test = data.labels.copy(), data.splits[0].test
    labels[test] = np.random.default_rng(0).permutation(labels[test])

    before = run(model, data, checkpoint=checkpoint)
    after = run(model, replace(data, labels=labels), checkpoint=checkpoint)

    assert before.record["metrics"]["accuracy"] != after.record["metrics"]["accuracy"]
    np.testing.assert_array_equal(columns(before, "proba_"), columns(after, "proba_"))
    np.testing.assert_array_equal(columns(before, "y_pred"), columns(after, "y_pred"))


@pytest.mark.parametrize("model", [KNN, QCL_MIXNET], ids=["knn", "qcl_mixnet"])
def test_run_cell__again__same_predictions(model):
    pd.testing.assert_frame_equal(run(model).predictions, run(model).predictions)


def test_run_cell__another_seed__another_network():
    # On the rows of the same split, so that only the network's own seed differs.
    data = make_data()
    split = data.splits[0]
    other = replace(data, splits=[Split(split.train, split.test, SEED + 1)])
    first, second = run(QCL_MIXNET, data), run(QCL_MIXNET, other, seed=SEED + 1)
    np.testing.assert_array_equal(first.predictions["row"], second.predictions["row"])
    assert not np.array_equal(columns(first, "proba_"), columns(second, "proba_"))


def test_run_cell__error_that_cannot_be_encoded__is_told_with_its_escape(monkeypatch):
    def fail(*_):
        raise RuntimeError("no file named a\ud800")

    monkeypatch.setattr(Probe, "_fail", fail)
    record = run(PROBE).record
    assert record["error"] == "RuntimeError: no file named a\\ud800"
    for text in (record["error"], record["traceback"], *record["warnings"]):
        text.encode("utf-8")
