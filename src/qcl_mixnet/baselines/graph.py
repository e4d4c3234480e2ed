"""The graph-network baselines as scikit-learn classifiers.

Their networks are in `graph_networks`, the graph that they read in `neighbor_graph`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from qcl_mixnet.baselines.cross_entropy import (
    POSITIVE,
    BaselineObjective,
    CrossEntropyClassifier,
    weighted_mean,
)
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
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.estimators.training_options import TRAINING_CONSTRAINTS

# A row's logits depend on at most 156 rows (5 neighbours, 3 rounds): what so many rows to predict
# need fits into memory whatever the number of training rows.
PREDICTED_AT_ONCE = 4096


class GraphObjective(BaselineObjective):
    """Mean cross-entropy of a mini-batch, every row with its part of the training graph.

    Parameters
    ----------
    network : GraphNetwork
        On the device of the graph.
    graph : TrainingGraph
        The training rows and their neighbours.
    labels : Tensor of shape (n_samples,), int64
        Encoded labels of the training rows.
    weights : Tensor of shape (n_samples,), optional
        How much they count, 1 in the mean. Messages are passed alike whatever a row weighs.
    """

    network: GraphNetwork

    def __init__(
        self,
        network: GraphNetwork,
        graph: TrainingGraph,
        labels: Tensor,
        weights: Tensor | None = None,
    ):
        super().__init__(network)
        self.graph, self.labels, self.weights = graph, labels, weights

    def __call__(self, batch: slice) -> Tensor:
        """Loss of a mini-batch's own rows, not of the neighbours that they drag in."""
        rows = self.order[0, batch]  # of the only member
        logits = row_logits(self.network, self.graph, rows)
        labels = self.labels[rows]
        if self.weights is None:
            return nn.functional.cross_entropy(logits, labels).view(1, 1)
        losses = nn.functional.cross_entropy(logits, labels, reduction="none")
        return weighted_mean(losses, self.weights[rows]).view(1, 1)


def row_logits(network: GraphNetwork, graph: NeighborGraph, rows: Tensor) -> Tensor:
    """Logits `(n, n_classes)` of `n` rows of a graph, from the part that they depend on."""
    part = graph.neighborhood(rows, network.n_hops)
    return network(graph.x[part.nodes], part.edges)[part.seeds]


@dataclass(kw_only=True, eq=False, repr=False)
class GraphClassifier(CrossEntropyClassifier):
    """Base of the graph-network baselines.

    Every training row receives messages from its `n_neighbors` nearest other training rows. A row
    to predict receives from its nearest training rows and sends to none: predictions are inductive
    and do not depend on which other rows are asked about. Distances are Euclidean, between
    preprocessed rows. See `TrainingGraph`.

    Other parameters and attributes are those of
    `CrossEntropyClassifier`.

    Parameters
    ----------
    n_neighbors : int, default=5
        Rows that each row receives from; cut to one fewer than there are training rows.
    hidden_width : int, default=64
        Width of every layer.
    n_layers : int, default=2
        Rounds of message passing.

    Attributes
    ----------
    graph_ : TrainingGraph
        The training rows, which predictions need, and their neighbours; without the rows that
        `checkpoint="validation"` holds out.
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

    n_neighbors: int = 5
    hidden_width: int = HIDDEN_WIDTH
    n_layers: int = 2

    def _build(self, n_inputs: int, generator: torch.Generator) -> GraphNetwork:
        return self._network.build(
            n_inputs, len(self.classes_), generator=generator, **self._options()
        )

    def make_network(self, n_features: int, n_classes: int) -> GraphNetwork:
        """Lay out the network for so many preprocessed columns; its values are drawn afterwards."""
        return self._network(n_features, n_classes, **self._options())

    def _options(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self._network_options}

    def _objective(
        self,
        network: nn.Module,
        x: Tensor,
        labels: Tensor,
        streams: Sequence[Streams],  # noqa: ARG002
        weights: Tensor | None,
    ) -> GraphObjective:
        assert isinstance(network, GraphNetwork)  # what _build makes
        self.graph_ = TrainingGraph(x, self.n_neighbors)
        return GraphObjective(network, self.graph_, labels, weights)

    @torch.no_grad()
    def _logits(self, network: nn.Module, x: Tensor) -> Tensor:
        """Logits of preprocessed rows, each joined to the training graph; a chunk at a time."""
        assert isinstance(network, GraphNetwork)  # what _build makes
        graph = self.graph_.join(x)
        rows = torch.arange(len(self.graph_.x), len(graph.x), device=x.device)
        chunks = rows.split(PREDICTED_AT_ONCE)
        return torch.cat([row_logits(network, graph, chunk) for chunk in chunks])


class GCNClassifier(GraphClassifier):
    """Graph convolutional network: `GCN`.

    Parameters and attributes are those of `GraphClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True)
    >>> GCNClassifier(epochs=10, random_state=0).fit(X, y).predict_proba(X).shape
    (178, 3)
    """

    _network = GCN


class GraphSAGEClassifier(GraphClassifier):
    """GraphSAGE: `GraphSAGE`.

    Every row receives from all of its `n_neighbors`; with so few there is nothing to sample.
    Parameters and attributes are those of `GraphClassifier`.
    """

    _network = GraphSAGE


@dataclass(kw_only=True, eq=False, repr=False)
class GATClassifier(GraphClassifier):
    """Graph attention network: `GAT`.

    Other parameters and the attributes are those of `GraphClassifier`.

    Parameters
    ----------
    heads : int, default=1
        Attentions side by side that share `hidden_width`, which must be a multiple of it. Not
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
    """Graph isomorphism network: `GIN`.

    Parameters and attributes are those of `GraphClassifier`.
    """

    _network = GIN


@dataclass(kw_only=True, eq=False, repr=False)
class JKNetClassifier(GraphClassifier):
    """Jumping-knowledge network: `JKNet`.

    Other parameters and the attributes are those of `GraphClassifier`.

    Parameters
    ----------
    n_layers : int, default=3
        Rounds of message passing.
    """

    _network = JKNet

    n_layers: int = 3
