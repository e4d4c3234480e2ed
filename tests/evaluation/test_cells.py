import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
from tests.evaluation.probes import (
    KNN,
    PROBE,
    QCL_MIXNET,
    SEED,
    TREE,
    Probe,
    columns,
    make_data,
    run,
)

from qcl_mixnet.evaluation.cells import run_cell
from qcl_mixnet.evaluation.keys import cell_key
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.evaluation.splits import Split


class WithTransform(Probe):
    """Has a transform as many a classifier has it: not of the test rows, or not of rows at all."""

    def transform(self, X):
        raise AssertionError("nobody asked for this")


class Representing(Probe):
    """Declares that its transform gives a representation."""

    transform_is_representation = True

    def transform(self, X):
        return pd.DataFrame({"twice": 2 * np.asarray(X)[:, 0], "one": 1.0})


class Hopeful(Probe):
    """Says of its probabilities that fitting will tell; there are none in the end."""

    @property
    def predict_proba(self):
        return self.probabilities_

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


@pytest.mark.parametrize("model", [TREE, KNN, QCL_MIXNET], ids=["tree", "knn", "qcl_mixnet"])
def test_run_cell__metrics__are_scikit_learns_of_its_predictions(model):
    data = make_data()
    result = run(model, data)

    assert result.record["error"] is None
    rows = result.predictions
    true, predicted = rows["y_true"], rows["y_pred"]
    proba = rows[["proba_0", "proba_1", "proba_2"]].to_numpy()
    np.testing.assert_array_equal(rows["row"], data.splits[0].test)
    np.testing.assert_array_equal(true, data.labels[data.splits[0].test])
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    recalls = sk.recall_score(true, predicted, average=None)
    one_hot = np.eye(3)[true]
    expected = {
        "accuracy": np.mean(true == predicted),
        "macro_precision": sk.precision_score(true, predicted, average="macro", zero_division=0),
        "macro_recall": recalls.mean(),
        "macro_f1": sk.f1_score(true, predicted, average="macro", zero_division=0),
        "g_mean": recalls.prod() ** (1 / 3),
        "mcc": sk.matthews_corrcoef(true, predicted),
        "macro_average_precision": sk.average_precision_score(one_hot, proba),
        "roc_auc_ovr": sk.roc_auc_score(true, proba, multi_class="ovr"),
        "log_loss": sk.log_loss(true, proba),
        "brier": ((proba - one_hot) ** 2).sum(axis=1).mean(),
    }
    metrics = result.record["metrics"]
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)
    assert (
        metrics["accuracy"] > 0.4
    )  # the model has learnt, so the scores are not those of a constant
    assert metrics["fit_seconds"] > 0
    assert metrics["predict_seconds"] > 0


def test_run_cell__ok__record_is_complete_and_json():
    spec = ModelSpec.model_validate({"family": "ml", "label": "Tree", **TREE})
    protocol = EvaluationProtocol(seed=SEED)
    result = run_cell(make_data(), spec, protocol)

    record = json.loads(json.dumps(result.record))
    assert record["status"] == "ok"
    assert not result.failed
    assert record["traceback"] is None
    assert record["key"] == cell_key("fingerprint", spec, protocol)
    assert record["protocol"] == protocol.model_dump()
    assert (record["label"], record["family"], record["class"]) == ("Tree", "ml", TREE["class"])
    assert record["data_fingerprint"] == "fingerprint"
    assert record["test_selected"] is False
    assert record["parameters"]["max_depth"] == 3
    assert record["parameters"]["criterion"] == "gini"  # those left at their defaults, too
    assert record["parameters"]["random_state"] == SEED
    assert record["versions"]["numpy"] == np.__version__
    assert record["seconds"] >= record["metrics"]["fit_seconds"]
    assert [repeat["seed"] for repeat in record["repeats"]] == [SEED]
    assert len(result.history) == 0


def test_run_cell__repeats__mean_and_standard_deviation():
    data = make_data(repeats=3)
    result = run(TREE, data, repeats=3)

    rows = result.predictions
    assert rows["repeat"].value_counts().to_dict() == {0: 30, 1: 30, 2: 30}
    scores = []
    for number, split in enumerate(data.splits):
        of_repeat = rows[rows["repeat"] == number]
        np.testing.assert_array_equal(of_repeat["row"], split.test)
        scores.append(sk.accuracy_score(of_repeat["y_true"], of_repeat["y_pred"]))
    assert len(set(scores)) > 1
    assert [r["metrics"]["accuracy"] for r in result.record["repeats"]] == pytest.approx(scores)
    assert [r["repeat"] for r in result.record["repeats"]] == [0, 1, 2]
    metrics = result.record["metrics"]
    assert metrics["accuracy"] == pytest.approx(np.mean(scores))
    assert metrics["accuracy_std"] == pytest.approx(np.std(scores, ddof=1))


def test_run_cell__one_repeat__no_standard_deviation():
    assert not [name for name in run(TREE).record["metrics"] if name.endswith("_std")]


def test_run_cell__class_absent_from_training__gets_probability_0():
    data = make_data()
    split = data.splits[0]
    train = split.train[data.labels[split.train] != 1]
    assert (data.labels[split.test] == 1).sum() > 3
    for model in (TREE, QCL_MIXNET):
        result = run(model, replace(data, splits=[Split(train, split.test, SEED)]))
        assert result.record["error"] is None
        proba = columns(result, "proba_")
        assert proba.shape == (30, 3)
        assert (proba[:, 1] == 0).all()
        np.testing.assert_allclose(proba[:, 0] + proba[:, 2], 1)
        np.testing.assert_array_equal(proba.argmax(axis=1), columns(result, "y_pred")[:, 0])


def test_run_cell__representation__has_every_test_row_of_every_repeat():
    data = make_data(repeats=2)
    result = run(QCL_MIXNET, data, repeats=2)
    frame, rows = result.representation, result.predictions
    assert list(frame.columns) == ["repeat", "row", "y_true", *(f"h_{i}" for i in range(32))]
    pd.testing.assert_frame_equal(
        frame[["repeat", "row", "y_true"]], rows[["repeat", "row", "y_true"]]
    )
    assert frame.filter(like="h_").to_numpy().std() > 0
    assert run(TREE, data, repeats=2).representation.empty


@pytest.mark.parametrize(
    "class_",
    [
        "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
        "sklearn.neighbors.KNeighborsClassifier",
        f"{__name__}.WithTransform",
    ],
)
@pytest.mark.parametrize("preprocess", [True, False])
def test_run_cell__transform_that_nobody_declared__is_not_called(class_, preprocess):
    result = run({"class": class_, "preprocess": preprocess}, repeats=2)
    assert result.record["error"] is None
    assert result.representation.empty


@pytest.mark.parametrize("preprocess", [True, False])
def test_run_cell__transform_that_is_declared__is_kept_whatever_holds_it(preprocess):
    data = make_data()
    result = run({"class": f"{__name__}.Representing", "preprocess": preprocess}, data)
    frame = result.representation
    assert list(frame.columns) == ["repeat", "row", "y_true", "h_0", "h_1"]
    assert frame["h_1"].eq(1).all()
    first = data.features["a"].to_numpy()
    train, test = data.splits[0].train, data.splits[0].test
    if preprocess:  # standardised by the training rows
        first = (first - first[train].mean()) / first[train].std()
    np.testing.assert_allclose(frame["h_0"], 2 * first[test], rtol=1e-5)


def test_run_cell__no_probabilities_in_the_end__says_so_in_a_sentence():
    record = run({"class": f"{__name__}.Hopeful"}).record
    assert record["status"] == "failed"
    assert "gives no probabilities (predict_proba)" in record["error"]


@pytest.mark.parametrize("in_predict", [False, True], ids=["fit", "predict"])
def test_run_cell__model_fails__is_recorded_and_the_other_repeats_kept(in_predict):
    params = {"failing_seed": SEED + 1, "in_predict": in_predict}
    result = run({**PROBE, "params": params}, repeats=3)

    record = json.loads(json.dumps(result.record))
    assert result.failed
    assert record["status"] == "failed"
    assert record["error"] == "ArithmeticError: seed 6 is unlucky"
    assert "Traceback" in record["traceback"]
    assert "in _fail" in record["traceback"]
    assert [repeat["seed"] for repeat in record["repeats"]] == [SEED]
    assert record["repeats"][0]["metrics"]["accuracy"] > 0
    assert record["metrics"] == {}
    assert len(result.predictions) == len(result.history) == 0


def test_run_cell__model_fails_at_once__record_has_what_was_asked_for():
    record = run({**PROBE, "params": {"failing_seed": SEED}}).record
    assert record["status"] == "failed"
    assert record["repeats"] == []
    assert record["parameters"] == {"failing_seed": SEED}
    assert record["test_selected"] is False


def test_run_cell__bad_parameter__is_recorded():
    record = run({**TREE, "params": {"max_dept": 3}}).record
    assert record["status"] == "failed"
    assert record["error"].startswith("ModelSpecError: Unknown parameter 'max_dept'")


def test_run_cell__interrupted__is_not_taken_for_a_result(monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Probe, "fit", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(PROBE)


def test_run_cell__warnings__are_in_the_record_once_and_nowhere_else(recwarn):
    record = run({**PROBE, "params": {"says": "mind the gap"}}, repeats=2).record
    assert record["warnings"] == ["RuntimeWarning: mind the gap"]
    assert len(recwarn) == 0
    assert run(PROBE).record["warnings"] == []
