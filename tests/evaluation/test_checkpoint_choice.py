"""How a cell's protocol decides which epoch of a network is kept."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.evaluation.probes import PROBE, QCL_MIXNET, TREE, columns, make_data, run


def test_checkpoint_test__reaches_the_network_and_marks_its_result():
    result = run(QCL_MIXNET, checkpoint="test", repeats=2)
    assert result.record["test_selected"] is True
    assert result.record["parameters"]["checkpoint"] == "test"
    assert any("TestSelectionWarning" in text for text in result.record["warnings"])
    for repeat in result.record["repeats"]:
        assert repeat["test_selected"] is True
        history = result.history[result.history["repeat"] == repeat["repeat"]]
        best = history.loc[history["macro_f1"].idxmax()]
        assert repeat["best_epoch"] == best["epoch"]
        assert repeat["metrics"]["macro_f1"] == pytest.approx(best["macro_f1"])


@pytest.mark.parametrize("model", [TREE, PROBE], ids=["pipeline", "bare"])
def test_checkpoint_test__model_without_epochs__is_left_alone(model):
    chosen, plain = run(model, checkpoint="test"), run(model)
    assert chosen.record["status"] == "ok"
    assert chosen.record["test_selected"] is False
    pd.testing.assert_frame_equal(chosen.predictions, plain.predictions)


def test_checkpoint_test__other_test_labels__choose_another_epoch():
    # What the tests of leakage above would see if a model were shown the test part.
    data = make_data()
    labels, test = data.labels.copy(), data.splits[0].test
    labels[test] = (labels[test] + 1) % 3
    before = run(QCL_MIXNET, data, checkpoint="test")
    after = run(QCL_MIXNET, replace(data, labels=labels), checkpoint="test")
    assert not np.array_equal(columns(before, "proba_"), columns(after, "proba_"))


def test_checkpoint_test__with_a_grid__the_search_does_not_see_the_test_part():
    model = {**QCL_MIXNET, "grid": {"epochs": [1, 6]}}
    data = make_data()
    labels, test = data.labels.copy(), data.splits[0].test
    labels[test] = (labels[test] + 1) % 3

    for labels_now in (data.labels, labels):
        record = run(model, replace(data, labels=labels_now), checkpoint="test").record
        assert record["error"] is None
        assert record["test_selected"] is True
        best = record["repeats"][0]["best_parameters"]
        assert best == run(model, data).record["repeats"][0]["best_parameters"]
        assert record["parameters"]["epochs"] == best["epochs"]


def test_checkpoint_test__behind_a_preprocessor__is_refused():
    record = run({**QCL_MIXNET, "preprocess": True}, checkpoint="test").record
    assert record["status"] == "failed"
    assert record["error"] == (
        "ModelSpecError: checkpoint='test' hands the test part to "
        "qcl_mixnet.estimators.classifier.QCLMixNetClassifier, which must then read raw tables: "
        "set preprocess: false and let it preprocess inside."
    )
    assert run({**QCL_MIXNET, "preprocess": True}).record["status"] == "ok"


def test_checkpoint_validation__reaches_the_network_only():
    record = run(QCL_MIXNET, checkpoint="validation").record
    assert record["parameters"]["checkpoint"] == "validation"
    assert record["repeats"][0]["best_epoch"] in range(1, 7)
    assert record["test_selected"] is False
    assert run(TREE, checkpoint="validation").record["status"] == "ok"
