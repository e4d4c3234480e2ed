"""QCL-MixNet's objective: the hybrid loss of a mini-batch after mixup (Algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from qcl_mixnet.model.losses import HybridLoss, LossTerms
from qcl_mixnet.model.mixup import MixupDraws, draw_mixup, knn_mixup, nearest_neighbors
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.stacking import take_rows

NeighborSpace = Literal["input", "representation", "embedding"]


@dataclass(frozen=True)
class MixupOptions:
    """How rows are mixed; see ``QCLMixNetClassifier`` for the meanings."""

    mixup: bool = True
    mixup_alpha: float = 0.4
    n_neighbors: int = 5
    neighbor_space: NeighborSpace = "input"


class HybridObjective:
    """Loss of a mini-batch: mix it, run it through the network, take the hybrid loss.

    Parameters
    ----------
    net, loss
        The stacked networks and losses (see ``stacking``), on the device of ``x``.
    x : Tensor of shape (members, n_samples, n_features)
        Each member's training rows.
    y : Tensor of shape (members, n_samples), int64
        Their encoded labels.
    options : MixupOptions
    rngs : sequence of numpy.random.Generator
        Each member's draws for mixup. They are made for every row, used or not: the ablation
        without mixup differs in nothing else.
    """

    def __init__(
        self,
        net: QCLMixNet,
        loss: HybridLoss,
        x: Tensor,
        y: Tensor,
        options: MixupOptions,
        rngs: Sequence[np.random.Generator],
    ):
        self.net, self.loss, self.x, self.y = net, loss, x, y
        self.options, self.rngs = options, rngs

    def parameters(self) -> Iterator[nn.Parameter]:
        """The networks' parameters and the centroids."""
        yield from self.net.parameters()
        yield from self.loss.parameters()

    def start_epoch(self) -> None:
        """Draw all that mixup needs in an epoch."""
        self.draws = draw_epoch(self.x, self.options.mixup_alpha, self.rngs)

    def __call__(self, rows: Tensor, places: slice) -> Mapping[str, Tensor]:
        """``loss``, ``focal``, ``intra``, ``inter``, ``supcon`` and ``triplet`` of the batch."""
        batch = take_rows(self.x, rows)
        if self.options.mixup:
            batch = mix_batch(self.net, batch, self.draws[places], self.options)
        logits, embeddings = self.net.logits_and_embedding(batch)
        terms: LossTerms = self.loss(logits, embeddings, self.y.gather(1, rows))
        return {"loss": terms.total, **dict(zip(terms._fields[1:], terms[1:], strict=True))}


def draw_epoch(x: Tensor, alpha: float, rngs: Sequence[np.random.Generator]) -> MixupDraws:
    """Each member's mixup draws for an epoch, ``(members, n_samples)``, on the device of ``x``."""
    draws = [draw_mixup(x.shape[1], alpha=alpha, rng=rng, dtype=x.dtype) for rng in rngs]
    return MixupDraws(
        choice=torch.stack([draw.choice for draw in draws]).to(x.device),
        weight=torch.stack([draw.weight for draw in draws]).to(x.device),
    )


def mix_batch(net: QCLMixNet, x: Tensor, draws: MixupDraws, options: MixupOptions) -> Tensor:
    """Mix a mini-batch with neighbours found in the chosen space (Algorithm 1: the input)."""
    if options.neighbor_space == "input":
        points = x
    else:
        # Running averages must not move for a look-up, and no gradient flows through a choice.
        was_training = net.training
        net.eval()
        with torch.no_grad():
            points = net.represent(x)
            if options.neighbor_space == "embedding":
                points = net.projection(points)
        net.train(was_training)
    return knn_mixup(x, nearest_neighbors(points, options.n_neighbors), draws)
