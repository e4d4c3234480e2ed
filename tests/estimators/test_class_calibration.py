import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from qcl_mixnet.estimators.class_calibration import fit_class_calibration


def make_rows(n=20_000, temperature=2.0, bias=(0.0, 1.0, -1.0), seed=0):
    """Probabilities that need this temperature and these factors to be right, and labels."""
    rng = np.random.default_rng(seed)
    right = rng.dirichlet([2, 1, 0.5], n)
    labels = (right.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)
    return softmax(temperature * (np.log(right) - np.array(bias)), axis=1), labels


def test_fit_class_calibration__known_distortion__is_found():
    temperature, weights = fit_class_calibration(*make_rows())
    assert temperature == pytest.approx(2, rel=0.05)
    expected = np.exp([0.0, 1, -1])
    assert weights == pytest.approx(expected / expected.max(), rel=0.1)


def test_fit_class_calibration__two_classes__is_platt_scaling():
    p, labels = make_rows()
    p, labels = p[labels < 2][:, :2], labels[labels < 2]
    p = p / p.sum(axis=1, keepdims=True)
    temperature, weights = fit_class_calibration(p, labels)
    odds = np.log(p[:, 1] / p[:, 0])[:, None]
    platt = LogisticRegression(C=np.inf).fit(odds, labels)
    assert 1 / temperature == pytest.approx(platt.coef_[0, 0], abs=0.01)
    assert np.log(weights[1] / weights[0]) == pytest.approx(platt.intercept_[0], abs=0.01)


def test_fit_class_calibration__class_without_rows__is_left_alone():
    p, labels = make_rows(n=300)
    kept = labels != 1
    _, weights = fit_class_calibration(p[kept], labels[kept])
    assert np.isfinite(weights).all()
    assert weights.min() > 1e-3


def test_fit_class_calibration__one_row_of_a_class__moves_little():
    rng = np.random.default_rng(0)
    p = rng.dirichlet([5, 5], 50)
    labels = (p[:, 1] > rng.random(50)).astype(np.int64)
    labels[:] = 0
    labels[0] = 1
    _, weights = fit_class_calibration(p, labels)
    assert weights[1] > 0.005
