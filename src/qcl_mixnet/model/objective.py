"""QCL-MixNet's objective: the hybrid loss of a mini-batch after mixup (Algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from qcl_mixnet.model.losses import HybridLoss, LossTerms
from qcl_mixnet.model.mixup import MixupDraws, draw_mixup, knn_mixup, nearest_neighbors
from qcl_mixnet.model.network import QCLMixNet

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
        The network and the loss with its centroids, on the device of ``x``.
    x : Tensor of shape (n_samples, n_features)
        Training rows.
    y : Tensor of shape (n_samples,), int64
        Their encoded labels.
    options : MixupOptions
    rng : numpy.random.Generator
        Mixup's draws. They are made for every batch, used or not: the ablation without mixup
        differs in nothing else.
    """

    def __init__(
        self,
        net: QCLMixNet,
        loss: HybridLoss,
        x: Tensor,
        y: Tensor,
        options: MixupOptions,
        rng: np.random.Generator,
    ):
        self.net, self.loss, self.x, self.y = net, loss, x, y
        self.options, self.rng = options, rng

    def parameters(self) -> Iterator[nn.Parameter]:
        """The network's parameters and the centroids."""
        yield from self.net.parameters()
        yield from self.loss.parameters()

    def __call__(self, rows: Tensor) -> Mapping[str, Tensor]:
        """``loss``, ``focal``, ``intra``, ``inter``, ``supcon`` and ``triplet`` of the batch."""
        draws = draw_batch(len(rows), self.options, self.rng, self.x.dtype)
        rows = rows.to(self.x.device)
        batch, labels = self.x[rows], self.y[rows]
        if self.options.mixup:
            draws = MixupDraws(draws.rank.to(batch.device), draws.weight.to(batch.device))
            batch = mix_batch(self.net, batch, draws, self.options)
        terms: LossTerms = self.loss(*self.net.logits_and_embedding(batch), labels)
        return {"loss": terms.total, **dict(zip(terms._fields[1:], terms[1:], strict=True))}


def draw_batch(
    n_rows: int, options: MixupOptions, rng: np.random.Generator, dtype: torch.dtype
) -> MixupDraws:
    """Mixup's draws for a batch of ``n_rows``, on the CPU."""
    return draw_mixup(
        n_rows, n_neighbors=options.n_neighbors, alpha=options.mixup_alpha, rng=rng, dtype=dtype
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
