"""QCLMixNetClassifier: the method behind scikit-learn's interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, ClassVar, Literal, Self, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from qcl_mixnet.engine.devices import resolve_device
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.estimators.decision_rules import AnyDecision
from qcl_mixnet.estimators.ensemble import Bagging
from qcl_mixnet.estimators.method_constraints import METHOD_CONSTRAINTS
from qcl_mixnet.estimators.network_size import Attention, SizedEnsemble
from qcl_mixnet.estimators.table_inputs import TABLE_CONSTRAINTS
from qcl_mixnet.estimators.training_options import Checkpoint
from qcl_mixnet.model.kernels import compile_all
from qcl_mixnet.model.layers import Gate
from qcl_mixnet.model.losses import IntraClass, LossOptions, Reduction, TripletDistance
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.objective import HybridObjective, MixupOptions, NeighborSpace
from qcl_mixnet.model.partners import NeighborClasses, NeighborPool
from qcl_mixnet.model.variational import Quantum
from qcl_mixnet.preprocessing.column_encoder import Dates, RareLevels
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

Options = TypeVar("Options", LossOptions, MixupOptions)

_RECOMMENDED = {"n_members": 10, "bagging": "folds", "calibrate": True, "decision": "macro_f1"}


class QCLMixNetClassifier(SizedEnsemble):
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
    batch_size : int or "auto", default="auto"
        Rows per mini-batch, at least 2. "auto" takes the paper's 64 up to 100,000 training rows
        and 128 above that.
    learning_rate : float, default=1e-3
        Learning rate of AdamW. OneCycleLR replaces it unless `max_learning_rate` is None.
    max_learning_rate : float or None, default=1e-2
        Peak of the OneCycleLR schedule; None trains at `learning_rate` throughout.
    weight_decay : float, default=1e-5
        Weight decay of AdamW.
    quantum : bool or "variational", default=True
        Keep the quantum-entanglement layers, or, with "variational", put a simulated variational
        circuit in place of the second of them. False gives the paper's ablation.
    attention : bool or "full", default=True
        Keep the attention; False gives the paper's ablation. It is the paper's up to 2,048 columns
        after encoding and of rank 64 above, but for "full", which needs memory for their square.
    mixup : bool, default=True
        Keep the mixup. False gives the paper's ablation.
    n_qubits : int, default=4
        Qubits of the variational circuit, 4 to 8; not used without one.
    theta_std : float, default=0.1
        Spread of the initial angles of these layers (not given in the paper).
    gate : {"projected", "input"}, default="projected"
        Argument of their gate: the rotated row (Eq. 2) or the row (Eq. 18).
    n_neighbors : int, default=5
        Neighbours that a row may be mixed with.
    mixup_alpha : float, default=0.4
        Both parameters of mixup's Beta distribution (not given in the paper).
    neighbor_space : {"input", "representation", "embedding"}, default="input"
        Where neighbours are looked for: the scaled input (Algorithm 1), the 32-wide
        representation (Definition 1) or the 8-wide embedding.
    neighbor_pool : {"batch", "train"}, default="batch"
        Among which rows: those of the mini-batch, or all that a network trains on. "train" finds
        them once, in the input, and beyond 20,000 rows approximately (extra `neighbors`).
    neighbor_classes : {"any", "same", "cross"}, default="any"
        Classes of the neighbours in "train": any, the row's own, or the others. A row that has
        no neighbour of the kind is not mixed.
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
        `eval_set`. "test" imitates the paper, is optimistic, and warns.
    validation_fraction : float, default=0.2
        Share of the training rows of each class that "validation" holds out.
    n_members : int, default=1
        Networks whose probabilities are averaged. They train together: on a CPU, ten take four to
        five times as long as one.
    bagging : {"folds", "bootstrap"} or None, default=None
        What the networks of an ensemble train on. "folds": each on all folds but one, of
        `n_members`; "bootstrap": each on as many rows of every class as it has, drawn with
        replacement; None: each on all rows, so that they differ by their seed alone.
    calibrate : bool, default=False
        Calibrate the probabilities by one temperature (Guo et al., 2017), fitted on out-of-fold
        probabilities.
    decision : {"argmax", "macro_f1", "balanced_accuracy"}, RecallAtLeast, PrecisionAtLeast, \
AlertsAtMost, Costs, str, dict, Series or array-like, default="argmax"
        How `predict` decides; `predict_proba` stays the same, and `set_decision` changes it after
        training. For the highest probability, or the highest times a weight of the class, which is
        tuned for a score of the out-of-fold probabilities or given: by label in a dict or a Series,
        whose index names the classes, or else of shape (n_classes,). Or by what may not be
        missed (`RecallAtLeast` and its like) or what mistakes cost (`Costs`), tuned on the
        out-of-fold probabilities; as text, `"recall:fraud=0.9"`, too.
    categorical_features : "infer", None or array-like of str, int or bool, default="infer"
        Columns that are categories: by type ("infer"), none, names, positions, or a mask of shape
        (n_features,).
    dates : {"error", "features"}, default="error"
        Columns of dates are refused, or become numbers: see `ColumnEncoder`.
    rare_levels : {"error", "join"}, default="error"
        Columns of over 1000 levels are refused, or their rarest levels become one.
    device : str, default="auto"
        PyTorch device; "auto" takes CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, batches, mixup, folds and held-out rows. The same int gives
        bit-equal predictions on the same CPU.
    n_jobs : int or None, default=None
        Threads on a CPU; None: as many as PyTorch uses; -1: one for every core.
    verbose : int or bool, default=0
        Show a progress bar over the epochs.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted; the order of the columns of `predict_proba`.
    networks_ : list of QCLMixNet
        The trained networks.
    network_ : QCLMixNet
        The first of them.
    preprocessor_ : TablePreprocessor
        What turned the table into numbers.
    history_ : DataFrame
        One row per network (`member`) and epoch: loss terms, learning rate, held-out macro F1
        where there is one.
    best_epoch_ : int or list of int
        The epoch (from 1) whose network was kept; one for each where there are several.
    diverged_at_ : int or None
        The epoch in which the first of the networks that diverged did.
    interrupted_ : bool
        True when a KeyboardInterrupt ended the training early; `fit` raises it once the best
        epoch so far is kept.
    decision_rule_ : DecisionRule
        How `predict` turns probabilities into labels.
    decision_weights_ : ndarray of shape (n_classes,)
        What `predict` multiplies the probabilities by; there are none where a threshold or costs
        decide.
    calibration_temperature_ : float
        What the logarithms of the probabilities are divided by; 1 changes nothing.
    out_of_fold_proba_ : ndarray of shape (n_training_rows, n_classes) or None
        Probabilities of the training rows from networks that have not seen them, NaN for rows that
        all have seen; None where nothing asked for them. With `checkpoint="validation"` the rows
        that are not held out, in their order.
    out_of_fold_labels_ : ndarray of int64, shape (n_training_rows,), or None
        Positions in `classes_` of those rows' labels.
    out_of_fold_weights_ : ndarray of shape (n_training_rows,) or None
        Their weights, 1 in the mean; None where rows count alike.
    test_selected_ : bool
        True when `checkpoint="test"` chose the network.
    device_ : str
        The device that it was trained on.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_features_in_,)
        Number of columns seen in `fit` and, when they are all strings, their names.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from qcl_mixnet import QCLMixNetClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> model = QCLMixNetClassifier(epochs=20, random_state=0)
    >>> model.warm_up()  # before a clock starts
    >>> model.fit(X, y).predict(X[:2])
    array([0, 0])
    >>> model.predict_proba(X).shape
    (178, 3)
    """

    # Told to the benchmark, which keeps the representation of test rows for figure 4.
    transform_is_representation: ClassVar[bool] = True
    # Likewise: with `dates` and `rare_levels` it needs no encoder before it.
    encodes_columns: ClassVar[bool] = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SizedEnsemble._parameter_constraints,
        **TABLE_CONSTRAINTS,
        **METHOD_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        epochs: int = 100,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float = 1e-3,
        max_learning_rate: float | None = 1e-2,
        weight_decay: float = 1e-5,
        quantum: Quantum = True,
        attention: Attention = True,
        mixup: bool = True,
        n_qubits: int = 4,
        theta_std: float = 0.1,
        gate: Gate = "projected",
        n_neighbors: int = 5,
        mixup_alpha: float = 0.4,
        neighbor_space: NeighborSpace = "input",
        neighbor_pool: NeighborPool = "batch",
        neighbor_classes: NeighborClasses = "any",
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
        n_members: int = 1,
        bagging: Bagging | None = None,
        calibrate: bool = False,
        decision: AnyDecision = "argmax",
        categorical_features: Literal["infer"] | ArrayLike | None = "infer",
        dates: Dates = "error",
        rare_levels: RareLevels = "error",
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int | bool = 0,
    ):
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_learning_rate = max_learning_rate
        self.weight_decay = weight_decay
        self.quantum = quantum
        self.attention = attention
        self.mixup = mixup
        self.n_qubits = n_qubits
        self.theta_std = theta_std
        self.gate = gate
        self.n_neighbors = n_neighbors
        self.mixup_alpha = mixup_alpha
        self.neighbor_space = neighbor_space
        self.neighbor_pool = neighbor_pool
        self.neighbor_classes = neighbor_classes
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
        self.n_members = n_members
        self.bagging = bagging
        self.calibrate = calibrate
        self.decision = decision
        self.categorical_features = categorical_features
        self.dates = dates
        self.rare_levels = rare_levels
        self.device = device
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @classmethod
    def recommended(cls, **changes: Any) -> Self:
        """What to use on a table of one's own, in place of the paper's single network.

        Ten networks, each trained on all folds but one, calibrated probabilities, and decisions
        tuned for macro F1.

        Parameters
        ----------
        **changes
            Parameters of the class that shall be different, `random_state` for example.

        Returns
        -------
        QCLMixNetClassifier
            Not fitted; `TypeError` for a parameter that there is not.

        Examples
        --------
        >>> from qcl_mixnet import QCLMixNetClassifier
        >>> QCLMixNetClassifier.recommended(random_state=0)
        QCLMixNetClassifier(bagging='folds', calibrate=True, decision='macro_f1',
                            n_members=10, random_state=0)
        """
        return cls(**{**_RECOMMENDED, **changes})

    def warm_up(self) -> None:
        """Compile, or load, what trains on a CPU: half a minute the first time on a machine.

        `fit` does the same where it was not done. Whoever measures the time of a fit calls this
        before the clock starts.
        """
        super().warm_up()
        if torch.device(resolve_device(self.device)).type == "cpu":
            compile_all()

    def _validate_params(self) -> None:
        super()._validate_params()
        self._options(MixupOptions)  # refuses what excludes one another

    def _make_preprocessor(self) -> TablePreprocessor:
        return TablePreprocessor(**{name: getattr(self, name) for name in TABLE_CONSTRAINTS})

    def _objective(
        self,
        network: nn.Module,
        x: Tensor,
        labels: Tensor,
        streams: Sequence[Streams],
        weights: Tensor | None,
    ) -> HybridObjective:
        assert isinstance(network, QCLMixNet)  # what _build makes
        if x.device.type == "cpu":
            compile_all()
        loss, mixup = self._options(LossOptions), self._options(MixupOptions)
        return HybridObjective.build(network, x, labels, loss, mixup, streams, weights)

    def _options(self, kind: type[Options]) -> Options:
        """Options of a kind, by the names that they share with the parameters."""
        return kind(**{field.name: getattr(self, field.name) for field in fields(kind)})
