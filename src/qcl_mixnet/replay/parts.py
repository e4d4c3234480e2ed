"""What each part is worth: the scores of designs with it minus those without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from qcl_mixnet.replay.comparison import (
    LOG_LOSS,
    TUNED,
    compared_with,
    outcomes,
    probabilities,
    set_means,
    texts,
)
from qcl_mixnet.replay.options import GREEDY, UNIFORM, ReplayOptions
from qcl_mixnet.reporting.rendering import Table
from qcl_mixnet.statistics.posthoc import holm

PART_COLUMNS = [
    "part", "present", "absent", "n_datasets", "macro_f1_gain", "log_loss_gain",
    "macro_f1_argmax_gain", "wins", "ties", "losses", "p_value", "p_holm",
    "prob_helps", "prob_equivalent", "prob_harms",
]  # fmt: skip
# Parts of the blend itself: the same candidates with and without them.
_DESIGN_PARTS = {
    "all of the paper's parts, blended": (GREEDY, f"{GREEDY}_without_paper_parts"),
    "calibration": (GREEDY, f"{GREEDY}_uncalibrated"),
    "greedy selection": (GREEDY, UNIFORM),
    "neighbours": (GREEDY, f"{GREEDY}_trained"),
    "trees": (f"{GREEDY}_with_trees", GREEDY),
}
# The score without a rule; with it, it is that of averaged weights.
_RULES = {
    "tuned decision": "macro_f1_argmax",
    "tuned decision, beyond the priors": "macro_f1_power",
}


@dataclass(frozen=True)
class Pair:
    """Two designs whose difference a part is, or one design and two ways to decide.

    Attributes
    ----------
    present, absent : str
        Designs with the part and without it.
    rule : str or None
        For a rule of decision, the score of the design without it.
    """

    present: str
    absent: str
    rule: str | None = None

    def gains(self, scores: pd.DataFrame) -> pd.DataFrame:
        """Gain of the part on every data set.

        Parameters
        ----------
        scores : DataFrame
            Rows of `score_designs`.

        Returns
        -------
        DataFrame of shape (n_datasets, n_scores)
            `macro_f1` of decisions with averaged weights and, of what is no rule of decision,
            `log_loss` and `macro_f1_argmax`: positive where the part helps.
        """
        tuned = set_means(scores, TUNED)
        if self.rule is not None:
            without = set_means(scores, self.rule)
            return pd.DataFrame({"macro_f1": tuned[self.present] - without[self.absent]})
        loss, argmax = (set_means(scores, name) for name in (LOG_LOSS, "macro_f1_argmax"))
        return pd.DataFrame(
            {
                "macro_f1": tuned[self.present] - tuned[self.absent],
                "log_loss": loss[self.absent] - loss[self.present],
                "macro_f1_argmax": argmax[self.present] - argmax[self.absent],
            }
        )


def part_pairs(scores: pd.DataFrame, options: ReplayOptions) -> dict[str, Pair]:
    """List the parts of which both designs are among the scores, by name.

    Those of the options come first, then those of the blend: calibration, selection, decision.
    """
    there = {*scores["design"]}
    declared = {name: (part.present, part.absent) for name, part in options.parts.items()}
    pairs = {name: Pair(*names) for name, names in (declared | _DESIGN_PARTS).items()}
    chosen = options.chosen
    pairs |= {name: Pair(chosen, chosen, rule) for name, rule in _RULES.items()}
    return {name: pair for name, pair in pairs.items() if {pair.present, pair.absent} <= there}


def value_parts(scores: pd.DataFrame, options: ReplayOptions) -> pd.DataFrame:
    """Find what each part is worth: the score with it minus the score without it.

    Parameters
    ----------
    scores : DataFrame
        Rows of `score_designs` for all data sets.
    options : ReplayOptions

    Returns
    -------
    DataFrame
        `part`, `present`, `absent` (designs), `n_datasets` with both, `macro_f1_gain`,
        `log_loss_gain` and `macro_f1_argmax_gain` (means over the data sets, positive where the
        part helps; the first of decisions with averaged weights); then of `compare_with_control`,
        by the first score, `wins`, `ties`, `losses`, `p_value`, `p_holm` (over all parts),
        `prob_helps`, `prob_equivalent`, `prob_harms`, NaN with fewer than two data sets.
    """
    rows = []
    for part, pair in part_pairs(scores, options).items():
        gains = pair.gains(scores)
        rows.append(
            {
                "part": part,
                "present": pair.present,
                "absent": pair.absent,
                "n_datasets": int(gains["macro_f1"].notna().sum()),
                **gains.mean().add_suffix("_gain"),
                **_test(gains["macro_f1"], options.rope),
            }
        )
    table = pd.DataFrame(rows, columns=PART_COLUMNS)
    judged = table["p_value"].notna()
    if judged.any():
        p_values = table.loc[judged, "p_value"].to_numpy(np.float64)
        table.loc[judged, "p_holm"] = holm(p_values)
    return table


def _test(gains: pd.Series, rope: float) -> dict[str, Any]:
    """Signed-rank tests of gains; a data set where one of the two failed is left out."""
    known = gains.dropna()
    pair = pd.DataFrame({"present": known, "absent": 0.0})
    found = compared_with(pair, "present", rope)
    if not len(found):
        return {}
    row = dict(found.loc["absent"])
    row["prob_helps"] = row.pop("prob_control_better")
    row["prob_harms"] = row.pop("prob_model_better")
    return row


def parts_table(parts: pd.DataFrame, options: ReplayOptions) -> Table:
    """Write `value_parts` for people.

    Parameters
    ----------
    parts : DataFrame
    options : ReplayOptions
    """
    body = pd.DataFrame(
        {
            "part": parts["part"],
            "with": parts["present"],
            "without": parts["absent"],
            "F1 gain": texts(parts["macro_f1_gain"], "+.4f"),
            "log loss gain": texts(parts["log_loss_gain"], "+.4f"),
            "w/t/l": outcomes(parts),
            "p": texts(parts["p_value"], ".3f"),
            "p helps/equal/harms": probabilities(parts, "helps", "harms"),
        }
    )
    return Table(
        "replay_parts",
        "What each part is worth: the mean over data sets of the score with it minus the score "
        "without it.",
        (
            "Gains are positive where the part helps: macro F1 with tuned decisions, and log loss "
            "that is saved; p is Wilcoxon's over data sets, not adjusted (the CSV has Holm's).",
            "p helps/equal/harms: Bayesian signed-rank test by macro F1, equal being closer than "
            f"{options.rope:g}.",
        ),
        parts,
        body,
        text_columns=3,
    )
