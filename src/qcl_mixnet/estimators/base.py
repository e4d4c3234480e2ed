"""What every network here is to its user: a scikit-learn classifier that reads raw tables.

QCL-MixNet, its ablations and the network baselines differ in `NetworkClassifier._build`
and `NetworkClassifier._objective` alone; tables, labels, held-out rows, the checkpoint rule
and predictions are the same for all.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from qcl_mixnet.engine.devices import resolve_device
from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.engine.loop import Objective
from qcl_mixnet.engine.members import PreparedMember, TrainedMember, fit_members
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.estimators.holdout import holdout_split
from qcl_mixnet.estimators.labels import codes_among, encode_labels
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.preprocessing.tables import as_table

Checkpoint = Literal["last", "validation", "test"]

# Rows that are predicted at a time: few enough that what the layers make of them stays in a
# CPU's cache. A million rows of 50 columns took eight networks a third of the time of 65,536.
PREDICTION_CHUNK = 2048

# Checks of the parameters that all networks share; a subclass adds its own.
TRAINING_CONSTRAINTS: dict[str, list[Any]] = {
    "epochs": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
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

    A subclass declares its constructor, with the parameters of `TRAINING_CONSTRAINTS` among
    its own, and builds its network and objective in `_build`. For the attributes after
    `fit` see `QCLMixNetClassifier`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = TRAINING_CONSTRAINTS

    best_epoch_: int | list[int]

    # Whether networks of this kind can be stacked (see `stacking`) and trained together.
    _stackable: ClassVar[bool] = True

    @abstractmethod
    def _build(self, n_inputs: int, generator: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """Make an untrained network and its loss, on the CPU.

        Parameters
        ----------
        n_inputs : int
            Width of the preprocessed rows.
        generator : torch.Generator
            Source of the first parameters.
        """

    @abstractmethod
    def _objective(
        self,
        network: nn.Module,
        loss: nn.Module,
        x: Tensor,
        labels: Tensor,
        streams: Sequence[Streams],
    ) -> Objective:
        """Make the objective of the members of a group.

        Parameters
        ----------
        network, loss : nn.Module
            What `_build` made, stacked, on the device of `x`.
        x : Tensor of shape (members, n_samples, n_inputs), float32
            Preprocessed rows; without the members axis where a kind cannot be stacked.
        labels : Tensor of shape (members, n_samples), int64
            Positions in `classes_`; likewise.
        streams : sequence of Streams
            Each member's; `mixup` is for the objective's draws.
        """

    def _logits(self, network: nn.Module, x: Tensor) -> Tensor:
        """Logits `(..., n_samples, n_classes)` of preprocessed rows, a chunk at a time."""
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
            Rows that `checkpoint="test"` selects the epoch on; refused with any other rule.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            When a parameter, the table or the labels are not usable, with the reason.
        TrainingDivergedError
            When the loss is not finite in the first epoch. Later on, the last good epoch is kept,
            with a warning.
        KeyboardInterrupt
            When the user interrupts the training. After the first epoch the estimator is fitted all
            the same: the best epoch so far is kept, and a decision or calibration that was to be
            tuned afterwards is not. A search or cross-validation stops, so that no partly trained
            network enters its scores.
        """
        fit_members([self], [(X, y)], [eval_set])
        return self

    @staticmethod
    def fit_together(
        models: Sequence[NetworkClassifier],
        tables: Sequence[tuple[Any, ArrayLike]],
        eval_sets: Sequence[tuple[Any, ArrayLike] | None] | None = None,
    ) -> None:
        """Fit many estimators at once: `fit_members`."""
        fit_members(models, tables, eval_sets)

    def warm_up(self) -> None:
        """Do what only the first fit of a process does, before a clock starts.

        The first optimizer of a process makes PyTorch import its compiler, for a second.
        """
        torch.optim.AdamW([torch.zeros(1)])

    def _prepare(
        self, X: Any, y: ArrayLike, eval_set: tuple[Any, ArrayLike] | None = None
    ) -> list[PreparedMember]:
        """Check the input, hold rows out, fit the preprocessing and turn all into tensors."""
        if (eval_set is not None) != (self.checkpoint == "test"):
            raise ValueError(
                f"eval_set belongs to checkpoint='test' and to nothing else; got checkpoint="
                f"{self.checkpoint!r} {'with' if eval_set is not None else 'without'} an eval_set."
            )
        X = self._validate_table(X, reset=True)
        self.classes_, labels = encode_labels(y)
        check_consistent_length(X, labels)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        streams = Streams.from_seed(seed)
        fraction = self.validation_fraction if self.checkpoint == "validation" else 0.0
        train_rows, holdout_rows = holdout_split(labels, fraction, streams.holdout)
        train_table = X if fraction == 0 else _safe_indexing(X, train_rows)
        preprocessor = self._make_preprocessor().set_output(transform="default")
        self.preprocessor_ = preprocessor.fit(train_table)
        self.device_ = resolve_device(self.device)
        self.test_selected_ = eval_set is not None

        scored: tuple[Any, NDArray[np.int64]] | None = None
        if self.checkpoint == "validation":
            scored = _safe_indexing(X, holdout_rows), labels[holdout_rows]
        elif eval_set is not None:
            warnings.warn(
                "checkpoint='test' chooses the epoch on eval_set: scores on those rows are "
                "optimistic. Use it only to imitate the paper.",
                TestSelectionWarning,
                stacklevel=5,  # where fit was called
            )
            scored_table = self._validate_table(eval_set[0], reset=False)
            scored = scored_table, codes_among(self.classes_, eval_set[1], name="y of eval_set")
            check_consistent_length(*scored)
        member = PreparedMember(
            x=self._to_tensor(train_table),
            labels=torch.from_numpy(labels[train_rows]).to(self.device_),
            streams=streams,
            scored_x=None if scored is None else self._to_tensor(scored[0]),
            scored_y=None if scored is None else scored[1],
        )
        return self._ensemble(member, seed)

    def _make_preprocessor(self) -> TablePreprocessor:
        return TablePreprocessor()

    def _ensemble(self, member: PreparedMember, seed: int) -> list[PreparedMember]:  # noqa: ARG002
        """Members of the estimator, from its only or first one and the seed of their streams."""
        return [member]

    def _keep(self, trained: Sequence[tuple[PreparedMember, TrainedMember]]) -> None:
        """Take the trained networks over."""
        ((_, member),) = trained
        self.network_, result = member.network, member.result
        self.history_ = pd.DataFrame(result.history)
        self.best_epoch_ = result.best_epoch
        self.diverged_at_ = result.diverged_at
        self.interrupted_ = result.interrupted

    def _lost_by_interruption(self) -> str:
        """A sentence on what an interrupted fit could not do any more; empty for nothing."""
        return ""

    @own_settings()
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Class probabilities.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Softmax of the logits, columns in the order of `classes_`.
        """
        x = self._inputs(X)  # first: it says so if the estimator is not fitted
        return softmax(self._logits(self.network_, x)).cpu().numpy()

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of every row, `(n_samples,)`."""
        proba = self.predict_proba(X)  # first, too
        return self.classes_[proba.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        """Gaps are welcome; so are categories, but scikit-learn's checks know numbers alone."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _validate_table(self, X: Any, *, reset: bool) -> Any:
        """Check shape and columns, and for anything but a DataFrame the type too."""
        X = as_table(X)
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, skip_check_array=True, reset=reset)
            if len(X) == 0:
                raise ValueError(
                    f"Found a table of 0 rows; {type(self).__name__} needs at least 1."
                )
            return X
        # Infinity is left to the preprocessor, which says where it is.
        return validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite=False)

    def _inputs(self, X: Any) -> Tensor:
        """Preprocessed rows `(n_samples, n_inputs)` of a table to predict."""
        check_is_fitted(self)
        return self._to_tensor(self._validate_table(X, reset=False))

    def _to_tensor(self, X: Any) -> Tensor:
        return torch.from_numpy(self.preprocessor_.transform(X)).to(self.device_)


@torch.no_grad()
def in_chunks(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a function of rows to any number of them, a chunk at a time to bound memory.

    Parameters
    ----------
    function : callable
        From rows `(..., n, width)` to `(..., n, n_out)`.
    x : Tensor of shape (..., n_samples, width)

    Returns
    -------
    Tensor of shape (..., n_samples, n_out)
    """
    return torch.cat([function(chunk) for chunk in x.split(PREDICTION_CHUNK, dim=-2)], dim=-2)


def softmax(logits: Tensor) -> Tensor:
    """Probabilities `(..., n_classes)` of logits.

    In float64, so that every row sums to 1 within rounding that metrics accept.
    """
    return logits.double().softmax(-1)
