"""Models on the folds of a table, fold by fold, for as long as the time lasts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.evaluation.cell_data import CellData
from qcl_mixnet.evaluation.cells import run_cell
from qcl_mixnet.evaluation.planning import seconds_of
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.trial.deadline import OutOfTimeError, at_most
from qcl_mixnet.trial.shortlist import DUMMY

logger = logging.getLogger(__name__)

# Called before a fit with the model's label, the fold (from 0) and how many folds there are.
OnFit = Callable[[str, int, int], None]


@dataclass
class Attempt:
    """A model on the folds that it was fitted on.

    Attributes
    ----------
    spec : ModelSpec
    folds : list of DataFrame
        Of each fold: `row`, `y_true`, `y_pred`, `proba_0`, `proba_1` and so on.
    fit_seconds : list of float
        Of each fold.
    problem : str or None
        Why it has fewer folds than the others: an error, or the time.
    """

    spec: ModelSpec
    folds: list[pd.DataFrame] = field(default_factory=list)
    fit_seconds: list[float] = field(default_factory=list)
    problem: str | None = None


@dataclass(frozen=True)
class Comparison:
    """What came of a trial.

    Attributes
    ----------
    attempts : dict of str to Attempt
        By the name of the model.
    n_folds : int
        Folds that every model without a problem has.
    interrupted : bool
        Whether the user ended it.
    """

    attempts: dict[str, Attempt]
    n_folds: int
    interrupted: bool

    @property
    def complete(self) -> dict[str, Attempt]:
        """Those that can be compared: with all folds."""
        return {
            name: attempt
            for name, attempt in self.attempts.items()
            if attempt.problem is None and len(attempt.folds) >= self.n_folds > 0
        }

    def scored_folds(self, folds_per_repeat: int) -> int:
        """How many folds count: whole repeats, or all where not even one is whole.

        Parameters
        ----------
        folds_per_repeat : int

        Returns
        -------
        int
        """
        whole = self.n_folds // folds_per_repeat * folds_per_repeat
        return whole or self.n_folds

    def tested_rows(self, folds_per_repeat: int) -> NDArray[np.int64]:
        """Rows that the scores are of: not all, forward in time or where time ran out.

        Parameters
        ----------
        folds_per_repeat : int

        Returns
        -------
        ndarray of shape (n_tested,)
            Sorted positions in the table; none where no model can be compared.
        """
        n_folds = self.scored_folds(folds_per_repeat)
        folds = next((attempt.folds[:n_folds] for attempt in self.complete.values()), [])
        rows = [fold["row"].to_numpy(np.int64) for fold in folds]
        return np.unique(np.concatenate(rows)) if rows else np.array([], dtype=np.int64)


def compare(
    data: CellData,
    specs: Mapping[str, ModelSpec],
    *,
    seed: int,
    n_jobs: int,
    seconds: float,
    on_fit: OnFit = lambda label, fold, n_folds: None,  # noqa: ARG005
) -> Comparison:
    """Fit and score every model on one fold after another, by the benchmark's own `run_cell`.

    After the first fold it is known what a fold costs: a model that costs more than all others
    together is left out of the others if they do not fit into the time. Two models always finish
    the first fold; each other one is stopped in it once it has taken half of the time that was
    left. A later fold is not begun if it would end too late.

    Parameters
    ----------
    data : CellData
        Its splits are the folds.
    specs : mapping of str to ModelSpec
    seed : int
    n_jobs : int
    seconds : float
        That all folds may take.
    on_fit : callable

    Returns
    -------
    Comparison
        After a KeyboardInterrupt with what was done by then.
    """
    protocol = EvaluationProtocol(seed=seed)
    attempts = {name: Attempt(spec) for name, spec in specs.items()}
    end = time.monotonic() + seconds
    finished, interrupted = 0, False
    n_folds = len(data.splits)
    try:
        for fold, split in enumerate(data.splits):
            if fold and time.monotonic() + _cost(attempts) > end:
                break
            part = replace(data, splits=[split])
            for attempt in _active(attempts):
                on_fit(attempt.spec.label, fold, n_folds)
                may_stop = fold == 0 and sum(bool(a.folds) for a in attempts.values()) >= 2
                limit = max((end - time.monotonic()) / 2, 0.0) if may_stop else None
                _run(attempt, part, protocol, n_jobs, limit)
            finished += 1
            if fold == 0:
                _leave_out_the_slow(attempts, n_folds - finished, end)
    except KeyboardInterrupt:
        interrupted = True
        finished = finished or 1
    return Comparison(attempts, finished, interrupted)


def _active(attempts: Mapping[str, Attempt]) -> list[Attempt]:
    return [attempt for attempt in attempts.values() if attempt.problem is None]


def _cost(attempts: Mapping[str, Attempt]) -> float:
    """Seconds that another fold takes."""
    return sum(float(np.mean(attempt.fit_seconds)) for attempt in _active(attempts))


def _run(
    attempt: Attempt,
    part: CellData,
    protocol: EvaluationProtocol,
    n_jobs: int,
    limit: float | None,
) -> None:
    try:
        with nullcontext() if limit is None else at_most(limit):
            result = run_cell(part, attempt.spec, protocol, n_jobs=n_jobs)
    except OutOfTimeError:
        attempt.problem = (
            f"no time: its first fold took more than {limit:.0f} s, half of what was left; allow "
            "more with --time-limit"
        )
        return
    if result.failed:
        attempt.problem = str(result.record["error"])
        logger.warning("%s failed and is left out: %s", attempt.spec.label, attempt.problem)
        return
    attempt.folds.append(result.predictions)
    # Without what comes before the first fit on a machine: the next fold does not wait for it.
    seconds = seconds_of(result.record)
    assert seconds is not None  # of a cell that did not fail
    attempt.fit_seconds.append(seconds)


def _leave_out_the_slow(attempts: Mapping[str, Attempt], n_left: int, end: float) -> None:
    """Give up models that cost more than all others together, if the time does not last with them.

    Fewer folds of all models say more than all folds of a few.
    """
    real = [attempt for attempt in _active(attempts) if attempt is not attempts.get(DUMMY)]
    active = sorted(real, key=lambda attempt: -np.mean(attempt.fit_seconds))
    costs = [float(np.mean(attempt.fit_seconds)) for attempt in active]
    left = end - time.monotonic()
    for i, attempt in enumerate(active[:-2]):  # two stay, to be compared
        others = sum(costs[i + 1 :])
        if n_left * (costs[i] + others) <= left or costs[i] <= others:
            break
        attempt.problem = (
            f"no time: {costs[i]:.0f} s a fold, more than all others together, and "
            f"{max(left, 0):.0f} s were left for {n_left} fold(s); allow more with --time-limit"
        )
