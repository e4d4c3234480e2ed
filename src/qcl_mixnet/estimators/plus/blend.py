"""Trained kinds, and the blend of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from qcl_mixnet.estimators.calibration import apply_temperature, fit_temperature
from qcl_mixnet.estimators.plus.kinds import Member
from qcl_mixnet.estimators.plus.out_of_bag import mean_log_loss
from qcl_mixnet.estimators.plus.selection import greedy_weights

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """A trained kind before the blend.

    Attributes
    ----------
    member : Member
    out_of_fold : ndarray of shape (n_samples, n_classes)
        Its calibrated probabilities of the training rows, each from the fold that left it out.
    temperature : float
        What calibrated them.
    log_loss : float
        Theirs.
    best_epoch : int
        0 for trees.
    seconds : float
        Of the training, with all its parts if it was ended and went on.
    """

    member: Member
    out_of_fold: NDArray[np.float64]
    temperature: float
    log_loss: float
    best_epoch: int
    seconds: float

    @classmethod
    def of(
        cls,
        member: Member,
        out_of_fold: FloatArray,
        labels: NDArray[np.int64],
        row_weights: FloatArray | None,
        best_epoch: int,
        seconds: float,
    ) -> Candidate:
        """Calibrate what a member says of the training rows."""
        temperature = fit_temperature(out_of_fold, labels, row_weights)
        calibrated = apply_temperature(out_of_fold, temperature)
        loss = mean_log_loss(calibrated, labels, row_weights)
        return cls(member, calibrated, temperature, loss, best_epoch, seconds)


@dataclass
class Blend:
    """The members that are kept and how their probabilities become one.

    Attributes
    ----------
    members : list of Member
    weights : ndarray of shape (n_members,)
        Their sum is 1.
    temperatures : ndarray of shape (n_members,)
        What each member's log probabilities are divided by before they are averaged.
    temperature : float
        The same for the average.
    out_of_fold : ndarray of shape (n_samples, n_classes)
        Probabilities of the training rows from members that have not seen them.
    """

    members: list[Member]
    weights: NDArray[np.float64]
    temperatures: NDArray[np.float64]
    temperature: float
    out_of_fold: NDArray[np.float64] = field(repr=False)

    def probabilities(self, x: Tensor) -> NDArray[np.float64]:
        """Class probabilities `(n_samples, n_classes)` of preprocessed rows."""
        parts = zip(self.members, self.weights, self.temperatures, strict=True)
        total = sum(w * apply_temperature(m.probabilities(x), t) for m, w, t in parts)
        return apply_temperature(np.asarray(total), self.temperature)


def blend_candidates(
    candidates: Sequence[Candidate], labels: NDArray[np.int64], row_weights: FloatArray | None
) -> Blend:
    """Choose the members and their weights by the log loss of the rows left out."""
    weights = greedy_weights([c.out_of_fold for c in candidates], labels, row_weights=row_weights)
    mean = sum(w * c.out_of_fold for w, c in zip(weights, candidates, strict=True))
    temperature = fit_temperature(mean, labels, row_weights)
    kept = [int(i) for i in np.flatnonzero(weights)]
    return Blend(
        [candidates[i].member for i in kept],
        weights[kept],
        np.array([candidates[i].temperature for i in kept]),
        temperature,
        apply_temperature(np.asarray(mean), temperature),
    )


def leaderboard(candidates: Sequence[Candidate], blend: Blend) -> pd.DataFrame:
    """One row for each kind: its log loss, its weight in the blend, its epoch and seconds."""
    weights = dict(zip([m.name for m in blend.members], blend.weights, strict=True))
    rows = [
        {
            "kind": c.member.name,
            "log_loss": c.log_loss,
            "weight": weights.get(c.member.name, 0.0),
            "best_epoch": c.best_epoch,
            "fit_s": c.seconds,
        }
        for c in candidates
    ]
    return pd.DataFrame(rows)
