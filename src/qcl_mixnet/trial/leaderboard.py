"""Models in order of macro F1, each score with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.trial.bootstrap import (
    FloatArray,
    IntArray,
    Interval,
    average_precision,
    draw_weights,
    log_loss,
    macro_f1,
)
from qcl_mixnet.trial.comparison import Attempt, Comparison

# Weights of a million rows would fill memory: fewer samples of many rows, whose scores vary less.
MOST_DRAWS, MOST_WEIGHTS, LEAST_DRAWS = 1_000, 20_000_000, 100
SCORES = ("macro_f1", "average_precision", "log_loss")


@dataclass(frozen=True)
class Scored:
    """A model's scores, on its rows and on bootstrap samples of them.

    Attributes
    ----------
    label : str
    values : dict of str to float
        Each of `SCORES`.
    draws : dict of str to ndarray of shape (n_draws,)
        The same of every sample; sample i has the same rows for all models.
    fit_seconds : float
        Mean of the folds.
    """

    label: str
    values: dict[str, float]
    draws: dict[str, FloatArray]
    fit_seconds: float

    def interval(self, score: str) -> Interval:
        """Of one score."""
        return Interval.of(self.values[score], self.draws[score])


def score_attempts(
    comparison: Comparison,
    labels: IntArray,
    rare: int,
    folds_per_repeat: int,
    *,
    seed: int,
    groups: IntArray | None = None,
) -> dict[str, Scored]:
    """Score all models that can be compared, on the same rows.

    A score is that of all test rows of a repeat together, averaged over the repeats: a fold has too
    few rows of a rare class for a score of its own.

    Parameters
    ----------
    comparison : Comparison
    labels : ndarray of shape (n_samples,)
        Encoded classes of the whole table.
    rare : int
        Code of the class whose average precision is wanted.
    folds_per_repeat : int
    seed : int
        Of the samples.
    groups : ndarray of shape (n_samples,), optional
        Codes of groups, which samples keep together.
    """
    n_draws = int(np.clip(MOST_WEIGHTS // len(labels), LEAST_DRAWS, MOST_DRAWS))
    rng = np.random.default_rng(seed)
    n_folds = comparison.scored_folds(folds_per_repeat)
    tested = comparison.tested_rows(folds_per_repeat)
    weights = np.zeros((1 + n_draws, len(labels)))
    if len(tested):
        owners = None if groups is None else np.unique(groups[tested], return_inverse=True)[1]
        weights[0] = 1.0
        weights[1:, tested] = draw_weights(labels[tested], n_draws, rng, owners)
    return {
        name: _score(attempt, weights, rare, n_folds, folds_per_repeat)
        for name, attempt in comparison.complete.items()
    }


def _score(
    attempt: Attempt, weights: FloatArray, rare: int, n_folds: int, folds_per_repeat: int
) -> Scored:
    repeats = []
    for start in range(0, n_folds, folds_per_repeat):
        rows = pd.concat(attempt.folds[start : min(start + folds_per_repeat, n_folds)])
        repeats.append(_of_rows(rows, weights, rare))
    mean = {score: np.mean([one[score] for one in repeats], axis=0) for score in SCORES}
    return Scored(
        attempt.spec.label,
        {score: float(values[0]) for score, values in mean.items()},
        {score: values[1:] for score, values in mean.items()},
        float(np.mean(attempt.fit_seconds)),
    )


def _of_rows(rows: pd.DataFrame, weights: FloatArray, rare: int) -> dict[str, FloatArray]:
    true, predicted = rows["y_true"].to_numpy(), rows["y_pred"].to_numpy()
    proba: NDArray[np.float64] = rows.filter(regex=r"^proba_\d+$").to_numpy(np.float64)
    own = weights[:, rows["row"].to_numpy()]
    return {
        "macro_f1": macro_f1(true, predicted, own),
        "average_precision": average_precision(true == rare, proba[:, rare], own),
        "log_loss": log_loss(true, proba, own),
    }


def ranked(scored: Mapping[str, Scored]) -> list[str]:
    """Names by falling macro F1; of equal ones the lower log loss is first."""
    return sorted(
        scored,
        key=lambda name: (-scored[name].values["macro_f1"], scored[name].values["log_loss"]),
    )


def leaderboard(comparison: Comparison, scored: Mapping[str, Scored]) -> pd.DataFrame:
    """A row for each model, the best first, those without a comparison last.

    Returns
    -------
    DataFrame
        `model`, `label`; of each score its value, `_low` and `_high`; `fit_seconds`, `folds`,
        `problem`.
    """
    rows = []
    for name in [*ranked(scored), *(n for n in comparison.attempts if n not in scored)]:
        attempt = comparison.attempts[name]
        row: dict[str, object] = {"model": name, "label": attempt.spec.label}
        for score in SCORES:
            interval = scored[name].interval(score) if name in scored else None
            row[score] = interval.value if interval else np.nan
            row[f"{score}_low"] = interval.low if interval else np.nan
            row[f"{score}_high"] = interval.high if interval else np.nan
        row["fit_seconds"] = float(np.mean(attempt.fit_seconds)) if attempt.fit_seconds else np.nan
        rows.append({**row, "folds": len(attempt.folds), "problem": attempt.problem})
    return pd.DataFrame(rows)
