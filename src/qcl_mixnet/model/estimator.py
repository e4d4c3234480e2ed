"""What every network here is to its user: a scikit-learn classifier that reads raw tables.

QCL-MixNet, its ablations and the network baselines differ in :meth:`NetworkClassifier._build`
alone; tables, labels, held-out rows, the checkpoint rule and predictions are the same for all.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import fields
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.metrics import f1_score
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from qcl_mixnet.data.preprocessing import TablePreprocessor
from qcl_mixnet.model.devices import resolve_device
from qcl_mixnet.model.holdout import holdout_split
from qcl_mixnet.model.labels import encode_labels
from qcl_mixnet.model.randomness import Streams
from qcl_mixnet.model.training import Objective, TrainingOptions, train

Checkpoint = Literal["last", "validation", "test"]

PREDICTION_CHUNK = 65_536

# Checks of the parameters that all networks share; a subclass adds its own.
TRAINING_CONSTRAINTS: dict[str, list[Any]] = {
    "epochs": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 2, None, closed="left")],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "max_learning_rate": [Interval(Real, 0, None, closed="neither"), None],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "checkpoint": [StrOptions(set(get_args(Checkpoint)))],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "device": [str],
    "random_state": ["random_state"],
}


class TestSelectionWarning(UserWarning):
    """The checkpoint was chosen on rows that the result will be reported on."""

    __test__ = False  # keeps pytest from collecting a class whose name starts with "Test"


class NetworkClassifier(ClassifierMixin, BaseEstimator, ABC):
    """Base of the classifiers that train a network.

    A subclass declares its constructor, with the parameters of ``TRAINING_CONSTRAINTS`` among
    its own, and builds its network and objective in :meth:`_build`. For the attributes after
    ``fit`` see :class:`~qcl_mixnet.model.classifier.QCLMixNetClassifier`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = TRAINING_CONSTRAINTS

    @abstractmethod
    def _build(self, x: Tensor, labels: Tensor, streams: Streams) -> tuple[nn.Module, Objective]:
        """Make the untrained network and its objective, on the device of ``x``.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_inputs), float32
            Preprocessed training rows.
        labels : Tensor of shape (n_samples,), int64
            Positions in ``classes_``.
        streams : Streams
            ``init`` for the first parameters; ``mixup`` for draws of the objective.
        """

    def _logits(self, network: nn.Module, x: Tensor) -> Tensor:
        """Logits ``(n_samples, n_classes)`` of preprocessed rows, a chunk at a time."""
        return in_chunks(network, x)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: ArrayLike, eval_set: tuple[Any, ArrayLike] | None = None) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Training rows; gaps and, in a DataFrame, categories are allowed.
        y : array-like of shape (n_samples,)
            Labels, at least two different ones.
        eval_set : tuple (X, y), optional
            Rows that ``checkpoint="test"`` selects the epoch on; refused with any other rule.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            When a parameter, the table or the labels are not usable, with the reason.
        TrainingDivergedError
            When the loss stops being finite.
        """
        if (eval_set is not None) != (self.checkpoint == "test"):
            raise ValueError(
                f"eval_set belongs to checkpoint='test' and to nothing else; got checkpoint="
                f"{self.checkpoint!r} {'with' if eval_set is not None else 'without'} an eval_set."
            )
        X = self._validate_table(X, reset=True)
        self.classes_, labels = encode_labels(y)
        check_consistent_length(X, labels)
        streams = Streams.from_seed(int(check_random_state(self.random_state).randint(2**31 - 1)))
        fraction = self.validation_fraction if self.checkpoint == "validation" else 0.0
        train_rows, holdout_rows = holdout_split(labels, fraction, streams.holdout)
        train_table = _safe_indexing(X, train_rows)
        self.preprocessor_ = TablePreprocessor().fit(train_table)
        self.device_ = resolve_device(self.device)

        score_epoch = None
        if self.checkpoint == "validation":
            score_epoch = self._epoch_score(
                _safe_indexing(X, holdout_rows), self.classes_[labels[holdout_rows]]
            )
        elif eval_set is not None:
            warnings.warn(
                "checkpoint='test' chooses the epoch on eval_set: scores on those rows are "
                "optimistic. Use it only to imitate the paper.",
                TestSelectionWarning,
                stacklevel=2,
            )
            score_epoch = self._epoch_score(
                self._validate_table(eval_set[0], reset=False), np.asarray(eval_set[1])
            )

        x = self._to_tensor(train_table)
        targets = torch.from_numpy(labels[train_rows]).to(self.device_)
        self.network_, objective = self._build(x, targets, streams)
        options = TrainingOptions(
            **{f.name: getattr(self, f.name) for f in fields(TrainingOptions)}
        )
        result = train(self.network_, objective, len(x), options, streams.batches, score_epoch)
        self.history_ = pd.DataFrame(result.history)
        self.best_epoch_ = result.best_epoch
        self.test_selected_ = self.checkpoint == "test"
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Class probabilities.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Softmax of the logits, columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        x = self._to_tensor(self._validate_table(X, reset=False))
        # float64, so that every row sums to 1 within rounding that metrics accept.
        return torch.softmax(self._logits(self.network_, x).double(), dim=1).cpu().numpy()

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of every row, ``(n_samples,)``."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        """Gaps and categories are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _validate_table(self, X: Any, *, reset: bool) -> Any:
        """Check columns, and for anything but a DataFrame shape and type too."""
        if hasattr(X, "iloc"):
            validate_data(self, X, skip_check_array=True, reset=reset)
            return X
        return validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan")

    def _to_tensor(self, X: Any) -> Tensor:
        return torch.from_numpy(self.preprocessor_.transform(X)).to(self.device_)

    def _epoch_score(self, X: Any, y: NDArray[Any]) -> Callable[[nn.Module], float]:
        """Macro F1 of a network on some rows, whatever classes these hold."""
        x = self._to_tensor(X)

        def macro_f1(network: nn.Module) -> float:
            predicted = self.classes_[self._logits(network, x).argmax(dim=1).cpu().numpy()]
            return float(f1_score(y, predicted, average="macro", zero_division=0))

        return macro_f1


@torch.no_grad()
def in_chunks(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a function of rows to any number of them, a chunk at a time to bound memory."""
    return torch.cat([function(chunk) for chunk in x.split(PREDICTION_CHUNK)])
