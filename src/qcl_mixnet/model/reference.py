"""Algorithm 1 as one would write it, with the libraries that the paper names: the oracle.

Nothing trains with this module by default. It trains one member, in PyTorch's own words: a
`DataLoader`, `torch.nn.MultiheadAttention`, `torch.cdist` and `topk` for mixup,
pytorch-metric-learning's losses and miner, AdamW. Tests hold the rest of `qcl_mixnet.model`
against it, step by step and on the same random draws; the `speed` pipeline measures what the
engine saves. Its own oracles are loops over single rows, in `tests/model/test_reference.py` and
`tests/model/test_losses.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import SupConLoss, TripletMarginLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner
from pytorch_metric_learning.reducers import AvgNonZeroReducer
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Sampler, TensorDataset

from qcl_mixnet.engine.loop import TrainingOptions, batch_bounds
from qcl_mixnet.engine.optimizer import make_optimizer
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.mixup import MixupDraws, draw_mixup
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.objective import MixupOptions


class ReferenceNetwork(nn.Module):
    """Algorithm 1, "QI_NN": the full network with PyTorch's own attention.

    Parameters
    ----------
    network : QCLMixNet
        A full network (no ablation, attention of full rank), whose parameters and buffers are
        copied.
    """

    def __init__(self, network: QCLMixNet):
        super().__init__()
        if network.attention is None or network.attention.rank != network.n_features:
            raise ValueError("The reference has the paper's attention, of full rank, alone.")
        self.theta_1 = nn.Parameter(torch.empty(network.n_features))
        self.theta_2 = nn.Parameter(torch.empty(64))
        self.attention = nn.MultiheadAttention(network.n_features, num_heads=1, batch_first=True)
        self.fc_1, self.norm_1 = nn.Linear(network.n_features, 64), nn.BatchNorm1d(64)
        self.fc_2, self.norm_2 = nn.Linear(64, 32), nn.BatchNorm1d(32)
        self.fc_3 = nn.Linear(32, network.n_classes)
        self.projection = nn.Sequential(
            nn.Linear(32, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8)
        )
        self.to(network.classifier.weight.dtype)
        self._copy(network.state_dict())

    def _copy(self, theirs: dict[str, Tensor]) -> None:
        mine = self.state_dict()
        value = slice(2 * len(self.theta_1), None)  # rows of the stacked query, key and value
        for part in ("weight", "bias"):
            mine[f"attention.in_proj_{part}"][value] = theirs.pop(f"attention.value.{part}")
        renamed = {
            "entangle_input.theta": "theta_1",
            "entangle_hidden.theta": "theta_2",
            "attention.out": "attention.out_proj",
            "hidden.0": "fc_1",
            "hidden.1": "norm_1",
            "representation.0": "fc_2",
            "representation.1": "norm_2",
            "classifier": "fc_3",
            "projection": "projection",
        }
        for key, tensor in theirs.items():
            prefix = next(name for name in renamed if key.startswith(name))
            mine[renamed[prefix] + key.removeprefix(prefix)] = tensor
        self.load_state_dict(mine)

    @staticmethod
    def entangle(x: Tensor, theta: Tensor) -> Tensor:
        """Eq. 1-3."""
        x_proj = x * torch.cos(theta)
        s = torch.sigmoid((x_proj * torch.sin(theta)).sum(dim=1, keepdim=True))
        return x_proj * s

    @staticmethod
    def normalize(norm: nn.BatchNorm1d, x: Tensor, weights: Tensor | None) -> Tensor:
        """Batch norm whose statistics count the rows of a batch by their weights."""
        if weights is None:
            return norm(x)
        share = (weights / weights.sum()).unsqueeze(1)
        mean = (share * x).sum(0)
        variance = (share * (x - mean) ** 2).sum(0)
        n_rows = len(x)
        # For mypy: running averages are tracked.
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.momentum is not None
        with torch.no_grad():
            for average, value in (
                (norm.running_mean, mean),
                (norm.running_var, variance * n_rows / (n_rows - 1)),
            ):
                average += norm.momentum * (value - average)
        return norm.weight * (x - mean) / torch.sqrt(variance + norm.eps) + norm.bias

    def forward(self, x: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits `(batch, n_classes)` and embedding `(batch, 8)`."""
        x = self.entangle(x, self.theta_1)
        sequence = x.unsqueeze(1)  # (batch, 1, n_features)
        attended, _ = self.attention(sequence, sequence, sequence)
        x = x + attended.squeeze(1)
        x = nn.functional.leaky_relu(self.normalize(self.norm_1, self.fc_1(x), weights))
        x = self.entangle(x, self.theta_2)
        h = nn.functional.leaky_relu(self.normalize(self.norm_2, self.fc_2(x), weights))
        first, norm, *others = self.projection
        assert isinstance(norm, nn.BatchNorm1d)
        embedding = self.normalize(norm, first(h), weights)
        for layer in others:
            embedding = layer(embedding)
        return self.fc_3(h), embedding


def reference_mixup(x: Tensor, draws: MixupDraws, n_neighbors: int) -> Tensor:
    """Eq. 7: mix every row with one of its nearest in the batch."""
    distances = torch.cdist(x, x).fill_diagonal_(torch.inf)
    neighbors = distances.topk(min(n_neighbors, len(x) - 1), largest=False).indices
    rank = draws.rank(neighbors.shape[1]).to(x.device)
    chosen = neighbors.gather(1, rank.unsqueeze(1)).squeeze(1)
    weight = draws.weight.to(x.device).unsqueeze(1)
    return weight * x + (1 - weight) * x[chosen]


class AnchorWeighted(AvgNonZeroReducer):
    """The library's mean of the losses above zero, each times the weight of its anchor."""

    weights: Tensor

    def element_reduction(
        self,
        losses: Tensor,
        loss_indices: Tensor,
        embeddings: Tensor,
        labels: Tensor,  # noqa: ARG002 (the library's signature)
    ) -> Tensor:
        """Of losses with an anchor each."""
        return self._mean(losses, loss_indices, embeddings)

    def triplet_reduction(
        self,
        losses: Tensor,
        loss_indices: tuple[Tensor, Tensor, Tensor],
        embeddings: Tensor,
        labels: Tensor,  # noqa: ARG002
    ) -> Tensor:
        """Of triplets of an anchor, a positive and a negative."""
        return self._mean(losses, loss_indices[0], embeddings)

    def _mean(self, losses: Tensor, anchors: Tensor, embeddings: Tensor) -> Tensor:
        above = losses > 0
        if not above.any():
            return self.zero_loss(embeddings)
        return (losses * self.weights[anchors])[above].mean()


class ReferenceLoss(nn.Module):
    """Eq. 9-16 with pytorch-metric-learning's losses and miner.

    Parameters
    ----------
    loss : HybridLoss
        Weights, readings and initial centroids are taken from it. The library computes the mean
        over anchors, so `supcon_reduction="sum"` has no counterpart here.
    """

    def __init__(self, loss: HybridLoss):
        super().__init__()
        options = loss.options
        if options.supcon_reduction != "mean":
            raise ValueError("The reference computes supcon_reduction='mean' only.")
        self.options = options
        self.centroids = nn.Parameter(loss.centroids.detach().clone())
        self.miner = MultiSimilarityMiner(epsilon=0.1)
        self.supcon = SupConLoss(temperature=options.temperature, reducer=AnchorWeighted())
        power = 2 if options.triplet_distance == "squared_euclidean" else 1
        self.triplet = TripletMarginLoss(
            margin=options.triplet_margin,
            distance=LpDistance(power=power),
            reducer=AnchorWeighted(),
        )

    def forward(
        self, logits: Tensor, embeddings: Tensor, labels: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Total loss, a scalar; weights `(batch,)` are those of the rows."""
        o = self.options
        w = torch.ones_like(logits[:, 0]) if weights is None else weights
        self.supcon.reducer.weights = self.triplet.reducer.weights = w
        cross_entropy = functional.cross_entropy(logits, labels, reduction="none")
        focal = (w * (1 - torch.exp(-cross_entropy)) ** o.focal_gamma * cross_entropy).mean()

        squares = w.unsqueeze(1) * (embeddings - self.centroids[labels]) ** 2
        intra = squares.sum(1).mean() if o.intra_class == "squared_norm" else squares.mean()

        focal_variance = focal + o.variance_weight * intra
        present = labels.unique()
        if len(present) > 1:
            distances = functional.pdist(self.centroids[present])
            focal_variance = focal_variance - functional.logsigmoid(distances.mean())

        contrastive = self.supcon(embeddings, labels)
        triplet = self.triplet(embeddings, labels, self.miner(embeddings, labels))
        return o.loss_weight * focal_variance + (1 - o.loss_weight) * (contrastive + triplet)


class _Shuffled(Sampler[int]):
    """Rows in an order drawn anew every epoch."""

    def __init__(self, n_rows: int, rng: np.random.Generator):
        self.n_rows, self.rng = n_rows, rng

    def __iter__(self) -> Iterator[int]:
        return iter(self.rng.permutation(self.n_rows).tolist())

    def __len__(self) -> int:
        return self.n_rows


def train_reference(
    net: ReferenceNetwork,
    loss: ReferenceLoss,
    x: Tensor,
    y: Tensor,
    options: TrainingOptions,
    mixup: MixupOptions,
    streams: Streams,
    weights: Tensor | None = None,
) -> list[float]:
    """Train in place and return the loss of every step.

    Parameters
    ----------
    net, loss
        Network and loss, on one device.
    x : Tensor of shape (n_samples, n_features)
        On the CPU: batches go to the device one by one.
    y : Tensor of shape (n_samples,), int64
    options, mixup, streams
        As for the fast path; neighbours are those of the input.
    weights : Tensor of shape (n_samples,), optional
        Of the rows; 1 for all by default.
    """
    device = loss.centroids.device
    bounds = batch_bounds(len(x), options.batch_size)
    parameters = [*net.parameters(), *loss.parameters()]
    optimizer, scheduler = make_optimizer(
        parameters, options.learning_rate, options.max_learning_rate, options.weight_decay,
        steps=options.epochs * len(bounds),
    )  # fmt: skip
    loader = DataLoader(
        TensorDataset(x, y, *([] if weights is None else [weights])),
        batch_size=options.batch_size,
        sampler=_Shuffled(len(x), streams.batches),
        generator=torch.Generator(),  # else it draws from the global one, which is the caller's
    )
    losses = []
    net.train()
    for _ in range(options.epochs):
        draws = draw_mixup(len(x), alpha=mixup.mixup_alpha, rng=streams.mixup, dtype=x.dtype)
        # Ends with the bounds: a last batch of one row has none.
        for (start, stop), rows in zip(bounds, loader, strict=False):
            batch, labels, *given = (part.to(device) for part in rows)
            of_rows = given[0] if given else None
            if mixup.mixup:
                batch = reference_mixup(batch, draws[start:stop], mixup.n_neighbors)
            value = loss(*net(batch, of_rows), labels, of_rows)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            losses.append(value.item())
    net.eval()
    return losses
