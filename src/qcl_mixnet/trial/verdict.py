"""What a leaderboard means, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.trial.bootstrap import LEVEL, Interval
from qcl_mixnet.trial.leaderboard import Scored, ranked
from qcl_mixnet.trial.shortlist import DUMMY

FEWEST_GROUPS = 20
"""Samples of fewer groups are so few different ones that intervals come out too narrow."""


@dataclass(frozen=True)
class Verdict:
    """The judgement of a trial.

    Attributes
    ----------
    winner : str or None
        Name of the model with the highest macro F1; None where none could be scored.
    learnable : bool
        Whether it beats every guess without a look at the columns.
    luck : float
        Differences in macro F1 below this cannot be told from luck on this table.
    equals : list of str
        Models that the winner cannot be told from.
    sentences : list of str
        All of it for a reader.
    """

    winner: str | None
    learnable: bool
    luck: float
    equals: list[str]
    sentences: list[str]

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def judge(
    scored: Mapping[str, Scored],
    class_names: Sequence[str],
    counts: NDArray[np.int64],
    n_groups: int | None = None,
    tested: NDArray[np.int64] | None = None,
) -> Verdict:
    """Judge a leaderboard.

    Parameters
    ----------
    scored : mapping of str to Scored
    class_names : sequence of str, of length n_classes
    counts : ndarray of shape (n_classes,)
        Rows of each class.
    n_groups : int, optional
        How many groups the samples draw.
    tested : ndarray of shape (n_classes,), optional
        Rows of each class that the scores are of; None: all.
    """
    names = [name for name in ranked(scored) if name != DUMMY]
    if not names:
        return Verdict(None, False, float("nan"), [], ["No model could be scored to the end."])
    best, rare = scored[names[0]], int(np.argmin(counts))
    n_tested = counts if tested is None else tested
    gaps = {name: _difference(best, scored[name]) for name in names[1:]}
    widths = [gap.half_width for gap in gaps.values()] or [best.interval("macro_f1").half_width]
    luck = float(np.median(widths))
    equals = [name for name, gap in gaps.items() if gap.low <= 0]
    floor, learnable = _floor(scored, best, len(names), len(counts))
    interval = best.interval("macro_f1")
    sentences = [
        f"{best.label} is first with macro F1 {interval.value:.3f} "
        f"({LEVEL:.0%} interval {interval.low:.3f} to {interval.high:.3f}).",
        _luck_in_words(luck, int(n_tested[rare]), class_names[rare]),
    ]
    if n_groups is not None and n_groups < FEWEST_GROUPS:
        sentences.append(
            f"The intervals are too narrow: they redraw {n_groups} groups, and need "
            f"{FEWEST_GROUPS} or more."
        )
    if equals and learnable:
        labels = ", ".join(scored[name].label for name in equals)
        sentences.append(f"Not told apart from the first: {labels}.")
    if not learnable:
        sentences.append(
            f"There is nothing to learn here that these models find: the first does not beat a "
            f"guess without a look at the columns (macro F1 {floor:.3f}) beyond its interval."
        )
    return Verdict(names[0], learnable, luck, equals, sentences)


def _luck_in_words(luck: float, n_rare: int, rare: str) -> str:
    if luck < 1e-9:
        return (
            f"With {n_rare} rows of '{rare}', all samples of these rows score alike, which does "
            "not say that other rows would."
        )
    shown = max(luck, 0.01)
    return (
        f"With {n_rare} rows of '{rare}', differences below {shown:.2f} in macro F1 cannot be told "
        "from luck."
    )


def _difference(best: Scored, other: Scored) -> Interval:
    """Macro F1 of the first less that of another, on the same samples of rows."""
    return Interval.of(
        best.values["macro_f1"] - other.values["macro_f1"],
        best.draws["macro_f1"] - other.draws["macro_f1"],
    )


def _floor(
    scored: Mapping[str, Scored], best: Scored, n_models: int, n_classes: int
) -> tuple[float, bool]:
    """The macro F1 of the best guess, and whether the first model is above it.

    A guess of class c with probability q has, for a share p of its rows, F1 = 2pq / (p + q), and
    the mean over the classes is highest for q = p, where it is 1 / n_classes. The first of several
    models is the luckiest of them, so its interval is widened for their number (Bonferroni).
    """
    floor = 1 / n_classes
    if DUMMY in scored:
        floor = max(floor, scored[DUMMY].values["macro_f1"])
    level = 1 - (1 - LEVEL) / n_models
    low = Interval.of(best.values["macro_f1"], best.draws["macro_f1"], level).low
    return floor, low > floor
