"""The graph-network baselines as scikit-learn classifiers.

They share QCL-MixNet's tables, batches and checkpoint rule, and are trained by plain cross-entropy
(section 4.2 of the paper: 100 epochs of AdamW). Their networks are in ``graph_networks``, the graph
that they read in ``neighbor_graph``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from qcl_mixnet.baselines.graph_networks import (
    GAT,
    GCN,
    GIN,
    HIDDEN_WIDTH,
    GraphNetwork,
    GraphSAGE,
    JKNet,
)
from qcl_mixnet.baselines.neighbor_graph import NeighborGraph, TrainingGraph
from qcl_mixnet.model.estimator import TRAINING_CONSTRAINTS, Checkpoint, NetworkClassifier
from qcl_mixnet.model.randomness import Streams

# A row's logits depend on at most 156 rows (5 neighbours, 3 rounds): what so many rows to predict
# need fits into memory whatever the number of training rows.
PREDICTED_AT_ONCE = 4096

POSITIVE = Interval(Integral, 1, None, closed="left")


class GraphObjective:
    """Mean cross-entropy of a mini-batch, every row with its part of the training graph.

    Parameters
    ----------
    network : GraphNetwork
        On the device of the graph.
    graph : TrainingGraph
        The training rows and their neighbours.
    labels : Tensor of shape (n_samples,), int64
        Encoded labels of the training rows.
    """

    def __init__(self, network: GraphNetwork, graph: TrainingGraph, labels: Tensor):
        self.network, self.graph, self.labels = network, graph, labels

    def parameters(self) -> Iterator[nn.Parameter]:
        """The network's parameters: the loss has none of its own."""
        return self.network.parameters()

    def start_epoch(self) -> None:
        """Nothing is random here but the order of the rows."""

    def __call__(self, rows: Tensor, places: slice) -> Mapping[str, Tensor]:  # noqa: ARG002
        """``loss`` of the rows with these indices, not of the neighbours that they drag in."""
        (rows,) = rows  # of the only member
        logits = row_logits(self.network, self.graph, rows)
        return {"loss": nn.functional.cross_entropy(logits, self.labels[rows]).unsqueeze(0)}


def row_logits(network: GraphNetwork, graph: NeighborGraph, rows: Tensor) -> Tensor:
    """Logits ``(n, n_classes)`` of ``n`` rows of a graph, from the part that they depend on."""
    part = graph.neighborhood(rows, network.n_hops)
    return network(graph.x[part.nodes], part.edges)[part.seeds]


@dataclass(kw_only=True, eq=False, repr=False)
class GraphClassifier(NetworkClassifier):
    """Base of the graph-network baselines.

    Every training row receives messages from its ``n_neighbors`` nearest other training rows. A row
    to predict receives from its nearest training rows and sends to none: predictions are inductive
    and do not depend on which other rows are asked about. See
    :class:`~qcl_mixnet.baselines.neighbor_graph.TrainingGraph`.

    Tables may hold numbers, gaps, categories, booleans and strings, as QCL-MixNet's may. Distances
    are Euclidean, between preprocessed rows.

    Parameters
    ----------
    epochs : int, default=100
        Passes over the training rows.
    batch_size : int, default=64
        Rows per mini-batch; at least 2.
    learning_rate : float, default=1e-3
        Learning rate of AdamW.
    max_learning_rate : float or None, default=None
        Peak of a OneCycleLR schedule; None trains at ``learning_rate`` throughout, as the paper
        trains its baselines.
    weight_decay : float, default=1e-5
        Weight decay of AdamW.
    n_neighbors : int, default=5
        Rows that each row receives from; cut to one fewer than there are training rows.
    hidden_width : int, default=64
        Width of every layer.
    n_layers : int, default=2
        Rounds of message passing.
    checkpoint : {"last", "validation", "test"}, default="last"
        Which epoch's network is kept: the last, the best on held-out training rows, which are then
        not in the training graph, or the best on ``eval_set``. "test" imitates the paper, is
        optimistic, and warns.
    validation_fraction : float, default=0.2
        Share of the training rows of each class that "validation" holds out.
    device : str, default="auto"
        PyTorch device; "auto" takes CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, batches and held-out rows. The same int gives bit-equal
        predictions on the same CPU.

    Attributes
    ----------
    graph_ : TrainingGraph
        The training rows, which predictions need, and their neighbours.
    classes_, network_, preprocessor_, history_, best_epoch_, test_selected_, device_, \
n_features_in_, feature_names_in_
        As of :class:`~qcl_mixnet.model.classifier.QCLMixNetClassifier`.

    Notes
    -----
    The subclasses are dataclasses too, so that each writes down its own parameters alone:
    scikit-learn reads all of them from the constructor that this makes.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TRAINING_CONSTRAINTS,
        "n_neighbors": [POSITIVE],
        "hidden_width": [POSITIVE],
        "n_layers": [POSITIVE],
    }
    # A sub-graph has another shape for every member.
    _stackable: ClassVar[bool] = False
    _network: ClassVar[type[GraphNetwork]]
    _network_options: ClassVar[tuple[str, ...]] = ("hidden_width", "n_layers")

    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 1e-3
    max_learning_rate: float | None = None
    weight_decay: float = 1e-5
    n_neighbors: int = 5
    hidden_width: int = HIDDEN_WIDTH
    n_layers: int = 2
    checkpoint: Checkpoint = "last"
    validation_fraction: float = 0.2
    device: str = "auto"
    random_state: int | np.random.RandomState | None = None

    def _build(self, n_inputs: int, generator: torch.Generator) -> tuple[GraphNetwork, nn.Module]:
        options = {name: getattr(self, name) for name in self._network_options}
        network = self._network.build(n_inputs, len(self.classes_), generator=generator, **options)
        return network, nn.Identity()

    def _objective(
        self,
        network: nn.Module,
        loss: nn.Module,  # noqa: ARG002
        x: Tensor,
        labels: Tensor,
        streams: Sequence[Streams],  # noqa: ARG002
    ) -> GraphObjective:
        assert isinstance(network, GraphNetwork)  # what _build makes
        self.graph_ = TrainingGraph(x, self.n_neighbors)
        return GraphObjective(network, self.graph_, labels)

    @torch.no_grad()
    def _logits(self, network: nn.Module, x: Tensor) -> Tensor:
        """Logits of preprocessed rows, each joined to the training graph; a chunk at a time."""
        assert isinstance(network, GraphNetwork)  # what _build makes
        graph = self.graph_.join(x)
        rows = torch.arange(len(self.graph_.x), len(graph.x), device=x.device)
        chunks = rows.split(PREDICTED_AT_ONCE)
        return torch.cat([row_logits(network, graph, chunk) for chunk in chunks])


class GCNClassifier(GraphClassifier):
    """Graph convolutional network: :class:`~qcl_mixnet.baselines.graph_networks.GCN`.

    Parameters and attributes are those of :class:`GraphClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True)
    >>> GCNClassifier(epochs=10, random_state=0).fit(X, y).predict_proba(X).shape
    (178, 3)
    """

    _network = GCN


class GraphSAGEClassifier(GraphClassifier):
    """GraphSAGE: :class:`~qcl_mixnet.baselines.graph_networks.GraphSAGE`.

    Every row receives from all of its ``n_neighbors``; with so few there is nothing to sample.
    Parameters and attributes are those of :class:`GraphClassifier`.
    """

    _network = GraphSAGE


@dataclass(kw_only=True, eq=False, repr=False)
class GATClassifier(GraphClassifier):
    """Graph attention network: :class:`~qcl_mixnet.baselines.graph_networks.GAT`.

    Other parameters and the attributes are those of :class:`GraphClassifier`.

    Parameters
    ----------
    heads : int, default=1
        Attentions side by side that share ``hidden_width``, which must be a multiple of it. Not
        given in the paper.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **GraphClassifier._parameter_constraints,
        "heads": [POSITIVE],
    }
    _network = GAT
    _network_options = (*GraphClassifier._network_options, "heads")

    heads: int = 1


class GINClassifier(GraphClassifier):
    """Graph isomorphism network: :class:`~qcl_mixnet.baselines.graph_networks.GIN`.

    Parameters and attributes are those of :class:`GraphClassifier`.
    """

    _network = GIN


@dataclass(kw_only=True, eq=False, repr=False)
class JKNetClassifier(GraphClassifier):
    """Jumping-knowledge network: :class:`~qcl_mixnet.baselines.graph_networks.JKNet`.

    Other parameters and the attributes are those of :class:`GraphClassifier`.

    Parameters
    ----------
    n_layers : int, default=3
        Rounds of message passing.
    """

    _network = JKNet

    n_layers: int = 3
