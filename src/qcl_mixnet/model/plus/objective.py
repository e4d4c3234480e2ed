"""The objective of QCL-MixNet+: cross-entropy with the paper's mixup and metric losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from qcl_mixnet.engine.objectives import AutogradObjective
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import take_rows
from qcl_mixnet.model.mixup import knn_mixup
from qcl_mixnet.model.objective import draw_epoch
from qcl_mixnet.model.plus.metric_losses import metric_losses
from qcl_mixnet.model.plus.network import Dropout, PlusNetwork


@dataclass(frozen=True)
class PlusLossOptions:
    """What a mini-batch's loss is made of.

    Parameters
    ----------
    label_smoothing : float
        Share of a row's label that is spread over all classes.
    metric_weight : float
        Of the supervised contrastive and the triplet loss beside the cross-entropy; 0 leaves
        them out.
    mixup : bool
        Mix every row with a neighbour in the batch (Eq. 7).
    mixup_alpha : float
        Both parameters of its Beta distribution.
    n_neighbors : int
        Neighbours that a row may be mixed with.
    """

    label_smoothing: float = 0.0
    metric_weight: float = 0.0
    mixup: bool = False
    mixup_alpha: float = 0.4
    n_neighbors: int = 5


class PlusObjective(AutogradObjective):
    """Loss of a mini-batch of every member.

    Parameters
    ----------
    network : PlusNetwork
        The stacked networks.
    x : Tensor of shape (members, n_samples, width)
        Each member's table; expanded where they share one.
    labels : Tensor of shape (members, n_samples), int64
    options : PlusLossOptions
    streams : sequence of Streams
        Each member's. Dropout is drawn for all members at once, from the first one's.
    weights : Tensor of shape (members, n_samples), optional
        Of the rows, 1 in their mean. A mixed row keeps the weight of the row that keeps its label.
    """

    term_names = ("loss", "cross_entropy")

    def __init__(
        self,
        network: PlusNetwork,
        x: Tensor,
        labels: Tensor,
        options: PlusLossOptions,
        streams: Sequence[Streams],
        weights: Tensor | None = None,
    ):
        self.network, self.x, self.y, self.options = network, x, labels, options
        self.weights = weights
        self.rngs = [own.mixup for own in streams]
        for module in network.modules():
            if isinstance(module, Dropout):
                module.rng = streams[0].holdout

    def parameters(self) -> Iterator[nn.Parameter]:
        """The networks' parameters."""
        return self.network.parameters()

    def start_epoch(self, order: Tensor) -> None:
        """Draw all that mixup needs in an epoch."""
        self.order, self.labels = order, self.y.gather(1, order)
        self.row_weights = None if self.weights is None else self.weights.gather(1, order)
        if self.options.mixup:
            alpha = self.options.mixup_alpha
            self.draws = draw_epoch(order, self.x.dtype, alpha, self.rngs)

    def __call__(self, batch: slice) -> Tensor:
        """Loss and cross-entropy of a mini-batch, `(2, members)`."""
        options, labels = self.options, self.labels[:, batch]
        weights = None if self.row_weights is None else self.row_weights[:, batch]
        x = take_rows(self.x, self.order[:, batch])
        if options.mixup:
            x = knn_mixup(x, x, self.draws[batch], options.n_neighbors)
        if options.metric_weight == 0:
            loss = cross_entropy(self.network(x), labels, options.label_smoothing, weights)
            return torch.stack([loss, loss])
        logits, embeddings = self.network.logits_and_embedding(x)
        loss = cross_entropy(logits, labels, options.label_smoothing, weights)
        metric = metric_losses(embeddings, labels, self.network.n_classes, weights)
        return torch.stack([loss + options.metric_weight * metric, loss])


def cross_entropy(
    logits: Tensor, labels: Tensor, label_smoothing: float = 0.0, weights: Tensor | None = None
) -> Tensor:
    """Mean over the batch, `(...)`, of logits `(..., batch, n_classes)` and their labels.

    Weights `(..., batch)` multiply what each row adds to the mean.
    """
    log_p = functional.log_softmax(logits, dim=-1)
    own = log_p.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    target = (1 - label_smoothing) * own + label_smoothing * log_p.mean(-1)
    return -(target if weights is None else target * weights).mean(-1)
