"""QCLMixNetClassifier: the method behind scikit-learn's interface."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import fields
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.metrics import f1_score
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from qcl_mixnet.data.preprocessing import TablePreprocessor
from qcl_mixnet.model.devices import resolve_device
from qcl_mixnet.model.holdout import holdout_split
from qcl_mixnet.model.labels import encode_labels
from qcl_mixnet.model.layers import Gate
from qcl_mixnet.model.losses import HybridLoss, IntraClass, Reduction, TripletDistance
from qcl_mixnet.model.network import EMBEDDING_WIDTH, QCLMixNet
from qcl_mixnet.model.randomness import Streams
from qcl_mixnet.model.training import NeighborSpace, TrainingOptions, train

Checkpoint = Literal["last", "validation", "test"]


class TestSelectionWarning(UserWarning):
    """The checkpoint was chosen on rows that the result will be reported on."""

    __test__ = False  # keeps pytest from collecting a class whose name starts with "Test"


class QCLMixNetClassifier(ClassifierMixin, BaseEstimator):
    """Quantum-informed contrastive learning with dynamic mixup, for imbalanced tables.

    A small network with quantum-entanglement-inspired layers is trained on kNN-guided mixtures of
    rows with a loss of focal, class-variance, supervised contrastive and triplet terms (Jahin,
    Abid, Mridha: "Quantum-Informed Contrastive Learning with Dynamic Mixup Augmentation for
    Class-Imbalanced Expert Systems"). Defaults are the paper's; where the paper is silent, the
    parameter says so.

    Tables may hold numbers, gaps, categories, booleans and strings: imputation, one-hot encoding
    and scaling are part of the estimator and are fitted on the training rows alone.

    Parameters
    ----------
    epochs : int, default=100
        Passes over the training rows.
    batch_size : int, default=64
        Rows per mini-batch; at least 2.
    learning_rate : float, default=1e-3
        Learning rate of AdamW. OneCycleLR replaces it unless ``max_learning_rate`` is None.
    max_learning_rate : float or None, default=1e-2
        Peak of the OneCycleLR schedule; None trains at ``learning_rate`` throughout.
    weight_decay : float, default=1e-5
        Weight decay of AdamW.
    quantum, attention, mixup : bool, default=True
        Keep the quantum-entanglement layers, the attention, the mixup. False gives the paper's
        ablations.
    theta_std : float, default=0.1
        Spread of the quantum-entanglement layers' initial angles (not given in the paper).
    gate : {"projected", "input"}, default="projected"
        Argument of their gate: the rotated row (Eq. 2) or the row (Eq. 18).
    n_neighbors : int, default=5
        Neighbours in the mini-batch that a row may be mixed with.
    mixup_alpha : float, default=0.4
        Both parameters of mixup's Beta distribution (not given in the paper).
    neighbor_space : {"input", "representation", "embedding"}, default="input"
        Where neighbours are looked for: the scaled input (Algorithm 1), the 32-wide
        representation (Definition 1) or the 8-wide embedding.
    loss_weight : float, default=0.5
        The a of Eq. 9, between the focal-variance loss (1) and the metric losses (0).
    focal_gamma : float, default=3.0
        Exponent of the focal term.
    variance_weight : float, default=0.8
        Weight beta of the intra-class variance.
    intra_class : {"squared_norm", "mse"}, default="squared_norm"
        Form of the intra-class term: Eq. 11, or Algorithm 1's mean over the embedding's width.
    temperature : float, default=0.2
        Temperature of the supervised contrastive loss.
    supcon_reduction : {"mean", "sum"}, default="mean"
        Over the anchors of a batch; Eq. 15 writes a sum, the named library computes the mean.
    triplet_margin : float, default=0.5
        Margin of the triplet loss.
    triplet_distance : {"euclidean", "squared_euclidean"}, default="euclidean"
        Between normalised embeddings; Eq. 16 writes the square, the named library's default is
        not squared.
    checkpoint : {"last", "validation", "test"}, default="last"
        Which epoch's network is kept: the last, the best on held-out training rows, or the best on
        ``eval_set``. "test" imitates the paper, is optimistic, and warns.
    validation_fraction : float, default=0.2
        Share of the training rows of each class that "validation" holds out.
    device : str, default="auto"
        PyTorch device; "auto" takes CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, batches, mixup and held-out rows. The same int gives bit-equal
        predictions on the same CPU.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted; the order of the columns of :meth:`predict_proba`.
    network_ : QCLMixNet
        The trained network.
    preprocessor_ : TablePreprocessor
        What turned the table into numbers.
    history_ : DataFrame
        One row per epoch: loss terms, learning rate, held-out macro F1 where there is one.
    best_epoch_ : int
        The epoch (from 1) whose network was kept.
    test_selected_ : bool
        True when ``checkpoint="test"`` chose the network.
    device_ : str
        The device that it was trained on.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_features_in_,)
        Number of columns seen in ``fit`` and, when they are all strings, their names.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from qcl_mixnet import QCLMixNetClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> model = QCLMixNetClassifier(epochs=20, random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (178, 3)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        **{part: ["boolean"] for part in ("quantum", "attention", "mixup")},
        "theta_std": [Interval(Real, 0, None, closed="left")],
        "gate": [StrOptions(set(get_args(Gate)))],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "mixup_alpha": [Interval(Real, 0, None, closed="neither")],
        "neighbor_space": [StrOptions(set(get_args(NeighborSpace)))],
        "loss_weight": [Interval(Real, 0, 1, closed="both")],
        "focal_gamma": [Interval(Real, 0, None, closed="left")],
        "variance_weight": [Interval(Real, 0, None, closed="left")],
        "intra_class": [StrOptions(set(get_args(IntraClass)))],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "supcon_reduction": [StrOptions(set(get_args(Reduction)))],
        "triplet_margin": [Interval(Real, 0, None, closed="left")],
        "triplet_distance": [StrOptions(set(get_args(TripletDistance)))],
        "checkpoint": [StrOptions(set(get_args(Checkpoint)))],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        epochs: int = 100,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        max_learning_rate: float | None = 1e-2,
        weight_decay: float = 1e-5,
        quantum: bool = True,
        attention: bool = True,
        mixup: bool = True,
        theta_std: float = 0.1,
        gate: Gate = "projected",
        n_neighbors: int = 5,
        mixup_alpha: float = 0.4,
        neighbor_space: NeighborSpace = "input",
        loss_weight: float = 0.5,
        focal_gamma: float = 3.0,
        variance_weight: float = 0.8,
        intra_class: IntraClass = "squared_norm",
        temperature: float = 0.2,
        supcon_reduction: Reduction = "mean",
        triplet_margin: float = 0.5,
        triplet_distance: TripletDistance = "euclidean",
        checkpoint: Checkpoint = "last",
        validation_fraction: float = 0.2,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_learning_rate = max_learning_rate
        self.weight_decay = weight_decay
        self.quantum = quantum
        self.attention = attention
        self.mixup = mixup
        self.theta_std = theta_std
        self.gate = gate
        self.n_neighbors = n_neighbors
        self.mixup_alpha = mixup_alpha
        self.neighbor_space = neighbor_space
        self.loss_weight = loss_weight
        self.focal_gamma = focal_gamma
        self.variance_weight = variance_weight
        self.intra_class = intra_class
        self.temperature = temperature
        self.supcon_reduction = supcon_reduction
        self.triplet_margin = triplet_margin
        self.triplet_distance = triplet_distance
        self.checkpoint = checkpoint
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: ArrayLike, eval_set: tuple[Any, ArrayLike] | None = None
    ) -> QCLMixNetClassifier:
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
        QCLMixNetClassifier
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
        self.network_, loss = self._build(x.shape[1], streams)
        options = TrainingOptions(
            **{f.name: getattr(self, f.name) for f in fields(TrainingOptions)}
        )
        result = train(self.network_, loss, x, targets, options, streams, score_epoch)
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
        return torch.softmax(self.network_.predict_logits(x).double(), dim=1).cpu().numpy()

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

    def _epoch_score(self, X: Any, y: NDArray[Any]) -> Callable[[QCLMixNet], float]:
        """Macro F1 of a network on some rows, whatever classes these hold."""
        x = self._to_tensor(X)

        def macro_f1(net: QCLMixNet) -> float:
            predicted = self.classes_[net.predict_logits(x).argmax(dim=1).cpu().numpy()]
            return float(f1_score(y, predicted, average="macro", zero_division=0))

        return macro_f1

    def _build(self, n_inputs: int, streams: Streams) -> tuple[QCLMixNet, HybridLoss]:
        n_classes = len(self.classes_)
        options = {
            name: getattr(self, name) for name in ("quantum", "attention", "theta_std", "gate")
        }
        network = QCLMixNet.build(n_inputs, n_classes, generator=streams.init, **options)
        loss = HybridLoss(
            n_classes,
            EMBEDDING_WIDTH,
            weight=self.loss_weight,
            gamma=self.focal_gamma,
            beta=self.variance_weight,
            temperature=self.temperature,
            margin=self.triplet_margin,
            intra_class=self.intra_class,
            supcon_reduction=self.supcon_reduction,
            triplet_distance=self.triplet_distance,
        )
        loss.reset_parameters(streams.init)
        return network.to(self.device_), loss.to(self.device_)
