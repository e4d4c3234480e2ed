import dataclasses
import json
import time
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

from qcl_mixnet.baselines.deep import MLPNetworkClassifier
from qcl_mixnet.estimators.classifier import QCLMixNetClassifier
from qcl_mixnet.evaluation.cell_data import CellData
from qcl_mixnet.evaluation.cells import run_cell
from qcl_mixnet.evaluation.keys import cell_key
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.evaluation.splits import Split

SEED = 5
TREE = {"class": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 3}}
KNN = {
    "class": "qcl_mixnet.baselines.classical.KNNClassifier",
    "grid": {"n_neighbors": [1, 5], "weights": ["uniform", "distance"]},
}
QCL_MIXNET = {
    "class": "qcl_mixnet.estimators.classifier.QCLMixNetClassifier",
    "params": {"epochs": 6, "batch_size": 16, "device": "cpu"},
    "preprocess": False,
    "family": "proposed",
}
PROBE = {"class": f"{__name__}.Probe", "preprocess": False}


class Probe(ClassifierMixin, BaseEstimator):
    """Predicts the classes' shares, and can fail, warn and take notes."""

    fitted_on = []  # noqa: RUF012 - reset by a fixture
    threads = []  # noqa: RUF012

    def __init__(self, failing_seed=None, in_predict=False, says=None, n_jobs=1, random_state=None):
        self.failing_seed = failing_seed
        self.in_predict = in_predict
        self.says = says
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y):
        Probe.fitted_on.append((X.copy(), y.copy()))
        Probe.threads.append((torch.get_num_threads(), self.n_jobs))
        if self.says:
            warnings.warn(self.says, RuntimeWarning, stacklevel=2)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / counts.sum()
        self._fail(not self.in_predict)
        return self

    def predict_proba(self, X):
        self._fail(self.in_predict)
        return np.tile(self.shares_, (len(X), 1))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _fail(self, here):
        if here and self.failing_seed == self.random_state:
            raise ArithmeticError(f"seed {self.random_state} is unlucky")


class WithTransform(Probe):
    """Has a transform as many a classifier has it: not of the test rows, or not of rows at all."""

    def transform(self, X):
        raise AssertionError("nobody asked for this")


class Representing(Probe):
    """Declares that its transform gives a representation."""

    transform_is_representation = True

    def transform(self, X):
        return pd.DataFrame({"twice": 2 * np.asarray(X)[:, 0], "one": 1.0})


class Slow(Probe):
    """Needs a second before its first fit."""

    ready = False

    def warm_up(self):
        if not Slow.ready:
            time.sleep(1)
            Slow.ready = True

    def fit(self, X, y):
        self.warm_up()
        return super().fit(X, y)


class Hopeful(Probe):
    """Says of its probabilities that fitting will tell; there are none in the end."""

    @property
    def predict_proba(self):
        return self.probabilities_

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


@pytest.fixture(autouse=True)
def _forget():
    Probe.fitted_on.clear()
    Probe.threads.clear()


def make_data(repeats=1, n_samples=120):
    X, y = make_classification(
        n_samples, n_features=5, n_informative=4, n_redundant=0, n_classes=3,
        n_clusters_per_class=1, weights=[0.6, 0.3], class_sep=0.8, random_state=0,
    )  # fmt: skip
    splits = [
        Split(
            *train_test_split(np.arange(n_samples), test_size=0.25, stratify=y, random_state=s), s
        )
        for s in range(SEED, SEED + repeats)
    ]
    features = pd.DataFrame(X, columns=list("abcde"))
    return CellData(features, y.astype(np.int64), 3, splits, "fingerprint")


def run(model, data=None, n_jobs=1, **protocol):
    data = data or make_data(protocol.get("repeats", 1))
    spec = ModelSpec.model_validate({"family": "ml", "label": "M", **model})
    options = EvaluationProtocol(**{"seed": SEED, "test_size": 0.25, "folds": 2, **protocol})
    return run_cell(data, spec, options, n_jobs=n_jobs)


def columns(result, kind):
    return result.predictions.filter(like=kind).to_numpy()


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


def test_run_cell__grid__best_parameters_are_in_the_record():
    (repeat,) = run(KNN).record["repeats"]
    assert set(repeat["best_parameters"]) == {"n_neighbors", "weights"}
    assert repeat["best_parameters"]["n_neighbors"] in {1, 5}
    assert run(TREE).record["repeats"][0]["best_parameters"] == {}


def test_run_cell__grid__keeps_the_better_value():
    # A stump cannot tell three classes apart, so cross-validation must prefer the deeper tree.
    result = run({**TREE, "grid": {"max_depth": [1, 8]}})
    assert result.record["repeats"][0]["best_parameters"] == {"max_depth": 8}
    assert result.record["parameters"]["max_depth"] == 8


def test_run_cell__network__history_of_every_repeat():
    history = run(QCL_MIXNET, repeats=2).history
    assert history["repeat"].tolist() == [0] * 6 + [1] * 6
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6] * 2
    assert history["loss"].nunique() == 12


@pytest.mark.parametrize("checkpoint", ["last", "validation", "test"])
def test_run_cell__network__repeats_together_are_as_each_alone(checkpoint):
    data = make_data(repeats=3)
    together = run(QCL_MIXNET, data, repeats=3, checkpoint=checkpoint)
    for number, split in enumerate(data.splits):
        one = dataclasses.replace(data, splits=[split])
        alone = run(QCL_MIXNET, one, seed=split.seed, checkpoint=checkpoint)
        rows = together.predictions[together.predictions["repeat"] == number]
        pd.testing.assert_frame_equal(
            rows.reset_index(drop=True).assign(repeat=0), alone.predictions, rtol=1e-5
        )
        best = [r.record["repeats"] for r in (together, alone)]
        assert best[0][number]["best_epoch"] == best[1][0]["best_epoch"]
    assert {r["diverged_at"] for r in together.record["repeats"]} == {None}


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


def test_run_cell__warm_up__is_no_part_of_the_time_of_fitting():
    Slow.ready = False
    result = run({"class": f"{__name__}.Slow"})
    assert Slow.ready
    assert result.record["metrics"]["fit_seconds"] < 0.9 < result.record["seconds"]


def test_warm_up__makes_an_optimizer_and_for_qcl_mixnet_on_a_cpu_compiles(monkeypatch):
    called = []
    monkeypatch.setattr(
        "qcl_mixnet.estimators.classifier.compile_all", lambda: called.append("kernels")
    )
    # The first one of a process imports PyTorch's compiler.
    monkeypatch.setattr("torch.optim.AdamW", lambda parameters: called.append("optimizer"))
    MLPNetworkClassifier().warm_up()
    assert called == ["optimizer"]
    QCLMixNetClassifier(device="cpu").warm_up()
    assert called == ["optimizer", "optimizer", "kernels"]


def test_run_cell__no_probabilities_in_the_end__says_so_in_a_sentence():
    record = run({"class": f"{__name__}.Hopeful"}).record
    assert record["status"] == "failed"
    assert "gives no probabilities (predict_proba)" in record["error"]


def test_run_cell__fits_of_the_grid_fail__are_counted_in_the_record():
    # A precomputed kernel needs a square table: one of three candidates fails in both folds.
    model = {
        "class": "sklearn.svm.SVC",
        "params": {"probability": True},
        "grid": {"kernel": ["linear", "rbf", "precomputed"]},
    }
    result = run(model, repeats=2)
    assert result.record["error"] is None
    failures = result.record["grid_failures"]
    assert len(failures) == 2
    assert failures[0].startswith(
        "2 of 6 fits of the grid search failed, so 1 of 3 candidates could not be chosen "
        "(kernel='precomputed'); the first cause was ValueError: "
    )
    assert any(w.startswith("GridFitWarning: 2 of 6 fits") for w in result.record["warnings"])
    assert not any("Traceback" in w for w in result.record["warnings"])
    assert run(TREE).record["grid_failures"] == []


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


def test_run_cell__warnings__are_in_the_record_once_and_nowhere_else(recwarn):
    record = run({**PROBE, "params": {"says": "mind the gap"}}, repeats=2).record
    assert record["warnings"] == ["RuntimeWarning: mind the gap"]
    assert len(recwarn) == 0
    assert run(PROBE).record["warnings"] == []


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


@pytest.mark.parametrize("params", [{}, {"failing_seed": SEED}], ids=["ok", "failed"])
def test_run_cell__threads__are_bounded_inside_and_restored_after(params):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        run({**PROBE, "params": params}, n_jobs=2)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert Probe.threads == [(2, 2)]


def test_run_cell__grid__its_fits_have_one_thread_each():
    run({**PROBE, "grid": {"says": [None, ""]}}, n_jobs=1)
    assert {n_jobs for _, n_jobs in Probe.threads} == {1}
    assert len(Probe.threads) == 5  # two values, two folds, and the refit
