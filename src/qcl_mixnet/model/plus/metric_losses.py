"""The paper's metric losses on their own: supervised contrastive and mined triplets (Eq. 15-16)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from qcl_mixnet.model.losses import (
    LossOptions,
    cosine_similarity,
    mined_triplet_loss,
    same_class_pairs,
    supervised_contrastive_loss,
)

# Of the kernel's terms.
_SUPCON, _TRIPLET, _N_TERMS = 4, 5, 6


def metric_losses(
    embeddings: Tensor, labels: Tensor, n_classes: int, weights: Tensor | None = None
) -> Tensor:
    """Sum of the two losses of every member, with the paper's temperature and margin.

    On a CPU the compiled kernel gives value and gradient at once; elsewhere PyTorch composes them.

    Parameters
    ----------
    embeddings : Tensor of shape (members, batch, width)
    labels : Tensor of shape (members, batch), int64
    n_classes : int
    weights : Tensor of shape (members, batch), optional
        Of the rows, by which their losses as anchors are weighted.

    Returns
    -------
    Tensor of shape (members,)
    """
    if embeddings.device.type == "cpu":
        return _Compiled.apply(embeddings, labels, n_classes, weights)
    similarity, pairs = cosine_similarity(embeddings), same_class_pairs(labels)
    contrastive = supervised_contrastive_loss(similarity, pairs, weights=weights)
    return contrastive + mined_triplet_loss(similarity, pairs, weights=weights)


class _Compiled(torch.autograd.Function):
    """The hybrid loss's kernel with the weight of all other terms at 0."""

    @staticmethod
    def forward(
        ctx: Any, embeddings: Tensor, labels: Tensor, n_classes: int, weights: Tensor | None
    ) -> Tensor:
        # Not at the top: they import numba, which training alone needs.
        from qcl_mixnet.model.cpu_step import kernel_options
        from qcl_mixnet.model.kernels.loss import hybrid_loss

        rows = np.ascontiguousarray(embeddings.detach().numpy())
        members, batch, width = rows.shape
        logits = np.zeros((members, batch, n_classes), rows.dtype)
        centroids = np.zeros((members, n_classes, width), rows.dtype)
        terms, gradient = np.empty((members, _N_TERMS), rows.dtype), np.empty_like(rows)
        options = kernel_options(LossOptions(loss_weight=0.0), rows.dtype)
        of_rows = None if weights is None else np.ascontiguousarray(weights.numpy())
        with np.errstate(all="ignore"):
            hybrid_loss(
                logits, rows, np.ascontiguousarray(labels.numpy()), of_rows, centroids, *options,
                terms, np.empty_like(logits), gradient, np.empty_like(centroids),
            )  # fmt: skip
        ctx.save_for_backward(torch.from_numpy(gradient))
        return torch.from_numpy(terms[:, _SUPCON] + terms[:, _TRIPLET])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (by_embeddings,) = ctx.saved_tensors
        return gradient[:, None, None] * by_embeddings, None, None, None
