"""Calibration of a decision by costs: a temperature and a weight for each class.

One temperature (`fit_temperature`) leaves a bias towards some classes as it is, which expected
costs would inherit. With a factor for each class it is the bias-corrected temperature scaling of
Alexandari et al. ("Maximum likelihood with bias-corrected calibration is hard-to-beat at label
shift adaptation", ICML 2020, arXiv:1901.06852), for two classes the scaling of Platt (1999).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from qcl_mixnet.decisions.rule import SMALLEST_PROBABILITY
from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.estimators.calibration import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    weighted_mean,
)

FloatArray = NDArray[np.float64]


@own_settings()
def fit_class_calibration(
    probabilities: FloatArray, labels: NDArray[np.int64], weights: FloatArray | None = None
) -> tuple[float, FloatArray]:
    """Find the calibration `p ** (1 / temperature) * weights`, normalised, that is likeliest.

    The logarithms of the weights have a standard normal prior, so that few rows move them little;
    a class without rows has the mean weight.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Of rows that the model has not seen.
    labels : ndarray of shape (n_samples,)
        Encoded.
    weights : ndarray of shape (n_samples,), optional
        Positive, 1 in the mean: how much each row counts. All alike by default.

    Returns
    -------
    temperature : float
        Between `LOWEST_TEMPERATURE` and `HIGHEST_TEMPERATURE`.
    weights : ndarray of shape (n_classes,)
        Positive; the largest is 1.
    """
    logits = np.log(np.maximum(probabilities, SMALLEST_PROBABILITY))
    n, n_classes = logits.shape
    rows = np.arange(n)
    true = np.zeros((n, n_classes))
    true[rows, labels] = 1
    known = true.any(axis=0)

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        slope, bias = parameters[0], parameters[1:]
        log_p = log_softmax(logits * slope + bias, axis=1)
        excess = (np.exp(log_p) - true) / n
        if weights is not None:
            excess *= weights[:, None]
        gradient = np.append((excess * logits).sum(), excess.sum(axis=0) * known + bias / n)
        own = weighted_mean(log_p[rows, labels], weights)
        return -own + (bias @ bias) / (2 * n), gradient

    found = minimize(
        loss,
        np.append(1.0, np.zeros(n_classes)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(1 / HIGHEST_TEMPERATURE, 1 / LOWEST_TEMPERATURE), *[(-30, 30)] * n_classes],
    )
    return 1 / float(found.x[0]), np.exp(found.x[1:] - found.x[1:].max())
