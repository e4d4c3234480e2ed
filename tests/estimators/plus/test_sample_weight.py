"""Weights of rows in QCL-MixNet+."""

import math

import numpy as np
import onnxruntime
import pytest
import torch
from tests.estimators.plus.quick import make_frame, make_model, make_table

from qcl_mixnet import QCLMixNetPlusClassifier
from qcl_mixnet.estimators.plus.out_of_bag import mean_log_loss
from qcl_mixnet.model.plus.columns import robust_scales, tree_thresholds
from qcl_mixnet.model.plus.metric_losses import metric_losses
from qcl_mixnet.model.plus.neighbors import Neighbors
from qcl_mixnet.model.plus.network import InputLayout
from qcl_mixnet.model.plus.objective import cross_entropy

ALL = {"n_members": 4, "neighbors": True, "trees": True}


def make_weights(n_rows=60):
    return np.random.default_rng(0).integers(1, 5, n_rows).astype(float)


@pytest.mark.usefixtures("quick_plan")
def test_fit__weight_0__is_to_the_last_bit_a_row_that_is_not_there():
    frame, y = make_frame()
    weights = make_weights()
    weights[[2, 20, 41]] = 0
    frame.loc[20, ["size", "kind"]] = [1e9, "unheard of"]
    kept = weights > 0
    weighted = make_model(**ALL).fit(frame, y, sample_weight=weights)
    without = make_model(**ALL).fit(frame[kept], y[kept], sample_weight=weights[kept])
    test = make_frame()[0]
    np.testing.assert_array_equal(weighted.predict_proba(test), without.predict_proba(test))
    np.testing.assert_array_equal(weighted.predict(test), without.predict(test))
    columns = ["kind", "log_loss", "weight", "best_epoch"]
    assert weighted.leaderboard_[columns].equals(without.leaderboard_[columns])
    assert len(weighted.out_of_fold_proba_) == len(weighted.out_of_fold_weights_) == 57


@pytest.mark.usefixtures("quick_plan")
def test_fit__equal_weights__are_none_and_others_are_not():
    X, y = make_table()
    plain, equal, other = (
        make_model(**ALL).fit(X, y, sample_weight=weights)
        for weights in (None, np.full(60, 3), make_weights())
    )
    np.testing.assert_array_equal(equal.predict_proba(X), plain.predict_proba(X))
    assert np.abs(other.predict_proba(X) - plain.predict_proba(X)).max() > 1e-3
    rows = other.leaderboard_.set_index("kind").log_loss
    assert (rows != plain.leaderboard_.set_index("kind").log_loss).all()


def test_votes__weighted__a_vote_times_its_weight():
    x = torch.tensor([[0.0], [0.5], [2.0], [3.0]])
    labels, weights = np.array([0, 1, 1, 0]), np.array([1.0, 4.0, 0.5, 2.0])
    layout = InputLayout(1, ())
    known = Neighbors.of(x, labels, layout, 2, weights)
    new = torch.tensor([[0.4]])
    plain = Neighbors(known.rows, known.labels, known.center, known.scale, known.bandwidth, 2)
    places = known.rows[:, 0].tolist()
    z = float((0.4 - known.center[0]) / known.scale[0])
    z /= math.sqrt(1 + (z / 3) ** 2)
    votes = [
        w * math.exp(-((z - place) ** 2) / known.bandwidth)
        for w, place in zip(weights, places, strict=True)
    ]
    share = (votes[0] + votes[3]) / sum(votes)
    assert known.votes(new)[0, 0].item() == pytest.approx((share + 1e-3) / 1.002, rel=1e-5)
    assert known.votes(new)[0, 0] != plain.votes(new)[0, 0]


def test_columns__whole_weights__are_those_of_repeated_rows():
    rng = np.random.default_rng(0)
    x, times = rng.normal(size=(31, 2)).astype(np.float32), rng.integers(1, 5, 31)
    repeated = np.repeat(x, times, axis=0)
    center, scale = robust_scales(x, times / times.mean())
    quartiles = np.quantile(repeated, [0.25, 0.5, 0.75], axis=0, method="averaged_inverted_cdf")
    np.testing.assert_allclose(center, quartiles[1], rtol=1e-6)
    np.testing.assert_allclose(scale, (quartiles[2] - quartiles[0]) / 1.349, rtol=1e-6)
    labels = (x[:, 0] > 0.3).astype(np.int64)
    found = tree_thresholds(x[:, 0].copy(), labels, 2, times.astype(float))
    assert len(found) == 1


def test_losses__weighted__the_mean_of_what_rows_and_anchors_add():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)
    labels = torch.tensor([[0, 1, 2, 0, 1, 0], [1, 1, 0, 0, 2, 2]])
    weights = torch.rand(2, 6, generator=generator, dtype=torch.float64)
    expected = [
        np.mean([w * -float(row.log_softmax(0)[k]) for row, k, w in zip(*member, strict=True)])
        for member in zip(logits, labels, weights.tolist(), strict=True)
    ]
    np.testing.assert_allclose(cross_entropy(logits, labels, 0.0, weights), expected)
    embeddings = torch.randn(2, 6, 4, generator=generator, dtype=torch.float64)
    plain = metric_losses(embeddings, labels, 3)
    assert not torch.allclose(metric_losses(embeddings, labels, 3, weights), plain)
    ones = torch.ones_like(weights)
    torch.testing.assert_close(metric_losses(embeddings, labels, 3, ones), plain)


def test_mean_log_loss__weights__by_hand():
    p = np.array([[0.8, 0.2], [0.4, 0.6]])
    found = mean_log_loss(p, np.array([0, 0]), np.array([3.0, 1.0]))
    assert found == pytest.approx(-(3 * math.log(0.8) + math.log(0.4)) / 4)


@pytest.mark.usefixtures("quick_plan")
def test_save_and_to_onnx__weighted_neighbours__predict_the_same(tmp_path):
    X, y = make_table()
    model = make_model(neighbors=True).fit(X, y, sample_weight=make_weights())
    assert any("neighbors" in member.name for member in model.blend_.members)
    model.save(tmp_path / "model")
    other = QCLMixNetPlusClassifier.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(other.out_of_fold_weights_, model.out_of_fold_weights_)
    session = onnxruntime.InferenceSession(model.to_onnx().SerializeToString())
    _, probabilities = session.run(None, {"X": X})
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)
