"""The hybrid loss of QCL-MixNet (Eq. 9-16), written with static shapes.

All functions take rows along the last axis but one, `(batch, width)`, and integer labels
`(batch,)`, and return a scalar tensor; with a members axis before these, one value a member.
Weights of the rows, `(batch,)`, multiply what a row adds to a sum; None is 1 for all.
GPUs train with them, a CPU with `model.kernels.loss`. `tests/model/test_losses.py` and
`test_cpu_step.py` hold both against naive loops, pytorch-metric-learning and each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from qcl_mixnet.engine.stacking import take_rows

IntraClass = Literal["squared_norm", "mse"]
TripletDistance = Literal["euclidean", "squared_euclidean"]
Reduction = Literal["mean", "sum"]

# How much closer than the closest of the others a pair may be and still be kept by the miner: the
# default of Wang et al. (2019) and of the library that the paper names.
MINER_EPSILON = 0.1

# Floor of the squared distance of two rows, below the rounding of a cosine in float32.
SMALLEST_SQUARE = 1e-12

# Squared length below which a normalised row is none: it was zero, or nearly.
SHORT = 0.999


def focal_loss(
    logits: Tensor, labels: Tensor, gamma: float, weights: Tensor | None = None
) -> Tensor:
    """Mean of `(1 - p_t)^gamma * (-log p_t)` (first term of Eq. 10)."""
    log_p = functional.log_softmax(logits, dim=-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    miss = 1 - log_p.exp()
    # At a probability of 1 the term and its gradient are 0; a power below 1 has no gradient there.
    modulation = torch.where(miss > 0, miss, 1) ** gamma
    return -_weighted(modulation * log_p, weights).mean(-1)


def intra_class_variance(
    embeddings: Tensor,
    labels: Tensor,
    centroids: Tensor,
    form: IntraClass = "squared_norm",
    weights: Tensor | None = None,
) -> Tensor:
    """Mean squared distance of the embeddings to their class's centroid (Eq. 11).

    `form="mse"` divides by the embedding's width as well, as Algorithm 1's "MSE" would.
    """
    own = take_rows(centroids, labels)
    squared = _weighted((embeddings - own) ** 2, None if weights is None else weights[..., None])
    return squared.sum(-1).mean(-1) if form == "squared_norm" else squared.mean((-2, -1))


def inter_class_separation(labels: Tensor, centroids: Tensor) -> Tensor:
    """`-log sigmoid` of the mean distance between centroids of classes in the batch (Eq. 12).

    Zero when the batch holds fewer than two classes.
    """
    present = torch.zeros(centroids.shape[:-1], dtype=torch.bool, device=labels.device)
    present = present.scatter(-1, labels, True)
    pairs = present.unsqueeze(-2) & present.unsqueeze(-1)
    distances = torch.cdist(centroids, centroids, compute_mode="donot_use_mm_for_euclid_dist")
    # A centroid's distance to itself is 0: it adds nothing to the sum, so only the count minds.
    n_present = present.sum(-1)
    n_pairs = n_present * (n_present - 1)
    mean_distance = (distances * pairs).sum((-2, -1)) / n_pairs.clamp(min=1)
    return -functional.logsigmoid(mean_distance) * (n_pairs > 0)


def cosine_similarity(embeddings: Tensor) -> Tensor:
    """Cosine of every pair of rows, `(..., batch, batch)`."""
    unit = functional.normalize(embeddings, dim=-1)
    return unit @ unit.mT


class Pairs(NamedTuple):
    """Pairs of rows of a batch, each `(..., batch, batch)`, bool.

    Attributes
    ----------
    positive : Tensor
        Different rows of one class.
    negative : Tensor
        Rows of different classes.
    """

    positive: Tensor
    negative: Tensor


def same_class_pairs(labels: Tensor) -> Pairs:
    """Tell the pairs of rows apart by their labels `(..., batch)`."""
    same = labels.unsqueeze(-2) == labels.unsqueeze(-1)
    itself = torch.eye(labels.shape[-1], dtype=torch.bool, device=labels.device)
    return Pairs(same & ~itself, ~same)


def supervised_contrastive_loss(
    similarity: Tensor,
    pairs: Pairs,
    temperature: float = 0.2,
    reduction: Reduction = "mean",
    weights: Tensor | None = None,
) -> Tensor:
    """Supervised contrastive loss on cosine similarity (Eq. 15; Khosla et al., 2020).

    Anchors without a positive are left out. The paper writes a sum over anchors; the default is the
    mean, which is what the library that it names computes.

    NOTE[DIFF] A batch of one class has no negatives to contrast with: the loss is 0 there, as in
    the library. Eq. 15 by the letter would push rows of the same class apart.

    NOTE[DIFF] The paper knows no weights. A weight here is the anchor's: the rows that the anchor
    is compared with count alike.
    """
    positive, negative = pairs
    itself = torch.eye(positive.shape[-1], dtype=torch.bool, device=positive.device)
    n_positives = positive.sum(-1)
    scaled = similarity / temperature
    # The mean over an anchor's positives of -log_prob is logsumexp minus their mean similarity.
    denominator = scaled.masked_fill(itself, -torch.inf).logsumexp(-1)
    mean_positive = (scaled * positive).sum(-1) / n_positives.clamp(min=1)
    per_anchor = _weighted((denominator - mean_positive) * (n_positives > 0), weights)
    # One row with a negative is enough for the batch to have two classes.
    total = per_anchor.sum(-1) * negative[..., 0, :].any(-1)
    return total if reduction == "sum" else total / (n_positives > 0).sum(-1).clamp(min=1)


@torch.no_grad()
def multi_similarity_pairs(
    similarity: Tensor, pairs: Pairs, epsilon: float = MINER_EPSILON
) -> Pairs:
    """Pairs that a Multi-Similarity miner keeps (Wang et al., 2019).

    A positive pair is kept when it is less similar (cosine) than the anchor's most similar negative
    plus epsilon; a negative pair when it is more similar than the least similar positive minus
    epsilon.

    Returns
    -------
    Pairs
        Entry `[i, j]`: is row j a kept positive, a kept negative, of anchor i?
    """
    positive, negative = pairs
    hardest_negative = similarity.masked_fill(~negative, -torch.inf).amax(-1, keepdim=True)
    hardest_positive = similarity.masked_fill(~positive, torch.inf).amin(-1, keepdim=True)
    return Pairs(
        positive & (similarity - epsilon < hardest_negative),
        negative & (similarity + epsilon > hardest_positive),
    )


def mined_triplet_loss(
    similarity: Tensor,
    pairs: Pairs,
    margin: float = 0.5,
    distance: TripletDistance = "euclidean",
    weights: Tensor | None = None,
) -> Tensor:
    """Triplet margin loss over the pairs of `multi_similarity_pairs` (Eq. 16).

    Every kept positive of an anchor meets every kept negative of it; the mean is over triplets
    with a loss above zero, as in pytorch-metric-learning. Distances are between unit vectors:
    Euclidean by that library's default, squared as Eq. 16 writes it.

    Notes
    -----
    No triplet is written down. A triplet above zero adds its positive's distance and takes its
    negative's away, so it is enough to count, for each pair, the triplets above zero that it is
    in: a search in the anchor's sorted distances. Time is B^2 log B and memory B^2.

    NOTE[DIFF] The paper knows no weights. A triplet's weight is its anchor's; which pairs are
    mined, and how many triplets the mean is over, does not depend on weights.
    """
    # The diagonal of the cosines holds the rows' squared lengths: 1, but for rounding, and less for
    # rows of zeros, which stay zeros when they are normalised.
    lengths = similarity.diagonal(dim1=-2, dim2=-1)
    short = lengths < SHORT
    lengths = torch.where(short, lengths, 1)
    squares = lengths.unsqueeze(-1) + lengths.unsqueeze(-2) - 2 * similarity
    # The floor keeps the root's gradient finite where two rows are the same.
    same_point = short.unsqueeze(-1) & short.unsqueeze(-2) & (squares < SMALLEST_SQUARE)
    distances = squares.clamp(min=SMALLEST_SQUARE)
    if distance == "euclidean":
        distances = distances.sqrt()
    distances = distances.masked_fill(same_point, 0)
    with torch.no_grad():
        positive, negative = multi_similarity_pairs(similarity, pairs)
        reach = (distances + margin).masked_fill(~positive, -torch.inf)
        others = distances.masked_fill(~negative, torch.inf)
        batch = similarity.shape[-1]
        n_negatives = torch.searchsorted(others.sort(-1).values, reach, out_int32=True)
        n_positives = batch - torch.searchsorted(
            reach.sort(-1).values, others, right=True, out_int32=True
        )
        n_triplets = n_negatives.sum((-2, -1))
    net = (n_negatives - n_positives) * distances
    if weights is None:
        total = net.sum((-2, -1)) + margin * n_triplets.to(net.dtype)
    else:
        total = ((net.sum(-1) + margin * n_negatives.sum(-1).to(net.dtype)) * weights).sum(-1)
    return total / n_triplets.clamp(min=1)


def _weighted(values: Tensor, weights: Tensor | None) -> Tensor:
    return values if weights is None else values * weights


class LossTerms(NamedTuple):
    """The hybrid loss and what it is made of, each a scalar tensor or `(members,)`.

    Attributes
    ----------
    total : Tensor
        The loss, Eq. 9.
    focal, intra, inter : Tensor
        Terms of the focal-variance loss (Eq. 10-12), before their weights.
    supcon, triplet : Tensor
        The metric losses (Eq. 15 and 16), before theirs.
    """

    total: Tensor
    focal: Tensor
    intra: Tensor
    inter: Tensor
    supcon: Tensor
    triplet: Tensor


@dataclass(frozen=True)
class LossOptions:
    """What the hybrid loss is made of, by the names that the estimator's parameters have.

    Parameters
    ----------
    loss_weight, focal_gamma, variance_weight, intra_class, temperature, supcon_reduction, \
triplet_margin, triplet_distance
        As of `QCLMixNetClassifier`.
    """

    loss_weight: float = 0.5
    focal_gamma: float = 3.0
    variance_weight: float = 0.8
    intra_class: IntraClass = "squared_norm"
    temperature: float = 0.2
    supcon_reduction: Reduction = "mean"
    triplet_margin: float = 0.5
    triplet_distance: TripletDistance = "euclidean"

    def __post_init__(self) -> None:
        """Refuse readings of the paper that there are not."""
        for name, choices in (
            ("intra_class", get_args(IntraClass)),
            ("supcon_reduction", get_args(Reduction)),
            ("triplet_distance", get_args(TripletDistance)),
        ):
            if (value := getattr(self, name)) not in choices:
                raise ValueError(f"{name} must be one of {choices}, got {value!r}.")


class HybridLoss(nn.Module):
    """Hybrid loss with learnable class centroids (Eq. 9-16).

    With a the loss weight and beta that of the variance:

        loss = a * FVL + (1 - a) * (SupCon + Triplet),  FVL = focal + beta * intra + inter

    Parameters
    ----------
    n_classes, width : int
        Number of centroids and their width, which is the embedding's.
    options : LossOptions, optional
        The paper's where nothing else is said.
    """

    def __init__(self, n_classes: int, width: int, options: LossOptions | None = None):
        super().__init__()
        self.options = options or LossOptions()
        self.centroids = nn.Parameter(torch.zeros(n_classes, width))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the centroids from the standard normal distribution (the paper names none)."""
        nn.init.normal_(self.centroids, generator=generator)

    def forward(
        self, logits: Tensor, embeddings: Tensor, labels: Tensor, weights: Tensor | None = None
    ) -> LossTerms:
        """Compute the loss of one mini-batch.

        Parameters
        ----------
        logits : Tensor of shape (..., batch, n_classes)
        embeddings : Tensor of shape (..., batch, width)
        labels : Tensor of shape (..., batch), int64
        weights : Tensor of shape (..., batch) or None
            Of the rows, 1 in the mean over the training rows. Focal and intra-class terms are
            weighted by row, contrastive and triplet terms by anchor; sums are divided by numbers
            of rows, anchors and triplets, so that a batch's expectation is that of all rows. The
            separation of the centroids belongs to no row. None: 1 for all.

        Returns
        -------
        LossTerms
            Each of shape `(...)`: one value a member, or a scalar.
        """
        options = self.options
        focal = focal_loss(logits, labels, options.focal_gamma, weights)
        intra = intra_class_variance(
            embeddings, labels, self.centroids, options.intra_class, weights
        )
        inter = inter_class_separation(labels, self.centroids)
        similarity = cosine_similarity(embeddings)
        pairs = same_class_pairs(labels)
        supcon = supervised_contrastive_loss(
            similarity, pairs, options.temperature, options.supcon_reduction, weights
        )
        triplet = mined_triplet_loss(
            similarity, pairs, options.triplet_margin, options.triplet_distance, weights
        )
        focal_variance = focal + options.variance_weight * intra + inter
        contrastive = supcon + triplet
        weight = options.loss_weight
        total = weight * focal_variance + (1 - weight) * contrastive
        return LossTerms(total, focal, intra, inter, supcon, triplet)
