"""The deep-learning baselines as scikit-learn classifiers.

Their networks are in `deep_networks`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import torch
from sklearn.utils._param_validation import StrOptions
from torch import Tensor, nn

from qcl_mixnet.baselines.cross_entropy import (
    POSITIVE,
    BaselineObjective,
    CrossEntropyClassifier,
    weighted_mean,
)
from qcl_mixnet.baselines.deep_networks import (
    MLP,
    Cell,
    ConvolutionalNetwork,
    Reading,
    RecurrentNetwork,
    TabularResNet,
    build,
)
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import take_rows, weighted_batch
from qcl_mixnet.estimators.chunks import PREDICTION_CHUNK, in_chunks
from qcl_mixnet.estimators.training_options import TRAINING_CONSTRAINTS

# For each value of the table a convolution holds a hundred numbers, a recurrent layer that reads
# columns a thousand: 2^16 values at a time take some 0.3 GB at most, however wide the table.
PREDICTION_VALUES = 2**16


class CrossEntropyObjective(BaselineObjective):
    """Mean cross-entropy of a mini-batch, for every member.

    Parameters
    ----------
    network : nn.Module
        Stacked networks from rows to logits, on the device of `x`.
    x : Tensor of shape (members, n_samples, n_features)
        Training rows.
    labels : Tensor of shape (members, n_samples), int64
        Their encoded labels.
    weights : Tensor of shape (members, n_samples), optional
        How much they count, 1 in the mean.
    """

    def __init__(
        self, network: nn.Module, x: Tensor, labels: Tensor, weights: Tensor | None = None
    ):
        super().__init__(network)
        self.x, self.labels, self.weights = x, labels, weights

    def __call__(self, batch: slice) -> Tensor:
        """Loss of a mini-batch, given as a slice of the epoch's order."""
        rows = self.order[:, batch]
        weights = None if self.weights is None else self.weights.gather(1, rows)
        with weighted_batch(self.network, weights):
            logits = self.network(take_rows(self.x, rows))
        labels = self.labels.gather(1, rows)
        losses = nn.functional.cross_entropy(logits.mT, labels, reduction="none")
        return weighted_mean(losses, weights).unsqueeze(0)


@dataclass(kw_only=True, eq=False, repr=False)
class DeepClassifier(CrossEntropyClassifier):
    """Base of the deep-learning baselines.

    Parameters and attributes are those of
    `CrossEntropyClassifier`.
    """

    def _build(self, n_inputs: int, generator: torch.Generator) -> nn.Module:
        return build(lambda: self.make_network(n_inputs, len(self.classes_)), generator)

    def _objective(
        self,
        network: nn.Module,
        x: Tensor,
        labels: Tensor,
        streams: Sequence[Streams],  # noqa: ARG002
        weights: Tensor | None,
    ) -> CrossEntropyObjective:
        return CrossEntropyObjective(network, x, labels, weights)

    def _logits(self, network: nn.Module, x: Tensor) -> Tensor:
        """Logits of preprocessed rows; the wider they are, the fewer at a time."""
        n_rows = max(1, PREDICTION_VALUES // x.shape[-1])
        return in_chunks(network, x, min(PREDICTION_CHUNK, n_rows))


@dataclass(kw_only=True, eq=False, repr=False)
class MLPNetworkClassifier(DeepClassifier):
    """Multilayer perceptron, 128 and 64 wide, with batch norm after each hidden layer.

    The network is `MLP`; its widths and batch norm are
    the paper's (section 4.2), its activation, ReLU, is ours.

    Parameters
    ----------
    hidden_widths : tuple or list of int, default=(128, 64)
        Widths of the hidden layers, first to last.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True)
    >>> MLPNetworkClassifier(epochs=10, random_state=0).fit(X, y).predict_proba(X).shape
    (178, 3)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TRAINING_CONSTRAINTS,
        "hidden_widths": [tuple, list],
    }

    hidden_widths: Sequence[int] = (128, 64)

    def _validate_params(self) -> None:
        super()._validate_params()
        _check_widths(self, "hidden_widths")

    def make_network(self, n_features: int, n_classes: int) -> MLP:
        """Lay out the perceptron for so many preprocessed columns."""
        return MLP(n_features, n_classes, self.hidden_widths)


@dataclass(kw_only=True, eq=False, repr=False)
class ResNetClassifier(DeepClassifier):
    """Residual network for tables, with three residual blocks.

    The network is `TabularResNet`, after Gorishniy et al. (2021): a linear layer, blocks of batch
    norm, linear, ReLU and linear that are added to their input, then batch norm, ReLU and a linear
    layer. The paper (section 4.2) gives the number of
    blocks; the widths are ours, and dropout is left out.

    Parameters
    ----------
    width : int, default=128
        Width between the blocks; inside them it is twice that.
    n_blocks : int, default=3
        Number of residual blocks.

    References
    ----------
    Gorishniy, Rubachev, Khrulkov, Babenko, "Revisiting deep learning models for tabular data",
    NeurIPS 2021.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TRAINING_CONSTRAINTS,
        "width": [POSITIVE],
        "n_blocks": [POSITIVE],
    }

    width: int = 128
    n_blocks: int = 3

    def make_network(self, n_features: int, n_classes: int) -> TabularResNet:
        """Lay out the residual network for so many preprocessed columns."""
        return TabularResNet(n_features, n_classes, self.width, self.n_blocks)


@dataclass(kw_only=True, eq=False, repr=False)
class CNNClassifier(DeepClassifier):
    """Two one-dimensional convolutions, of 32 and 64 filters with kernel 3, along the columns.

    The network is `ConvolutionalNetwork`; filters and
    kernel are the paper's (section 4.2). The row is a signal with one channel in the order of the
    preprocessed columns: the numeric ones as in the table, then the one-hot ones. A table's columns
    have no order, so neighbours under a kernel are neighbours by accident. The convolutions keep
    the length, and their result is flattened, not pooled: a column's position is its meaning.

    Parameters
    ----------
    filters : tuple or list of int, default=(32, 64)
        Filters of the convolutions, first to last.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TRAINING_CONSTRAINTS,
        "filters": [tuple, list],
    }

    filters: Sequence[int] = (32, 64)

    def _validate_params(self) -> None:
        super()._validate_params()
        _check_widths(self, "filters")

    def make_network(self, n_features: int, n_classes: int) -> ConvolutionalNetwork:
        """Lay out the convolutions for so many preprocessed columns."""
        return ConvolutionalNetwork(n_features, n_classes, self.filters)


@dataclass(kw_only=True, eq=False, repr=False)
class RecurrentClassifier(DeepClassifier):
    """Base of the recurrent baselines: a recurrent layer, and a linear layer on its last state.

    The network is `RecurrentNetwork`, which says why a
    row is one time step here and what is lost by it.

    Parameters
    ----------
    hidden_width : int, default=128
        Units of the layer, per direction; the paper's (section 4.2) by default.
    sequence : {"row", "columns"}, default="row"
        How a row becomes a sequence, on which the paper is silent: one time step that holds all
        features, or a step for every preprocessed column, whose cost grows with their number.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TRAINING_CONSTRAINTS,
        "hidden_width": [POSITIVE],
        "sequence": [StrOptions(set(get_args(Reading)))],
    }
    _bidirectional: ClassVar[bool] = False

    hidden_width: int = 128
    sequence: Reading = "row"

    @property
    @abstractmethod
    def _cell(self) -> Cell:
        """Kind of the layer."""

    def make_network(self, n_features: int, n_classes: int) -> RecurrentNetwork:
        """Lay out the recurrent layer for so many preprocessed columns."""
        return RecurrentNetwork(
            n_features,
            n_classes,
            self._cell,
            bidirectional=self._bidirectional,
            hidden_width=self.hidden_width,
            sequence=self.sequence,
        )


class GRUClassifier(RecurrentClassifier):
    """Gated recurrent units, 128 of them, over a row of the table.

    GRUs are Cho et al.'s (EMNLP 2014). By default the row is one time step that holds all features:
    the recurrence never acts, and the layer is a gated feed-forward one, (1 - z) tanh(...) with an
    update gate z. `sequence="columns"` reads the row a column at a time. Parameters and
    attributes are those of `RecurrentClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True)
    >>> GRUClassifier(epochs=10, random_state=0).fit(X, y).predict_proba(X).shape
    (178, 3)
    """

    _cell = "gru"


class LSTMClassifier(RecurrentClassifier):
    """Long short-term memory, 128 units, over a row of the table.

    LSTMs are Hochreiter and Schmidhuber's (Neural Computation 9, 1997), with the forget gate of
    Gers et al. (12, 2000). By default the row is one time step that holds all features: the
    recurrence never acts, the forget gate has nothing to forget, and the layer is a gated
    feed-forward one, o tanh(i tanh(...)) with an input gate i and an output gate o.
    `sequence="columns"` reads the row a column at a time. Parameters and attributes are those of
    `RecurrentClassifier`.
    """

    _cell = "lstm"


class BiGRUClassifier(GRUClassifier):
    """Gated recurrent units in both directions, 128 for each, over a row of the table.

    Two directions are Schuster and Paliwal's (IEEE Transactions on Signal Processing 45, 1997). By
    default the row is one time step that holds all features: there is no other direction to read
    it in, and the second layer is one more gated feed-forward layer beside the first, as a
    `GRUClassifier` of 256 units. `sequence="columns"` reads the row a column at a time,
    forwards and backwards. Parameters and attributes are those of `RecurrentClassifier`.
    """

    _bidirectional = True


class BiLSTMClassifier(LSTMClassifier):
    """Long short-term memory in both directions, 128 units for each, over a row of the table.

    Two directions are Schuster and Paliwal's (IEEE Transactions on Signal Processing 45, 1997). By
    default the row is one time step that holds all features: there is no other direction to read
    it in, and the second layer is one more gated feed-forward layer beside the first, as an
    `LSTMClassifier` of 256 units. `sequence="columns"` reads the row a column at a time,
    forwards and backwards. Parameters and attributes are those of `RecurrentClassifier`.
    """

    _bidirectional = True


def _check_widths(model: DeepClassifier, name: str) -> None:
    """Check every entry of a list of widths, which scikit-learn's constraints cannot."""
    widths = getattr(model, name)
    if not widths or not all(POSITIVE.is_satisfied_by(width) for width in widths):
        raise ValueError(
            f"The {name!r} parameter of {type(model).__name__} must hold one width or more, each "
            f"{POSITIVE}. Got {widths!r} instead."
        )
