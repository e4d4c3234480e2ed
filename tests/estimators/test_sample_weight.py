"""Weights of rows: 0 is a row left out, whole ones are repeated rows; their scale is nothing."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.validation import has_fit_parameter

from qcl_mixnet import QCLMixNetClassifier, QCLMixNetPlusClassifier, RecallAtLeast
from qcl_mixnet.baselines.deep import CNNClassifier, GRUClassifier, MLPNetworkClassifier
from qcl_mixnet.baselines.graph import GCNClassifier
from qcl_mixnet.estimators.base import fit_members

DECIDING = {"n_members": 2, "bagging": "folds", "calibrate": True, "decision": "macro_f1"}
KINDS = {
    "one network": {},
    "folds, calibrated, macro F1": DECIDING,
    "bootstrap, balanced accuracy": {
        "n_members": 3,
        "bagging": "bootstrap",
        "decision": "balanced_accuracy",
    },
    "held-out rows, neighbours of all rows": {
        "checkpoint": "validation",
        "neighbor_pool": "train",
        "rare_levels": "join",
    },
    "costs": {"decision": "recall:rare=0.5"},
}


def make_table(n_rows=90):
    rng = np.random.default_rng(0)
    y = np.array(["common", "other", "rare"])[rng.choice(3, n_rows, p=[0.5, 0.3, 0.2])]
    frame = pd.DataFrame(rng.normal(size=(n_rows, 3)), columns=["a", "b", "c"])
    frame["a"] += 1.5 * (y == "rare")
    frame["b"] -= 1.5 * (y == "other")
    frame.loc[::7, "c"] = np.nan
    frame["colour"] = rng.choice(["red", "blue"], n_rows)
    return frame, y


def make_weights(n_rows=90):
    return np.random.default_rng(1).integers(1, 5, n_rows).astype(float)


def make_model(**parameters):
    defaults = {"epochs": 3, "random_state": 0, "n_jobs": 1, "device": "cpu"}
    return QCLMixNetClassifier(**defaults | parameters)


@pytest.mark.filterwarnings("ignore::qcl_mixnet.OperatingPointWarning")
@pytest.mark.parametrize("parameters", KINDS.values(), ids=KINDS.keys())
def test_fit__weight_0__is_to_the_last_bit_a_row_that_is_not_there(parameters):
    frame, y = make_table()
    weights = make_weights()
    dropped = [0, 14, 33, 34, 80]
    frame.loc[dropped, ["a", "colour"]] = [1e9, "a level that no other row has"]
    y = y.astype(object)
    y[33] = "a class that no other row has"
    weights[dropped] = 0
    weighted = make_model(**parameters).fit(frame, y, sample_weight=weights)
    kept = weights > 0
    without = make_model(**parameters).fit(frame[kept], y[kept], sample_weight=weights[kept])
    assert weighted.classes_.tolist() == ["common", "other", "rare"]
    test = make_table()[0]
    np.testing.assert_array_equal(weighted.predict_proba(test), without.predict_proba(test))
    np.testing.assert_array_equal(weighted.predict(test), without.predict(test))
    assert weighted.calibration_temperature_ == without.calibration_temperature_


@pytest.mark.parametrize("weights", [np.ones(90), np.full(90, 0.1), [3] * 90])
def test_fit__equal_weights__are_none_to_the_last_bit(weights):
    frame, y = make_table()
    weighted = make_model(**DECIDING).fit(frame, y, sample_weight=weights)
    plain = make_model(**DECIDING).fit(frame, y)
    np.testing.assert_array_equal(weighted.predict_proba(frame), plain.predict_proba(frame))
    assert weighted.out_of_fold_weights_ is None


def test_fit__weights_times_4__say_the_same_to_the_last_bit():
    frame, y = make_table()
    weights = make_weights()
    one, other = (make_model(**DECIDING).fit(frame, y, sample_weight=w * weights) for w in (1, 4))
    np.testing.assert_array_equal(one.predict_proba(frame), other.predict_proba(frame))
    plain = make_model(**DECIDING).fit(frame, y)
    assert np.abs(one.predict_proba(frame) - plain.predict_proba(frame)).max() > 1e-4
    assert one.out_of_fold_weights_.mean() == pytest.approx(1)


def test_fit_members__weighted__are_as_each_alone():
    frame, y = make_table()
    weights = [make_weights(), None, make_weights()[::-1], np.ones(90)]
    together = [make_model(random_state=seed) for seed in range(4)]
    fit_members(together, [(frame, y)] * 4, weights=weights)
    for seed, (model, own) in enumerate(zip(together, weights, strict=True)):
        alone = make_model(random_state=seed).fit(frame, y, sample_weight=own)
        np.testing.assert_allclose(
            model.predict_proba(frame), alone.predict_proba(frame), atol=1e-6
        )


FULL_BATCH = {
    "epochs": 12,
    "batch_size": 4096,
    "learning_rate": 5e-3,
    "random_state": 3,
    "device": "cpu",
}


@pytest.mark.parametrize("classifier", [CNNClassifier, GRUClassifier])
def test_fit__whole_weights__one_batch_without_batch_norm__are_repeated_rows(classifier):
    frame, y = make_table()
    times = make_weights().astype(int)
    weighted = classifier(**FULL_BATCH).fit(frame, y, sample_weight=times)
    repeated = classifier(**FULL_BATCH).fit(frame.loc[frame.index.repeat(times)], y.repeat(times))
    found, expected = (m.predict_proba(frame) for m in (weighted, repeated))
    np.testing.assert_allclose(found, expected, atol=2e-4)
    plain = classifier(**FULL_BATCH).fit(frame, y).predict_proba(frame)
    assert np.abs(plain - expected).max() > 0.01


@pytest.mark.parametrize(
    ("classifier", "parameters"),
    [
        (MLPNetworkClassifier, {}),
        # Mixup and the metric terms see copies of a row, which weights do not make.
        (QCLMixNetClassifier, {"mixup": False, "loss_weight": 1.0, "max_learning_rate": None}),
    ],
)
def test_fit__whole_weights__one_batch_with_batch_norm__are_repeated_rows(classifier, parameters):
    frame, y = make_table()
    times = make_weights().astype(int)
    models = [classifier(**FULL_BATCH, **parameters) for _ in "abc"]
    models[0].fit(frame, y, sample_weight=times)
    models[1].fit(frame.loc[frame.index.repeat(times)], y.repeat(times))
    models[2].fit(frame, y)
    found, expected, plain = (model.history_["loss"].to_numpy() for model in models)
    np.testing.assert_allclose(found, expected, rtol=2e-3)
    assert np.abs(plain / expected - 1).max() > 0.02
    found, expected, _ = (model.predict_proba(frame) for model in models)
    # The running variance is n / (n - 1) times the batch's, of 90 rows and of some 200.
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.slow
def test_fit__whole_weights__batches__are_repeated_rows_in_the_mean_over_seeds():
    """As many steps of 64 rows; the band is thrice what two halves of the seeds differ by."""
    rng = np.random.default_rng(1)
    y = (rng.random(128) < 0.4).astype(int)
    X = rng.normal(size=(128, 3)) + 0.8 * y[:, None]
    times = np.where((y == 1) & (X[:, 0] > 0.3), 4, 1)
    test = rng.normal(size=(300, 3)) * 1.2 + 0.4
    epochs = 40
    longer = round(epochs * times.sum() / 128)

    def mean_probabilities(X, y, weights, epochs, seeds):
        models = [make_model(epochs=epochs, random_state=seed) for seed in seeds]
        fit_members(models, [(X, y)] * len(models), weights=[weights] * len(models))
        return np.mean([model.predict_proba(test)[:, 1] for model in models], axis=0)

    halves = [
        mean_probabilities(X.repeat(times, 0), y.repeat(times), None, epochs, range(s, s + 12))
        for s in (0, 12)
    ]
    repeated = np.mean(halves, axis=0)
    weighted = mean_probabilities(X, y, times, longer, range(100, 124))
    plain = mean_probabilities(X, y, None, longer, range(200, 224))
    noise, found, ignored = (
        np.sqrt(np.mean((a - b) ** 2)) for a, b in (halves, (weighted, repeated), (plain, repeated))
    )
    assert found < 0.03
    assert found < 3 * noise
    assert ignored > 2 * found


@pytest.mark.parametrize(
    "classifier", [QCLMixNetClassifier, MLPNetworkClassifier, GCNClassifier, GRUClassifier]
)
def test_fit__heavier_class__is_more_probable(classifier):
    frame, y = make_table()
    options = {"epochs": 15, "learning_rate": 1e-2, "random_state": 0, "device": "cpu"}
    shares = []
    for weight in (1.0, 8.0):
        weights = np.where(y == "rare", weight, 1.0)
        model = classifier(**options).fit(frame, y, sample_weight=weights)
        shares.append(model.predict_proba(frame)[:, 2].mean())
    assert shares[1] > shares[0] + 0.05


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), "sample_weight has shape"),
        (-np.ones(90), "sample_weight is -1.0 in row 0"),
        (np.zeros(90), "zero in every row"),
    ],
)
def test_fit__unusable_weights__are_refused_before_any_work(weights, message):
    frame, y = make_table()
    for model in (make_model(), QCLMixNetPlusClassifier(), MLPNetworkClassifier()):
        with pytest.raises(ValueError, match=message):
            model.fit(frame, y, sample_weight=weights)


def test_fit__weights_of_one_class_alone__are_refused():
    frame, y = make_table()
    with pytest.raises(ValueError, match="y, where sample_weight is above 0, holds one class: ra"):
        make_model().fit(frame, y, sample_weight=y == "rare")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make_model().fit(frame, y[:50], sample_weight=y == "rare")


def test_has_fit_parameter__every_network__takes_weights():
    for model in (QCLMixNetClassifier(), QCLMixNetPlusClassifier(), GCNClassifier()):
        assert has_fit_parameter(model, "sample_weight")


@pytest.mark.filterwarnings("ignore::qcl_mixnet.OperatingPointWarning")
def test_save_and_load__weighted__decides_anew_by_the_same_weights(tmp_path):
    frame, y = make_table()
    model = make_model(**DECIDING).fit(frame, y, sample_weight=make_weights())
    model.save(tmp_path / "model")
    other = QCLMixNetClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(other.out_of_fold_weights_, model.out_of_fold_weights_)
    wish = RecallAtLeast("rare", 0.5)
    pd.testing.assert_frame_equal(other.set_decision(wish), model.set_decision(wish))
    assert other.decision_rule_.threshold == model.decision_rule_.threshold
    points = model.operating_points(positive="rare", n_bootstraps=20, thresholds=[0.3])
    w = model.out_of_fold_weights_
    rows = model.set_decision("argmax")  # the rows themselves are what operating_points looks at
    assert rows.shape == (3, 8)
    truth, p = model.out_of_fold_labels_ == 2, model._out_of_fold_rows().probabilities[:, 2]
    assert points.recall[0] == pytest.approx(w[truth & (p >= 0.3)].sum() / w[truth].sum())
