"""Tables of a finished run."""

from __future__ import annotations

import pandas as pd

from qcl_mixnet.evaluation.gathering import score_table, without_ablations
from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.reporting.rendering import STAR_NOTE, Table, number, starred
from qcl_mixnet.statistics.comparison import HEADLINE
from qcl_mixnet.statistics.friedman import summarize_ranks
from qcl_mixnet.statistics.ties import has_a_score


def leaderboard(metrics: pd.DataFrame, metric: str = HEADLINE) -> pd.DataFrame:
    """Models by mean rank over the data sets, with what else a reader asks for.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    metric : str, default="macro_f1"
        The metric that ranks.

    Returns
    -------
    DataFrame of shape (n_models, n_columns)
        `model`, `label`, `family`, `test_selected`, `mean_rank` and `wins` of
        `summarize_ranks`; `n_datasets`, over which they are: those on which at least one model
        has a score; `n_failed`, cells on whatever data set; the means over data sets of the
        headline scores and seconds. Ablations are left out, see `without_ablations`.
    """
    scores = score_table(without_ablations(metrics), metric)
    summary = summarize_ranks(scores, higher_is_better=METRICS[metric].higher_is_better)
    # Not summarize_ranks' count: where every model that was run failed, others may be missing.
    was_run = metrics[metrics["status"].ne("not run")]
    failed = was_run.groupby(["model", "dataset"])[metric].mean().isna().groupby("model").sum()
    summary["n_failed"] = failed.reindex(summary.index, fill_value=0)
    by_model = metrics[metrics["model"].isin(scores.columns)].groupby("model")
    columns = list(dict.fromkeys([metric, "macro_recall", "g_mean", "mcc", "fit_seconds"]))
    means = by_model[columns].mean()
    board = (
        summary.join(by_model[["label", "family"]].first())
        .join(by_model["test_selected"].any())
        .join(means)
        .assign(n_datasets=has_a_score(scores).sum())
    )
    identity = ["model", "label", "family", "test_selected"]
    ranks = ["mean_rank", "wins", "n_datasets", "n_failed"]
    return board.reset_index()[[*identity, *ranks, *columns]]


def leaderboard_table(board: pd.DataFrame) -> Table:
    """Lay out a leaderboard.

    Parameters
    ----------
    board : DataFrame
        Of `leaderboard`.
    """
    # The metric that ranks comes first.
    scores = {METRICS[name].label: name for name in board.columns if name in METRICS}
    names = zip(board["label"], board["test_selected"], strict=True)
    body = pd.DataFrame(
        {
            "Model": [starred(*name) for name in names],
            "Family": board["family"],
            "Mean rank": _numbers(board["mean_rank"], 2),
            "Wins": board["wins"].astype(str),
            "Failed": board["n_failed"].astype(str),
            **{label: _numbers(board[name], 3) for label, name in scores.items()},
            "Seconds": _numbers(board["fit_seconds"], 1),
        }
    )
    notes = [
        f"Mean rank over {count(board['n_datasets'].iloc[0], 'data set')}, 1 being the best; "
        "failed cells rank last, and a data set on which every model failed does not count. Wins: "
        "data sets on which no model is better; a shared first place counts for each. Failed: "
        "failed cells. Scores and seconds (of fitting) are means over what did not fail."
    ]
    return Table(
        name="leaderboard",
        caption=f"Leaderboard: mean ranks by {next(iter(scores))}",
        notes=(*notes, STAR_NOTE) if board["test_selected"].any() else tuple(notes),
        frame=board,
        body=body,
        text_columns=2,
    )


def _numbers(values: pd.Series, decimals: int) -> list[str]:
    return [number(value, decimals) for value in values]
