"""QCL-MixNet's objective: the hybrid loss of a mini-batch after mixup (Algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from qcl_mixnet.engine.objectives import AutogradObjective
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import stack, take_rows, weighted_batch
from qcl_mixnet.engine.threads import member_shares, share
from qcl_mixnet.model.losses import HybridLoss, LossOptions, LossTerms
from qcl_mixnet.model.mixup import MixupDraws, draw_mixup, knn_mixup, mix_pairs
from qcl_mixnet.model.network import EMBEDDING_WIDTH, QCLMixNet
from qcl_mixnet.model.partners import NeighborClasses, NeighborPool, Partners, find_partners

if TYPE_CHECKING:
    from qcl_mixnet.model.cpu_step import CompiledStep

# Values of the rows that are mixed at a time.
BLOCK_VALUES = 2**22

NeighborSpace = Literal["input", "representation", "embedding"]


@dataclass(frozen=True)
class MixupOptions:
    """How rows are mixed, by the names that the estimator's parameters have.

    Parameters
    ----------
    mixup, mixup_alpha, n_neighbors, neighbor_space, neighbor_pool, neighbor_classes
        As of `QCLMixNetClassifier`.

    Raises
    ------
    ValueError
        For parameters of neighbours that exclude one another.
    """

    mixup: bool = True
    mixup_alpha: float = 0.4
    n_neighbors: int = 5
    neighbor_space: NeighborSpace = "input"
    neighbor_pool: NeighborPool = "batch"
    neighbor_classes: NeighborClasses = "any"

    def __post_init__(self) -> None:
        if self.neighbor_pool == "train" and self.neighbor_space != "input":
            raise ValueError(
                f"neighbor_pool='train' finds neighbours once, before the training, and "
                f"neighbor_space={self.neighbor_space!r} moves with it; use "
                "neighbor_space='input' or neighbor_pool='batch'."
            )
        if self.neighbor_pool == "batch" and self.neighbor_classes != "any":
            raise ValueError(
                f"neighbor_classes={self.neighbor_classes!r} chooses among the rows of the whole "
                "training set; use it with neighbor_pool='train', or use neighbor_classes='any'."
            )


class HybridObjective(AutogradObjective):
    """Loss of a mini-batch: mix it, run it through the network, take the hybrid loss.

    On a CPU the network and the loss are run by `model.cpu_step`.

    Parameters
    ----------
    net, loss
        The stacked networks and losses (see `engine.stacking`), on the device of `x`.
    x : Tensor of shape (members, n_samples, n_features)
        Each member's table; expanded where they share one.
    y : Tensor of shape (members, n_samples), int64
        Their encoded labels.
    options : MixupOptions
    rngs : sequence of numpy.random.Generator
        Each member's draws for mixup. They are made for every row, used or not: the ablation
        without mixup differs in nothing else.
    weights : Tensor of shape (members, n_samples) or None
        Of the rows of each member's table, as `HybridLoss.forward` takes them. Batch norm counts
        rows by them, too.

    Notes
    -----
    NOTE[DIFF] The paper knows no weights. A mixed row keeps the weight of the row that keeps its
    label, and neighbours are found and drawn alike whatever they weigh.
    """

    term_names = ("loss", *LossTerms._fields[1:])

    def __init__(
        self,
        net: QCLMixNet,
        loss: HybridLoss,
        x: Tensor,
        y: Tensor,
        options: MixupOptions,
        rngs: Sequence[np.random.Generator],
        weights: Tensor | None = None,
    ):
        self.net, self.loss, self.x, self.y, self.weights = net, loss, x, y, weights
        self.options, self.rngs = options, rngs
        self._gradients: Tensor | None = None
        self._partners: Partners | None = None
        self.steps: list[tuple[slice, CompiledStep]] = []

    @classmethod
    def build(
        cls,
        net: QCLMixNet,
        x: Tensor,
        y: Tensor,
        loss: LossOptions,
        mixup: MixupOptions,
        streams: Sequence[Streams],
        weights: Tensor | None = None,
    ) -> Self:
        """Draw each member's centroids from its `init`, and make the objective of all.

        Parameters
        ----------
        net, x, y, weights
            As for the class.
        loss, mixup
            Options of the loss and of the mixup.
        streams : sequence of Streams
            Each member's.
        """
        losses = []
        for own in streams:
            losses.append(HybridLoss(net.n_classes, EMBEDDING_WIDTH, loss).float())
            losses[-1].reset_parameters(own.init)
        rngs = [own.mixup for own in streams]
        return cls(net, stack(losses).to(x.device), x, y, mixup, rngs, weights)

    def parameters(self) -> Iterator[nn.Parameter]:
        """The networks' parameters and the centroids."""
        yield from self.net.parameters()
        yield from self.loss.parameters()

    def start_epoch(self, order: Tensor) -> None:
        """Draw all that mixup needs in an epoch."""
        self.order, self.labels = order, self.y.gather(1, order)
        self.row_weights = None if self.weights is None else self.weights.gather(1, order)
        self.draws = draw_epoch(order, self.x.dtype, self.options.mixup_alpha, self.rngs)
        self.mixed = range(0)
        options = self.options
        if options.mixup and options.neighbor_pool == "train" and self._partners is None:
            # The first epoch's order, as every other's, holds all rows that a member trains on.
            self._partners = find_partners(
                self.x, self.y, order, options.n_neighbors, options.neighbor_classes, self.rngs
            )

    def __call__(self, batch: slice) -> Tensor:
        """Terms of the batch's loss, in the order of `term_names`."""
        weights = None if self.row_weights is None else self.row_weights[:, batch]
        rows = self._rows(batch)
        with weighted_batch(self.net, weights):
            logits, embeddings = self.net.logits_and_embedding(rows)
        return torch.stack(self.loss(logits, embeddings, self.labels[:, batch], weights))

    def backward(self, batch: slice, gradients: Tensor) -> Tensor:
        """Write the gradients and give the terms."""
        if gradients.device.type != "cpu":
            return super().backward(batch, gradients)
        if self._gradients is not gradients:  # of another training
            # Not at the top: numba takes half a second to import, and who predicts needs no numba.
            from qcl_mixnet.model.cpu_step import CompiledStep

            self._gradients, members = gradients, member_shares(len(self.x))
            self.steps = [(part, CompiledStep(self.net, self.loss, part)) for part in members]
        x, labels = self._rows(batch).numpy(), self.labels[:, batch].numpy()
        weights = None if self.row_weights is None else self.row_weights[:, batch].numpy()
        terms = self.x.new_empty(len(x), len(self.term_names))
        written = terms.numpy()

        def step(part: slice, compiled: CompiledStep) -> None:
            own = np.ascontiguousarray(x[part]), np.ascontiguousarray(labels[part])
            of_rows = None if weights is None else np.ascontiguousarray(weights[part])
            compiled(*own, written[part], of_rows)

        share(step, self.steps)
        return terms.T

    def _rows(self, batch: slice) -> Tensor:
        """Rows of a mini-batch, mixed."""
        if not self.options.mixup:
            return take_rows(self.x, self.order[:, batch])
        if self._partners is not None:
            order, draws = self.order[:, batch], self.draws[batch]
            rows = take_rows(self.x, order)
            return mix_pairs(rows, take_rows(self.x, self._partners.drawn(order, draws)), draws)
        if self.options.neighbor_space != "input":
            rows = take_rows(self.x, self.order[:, batch])
            points = _points(self.net, rows, self.options.neighbor_space)
            return self._mix(rows, points, self.draws[batch])
        if batch.start not in self.mixed:
            self._mix_block(batch)
        return self.block[:, batch.start - self.mixed.start : batch.stop - self.mixed.start]

    def _mix_block(self, first: slice) -> None:
        """Mix a mini-batch and those after it, as one group of independent batches.

        Neighbours in the input do not depend on the network, so nothing has to wait for a step.
        """
        members, n_rows = self.order.shape
        batch, width = first.stop - first.start, self.x.shape[-1]
        n_batches = max(1, BLOCK_VALUES // (members * batch * width))
        n_batches = min(n_batches, (n_rows - first.start) // batch)
        block = slice(first.start, first.start + n_batches * batch)
        self.mixed = range(block.start, block.stop)
        rows = take_rows(self.x, self.order[:, block]).view(-1, batch, width)
        draws = self.draws[block].view(-1, batch)
        self.block = self._mix(rows, rows, draws).view(members, -1, width)

    def _mix(self, x: Tensor, points: Tensor, draws: MixupDraws) -> Tensor:
        return knn_mixup(x, points, draws, self.options.n_neighbors)


def draw_epoch(
    order: Tensor, dtype: torch.dtype, alpha: float, rngs: Sequence[np.random.Generator]
) -> MixupDraws:
    """Each member's mixup draws for an epoch, shaped and placed as `order`."""
    draws = [draw_mixup(order.shape[1], alpha=alpha, rng=rng, dtype=dtype) for rng in rngs]
    return MixupDraws(
        choice=torch.stack([draw.choice for draw in draws]).to(order.device),
        weight=torch.stack([draw.weight for draw in draws]).to(order.device),
    )


def _points(net: QCLMixNet, x: Tensor, space: NeighborSpace) -> Tensor:
    """Rows in the network's representation or embedding, without a trace in the network."""
    # Running averages must not move for a look-up, and no gradient flows through a choice.
    was_training = net.training
    net.eval()
    with torch.no_grad():
        points = net.represent(x)
        if space == "embedding":
            points = net.projection(points)
    net.train(was_training)
    return points
