"""What came out, in sentences made of the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.reporting.control_table import p_text
from qcl_mixnet.reporting.rendering import number, starred
from qcl_mixnet.statistics.comparison import HEADLINE
from qcl_mixnet.statistics.posthoc import smallest_p_holm
from qcl_mixnet.statistics.ties import TOLERANCE

_NAMED = 5


def summary_sentences(
    leaderboard: pd.DataFrame, metrics: pd.DataFrame, statistics: Mapping[str, Any]
) -> list[str]:
    """Say who is first, how far that can be trusted, and what is missing.

    Parameters
    ----------
    leaderboard : DataFrame
        Of `leaderboard`.
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    statistics : mapping
        Of `compare_models`.

    Returns
    -------
    list of str
        The first is the finding.
    """
    sentences = [_finding(leaderboard, metrics), *_difference(leaderboard, statistics)]
    return [*sentences, *_reservations(metrics, statistics)]


def _finding(board: pd.DataFrame, metrics: pd.DataFrame) -> str:
    if board["mean_rank"].isna().all():
        return "No model has a score: every cell failed or was not run."
    best = _first(board)
    rank = number(board["mean_rank"].min(), 2)
    repeats = metrics.loc[metrics["status"].eq("ok"), "repeat"].nunique()
    datasets = count(int(board["n_datasets"].iloc[0]), "data set")
    where = f"On {datasets} and {count(repeats, 'split')} of each,"
    verb = "has" if len(best) == 1 else "share"
    return (
        f"{where} {_listed(_names(best))} {verb} the best mean rank by macro F1 "
        f"({rank}, of {count(len(board), 'model')})."
    )


def _first(board: pd.DataFrame) -> pd.DataFrame:
    ranks = board["mean_rank"]
    return board[ranks.le(ranks.min() + TOLERANCE)]


def _difference(board: pd.DataFrame, statistics: Mapping[str, Any]) -> list[str]:
    """Say whether the first, or where it is the control the second, differs from the control."""
    control = statistics["control"]
    if board["mean_rank"].isna().all() or control not in set(board["model"]):
        return []
    rows = statistics["comparisons"][HEADLINE]
    if "reason" in rows:
        return [str(rows["reason"])]
    own = board[board["model"].eq(control)].iloc[0]
    name = starred(own["label"], own["test_selected"])
    first = _first(board)
    leads = control in set(first["model"])
    place = int(board["mean_rank"].lt(own["mean_rank"] - TOLERANCE).sum()) + 1
    others = board[board["model"].ne(control)]
    by_model = {row["model"]: row for row in rows}
    if others.empty or others["model"].iloc[0] not in by_model:
        return []
    other = others.iloc[0]
    row = by_model[other["model"]]
    n_judged = sum(row["p_holm"] is not None for row in rows)
    beside = "the next in the list" if leads else "the first"
    standing = [] if leads else [
        f"{name}, the control, is at place {place} with a mean rank of "
        f"{number(own['mean_rank'], 2)}."
    ]  # fmt: skip
    rival = starred(other["label"], other["test_selected"])
    return [*standing, _verdict(name, f"{rival}, {beside},", row, 1 + n_judged, statistics)]


def _verdict(
    name: str, rival: str, row: Mapping[str, Any], n_models: int, statistics: Mapping[str, Any]
) -> str:
    if row["p_holm"] is None:
        return f"{name} and {rival} cannot be compared: one of them failed on all data sets."
    alpha = statistics["alpha"]
    possible = smallest_p_holm(row["n_compared"], n_models)
    test = f"Wilcoxon-Holm, p = {p_text(row['p_holm'])}, level {alpha:g}"
    if possible > alpha:
        datasets = count(row["n_compared"], "data set")
        verb = "is" if row["n_compared"] == 1 else "are"
        return (
            f"{datasets} {verb} too few to tell {name} and {rival} apart ({test}; with "
            f"{n_models} models p cannot be below {p_text(possible)})."
        )
    if row["differs"]:
        return f"The difference between {name} and {rival} is significant ({test})."
    return (
        f"The difference between {name} and {rival} is not significant ({test}), which does not "
        "show that they are equal."
    )


def _reservations(metrics: pd.DataFrame, statistics: Mapping[str, Any]) -> list[str]:
    sentences = []
    scored = metrics[metrics["status"].eq("ok")]
    if len(scored) and scored["repeat"].nunique() == 1:
        sentences.append("Every score is of a single split; another split gives other scores.")
    selected = scored[scored["test_selected"].eq(True)]
    if n_selected := selected["model"].nunique():
        verb = "has" if n_selected == 1 else "have"
        sentences.append(
            f"{count(n_selected, 'model')} with a star (*) {verb} epochs chosen by scores on the "
            "test part: their scores are better than on rows that nobody has seen."
        )
    words = {"failed": ("failed", "failed"), "not_run": ("was not run", "were not run")}
    for key, (one, several) in words.items():
        if cells := statistics[key]:
            verb = one if len(cells) == 1 else several
            sentences.append(f"{count(len(cells), 'cell')} {verb}: {_some(cells)}.")
    if without := statistics["datasets_without_score"]:
        verb = "does" if len(without) == 1 else "do"
        sentences.append(f"{_some(without)} {verb} not count, because every model failed there.")
    return sentences


def _names(board: pd.DataFrame) -> list[str]:
    pairs = zip(board["label"], board["test_selected"], strict=True)
    return [starred(*pair) for pair in pairs]


def _listed(names: Sequence[str]) -> str:
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
