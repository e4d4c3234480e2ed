"""Fitting a model on a whole table: nothing is held out, so nothing is scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.evaluation.cell_data import CellData
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.fitting import Fitted, fit_repeats, warm_up
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.evaluation.splits import Split
from qcl_mixnet.evaluation.threads import limited_threads
from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder


def fit_whole(
    features: pd.DataFrame,
    labels: NDArray[Any],
    spec: ModelSpec,
    protocol: EvaluationProtocol,
    *,
    n_jobs: int = 1,
    encoder: ColumnEncoder | None = None,
    groups: NDArray[np.int64] | None = None,
) -> Fitted:
    """Fit a model on all rows, its grid searched and its decision tuned as its entry says.

    Parameters
    ----------
    features : DataFrame of shape (n_samples, n_features)
    labels : ndarray of shape (n_samples,)
        The user's own, which the model will give; numbers with decimals, such as ratings of 1.5,
        as text, because scikit-learn takes them for a quantity.
    spec : ModelSpec
    protocol : EvaluationProtocol
        Its seed, its folds for a search and its rule for the epoch that a network keeps.
    n_jobs : int, default=1
        Threads of the model and processes of its grid search.
    encoder : ColumnEncoder, optional
        Of dates and rare levels, as `build_model` takes it.
    groups : ndarray of shape (n_samples,), optional
        Number of each row's group, for the folds of a search and of the model itself.

    Returns
    -------
    Fitted
        Its split has all rows for training.

    Raises
    ------
    EvaluationError
        For `checkpoint="test"`: there is no test part.
    ModelSpecError, ValueError
        When the model cannot be built or fitted.
    """
    if protocol.checkpoint == "test":
        raise EvaluationError(
            "checkpoint is 'test', and a model that is fitted on all rows has no test part; set "
            "protocol.checkpoint to 'last' or 'validation'."
        )
    if labels.dtype.kind == "f" and (labels != np.round(labels)).any():
        labels = labels.astype(str)
    every, none = np.arange(len(labels)), np.array([], dtype=np.int64)
    split = Split(train=every, test=none, seed=protocol.seed)
    data = CellData(features, labels, len(np.unique(labels)), [split], "", encoder, groups)
    with limited_threads(n_jobs):
        warm_up(spec)
        return next(fit_repeats(data, spec, protocol, n_jobs))
