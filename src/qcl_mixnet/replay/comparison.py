"""From the scores of designs to a table: their means, their ranks, and against the chosen one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.replay.designs import SCORES
from qcl_mixnet.replay.options import ReplayOptions
from qcl_mixnet.reporting.rendering import Table
from qcl_mixnet.statistics.friedman import rank_models
from qcl_mixnet.statistics.posthoc import compare_with_control

TUNED, LOG_LOSS = "macro_f1_tuned", "log_loss"
_COMPARED = [
    "wins", "ties", "losses", "p_value", "p_holm",
    "prob_control_better", "prob_equivalent", "prob_model_better",
]  # fmt: skip


def set_means(scores: pd.DataFrame, score: str) -> pd.DataFrame:
    """Mean over the repeats of every design on every data set.

    Parameters
    ----------
    scores : DataFrame
        Rows of `score_designs`.
    score : str
        Its column.

    Returns
    -------
    DataFrame of shape (n_datasets, n_designs)
        Designs in the order of the rows; NaN where a design failed on a repeat.
    """
    means = scores.groupby(["dataset", "design"], sort=False)[score].apply(
        lambda values: values.mean(skipna=False)
    )
    order = scores["design"].drop_duplicates()
    return means.unstack().reindex(columns=order)


def compare_designs(scores: pd.DataFrame, options: ReplayOptions) -> pd.DataFrame:
    """Average every design over the data sets, and compare it with the chosen one.

    Parameters
    ----------
    scores : DataFrame
        Rows of `score_designs` for all data sets.
    options : ReplayOptions

    Returns
    -------
    DataFrame
        `design`, `n_datasets` with a score, the means of the scores over these, `mean_rank` by
        macro F1 with averaged weights; `difference`, the mean difference of that score, and
        `log_loss_difference`, both the design's minus the chosen design's; of
        `compare_with_control` with the chosen design as the control `wins`, `ties`, `losses`,
        `p_value`, `p_holm`, `prob_chosen_better`, `prob_equivalent`, `prob_design_better`; and
        `log_loss_p_value`. NaN for the chosen design itself, and with fewer than two data sets.
    """
    means = {name: set_means(scores, name) for name in SCORES}
    tuned = means[TUNED]
    table = pd.DataFrame({name: values.mean() for name, values in means.items()})
    table.insert(0, "n_datasets", tuned.notna().sum())
    table["mean_rank"] = rank_models(tuned).mean()
    for column, score in (("difference", TUNED), ("log_loss_difference", LOG_LOSS)):
        table[column] = means[score].sub(means[score][options.chosen], axis=0).mean()
    compared = compared_with(tuned, options.chosen, options.rope)
    table = table.join(compared)
    table["log_loss_p_value"] = compared_with(
        means[LOG_LOSS], options.chosen, options.rope, higher_is_better=False
    )["p_value"]
    table = table.rename(
        columns={
            "prob_control_better": "prob_chosen_better",
            "prob_model_better": "prob_design_better",
        }
    )
    table.loc[options.chosen, ["difference", "log_loss_difference"]] = np.nan
    return table.rename_axis("design").reset_index()


def compared_with(
    scores: pd.DataFrame, control: str, rope: float, *, higher_is_better: bool = True
) -> pd.DataFrame:
    """Rows of `compare_with_control` by model; empty where there are too few data sets."""
    try:
        table = compare_with_control(
            scores, control, rope=rope, higher_is_better=higher_is_better
        ).set_index("model")
    except EvaluationError:  # one data set, on which no test is possible
        return pd.DataFrame(columns=_COMPARED, dtype=np.float64)
    return table[_COMPARED]


def designs_table(compared: pd.DataFrame, options: ReplayOptions, n_repeats: int) -> Table:
    """Write `compare_designs` for people.

    Parameters
    ----------
    compared : DataFrame
    options : ReplayOptions
    n_repeats : int
        Splits of each data set.
    """
    board = compared.sort_values("mean_rank", kind="stable").reset_index(drop=True)
    body = pd.DataFrame(
        {
            "design": board["design"],
            "log loss": texts(board["log_loss"], ".4f"),
            "F1 argmax": texts(board["macro_f1_argmax"], ".4f"),
            "F1 tuned": texts(board["macro_f1_tuned"], ".4f"),
            "mean rank": texts(board["mean_rank"], ".2f"),
            "difference": texts(board["difference"], "+.4f"),
            "w/t/l of chosen": outcomes(board),
            "p": texts(board["p_value"], ".3f"),
            "p better/equal/worse": probabilities(board, "design_better", "chosen_better"),
        }
    )
    n = int(compared["n_datasets"].max())
    chosen = frozenset((int(i), 0) for i in np.flatnonzero(board["design"] == options.chosen))
    return Table(
        "replay_designs",
        f"Designs of the replay over {count(n, 'data set')}, {count(n_repeats, 'split')} of each, "
        "by mean rank in macro F1 with tuned decisions.",
        (
            f"Differences, wins and tests are against {options.chosen}, by macro F1 with tuned "
            "decisions; p is Wilcoxon's over data sets, not adjusted (the CSV has Holm's).",
            "p better/equal/worse: Bayesian signed-rank test, of the design against the chosen "
            f"one, equal being closer than {options.rope:g}.",
        ),
        board,
        body,
        bold=chosen,
    )


def texts(values: pd.Series, form: str) -> list[str]:
    """Write numbers in a format, and nothing where there is none."""
    return ["" if pd.isna(value) else format(float(value), form) for value in values]


def outcomes(table: pd.DataFrame) -> list[str]:
    """Write wins, ties and losses as `4/0/2`."""
    return [
        "" if pd.isna(w) else f"{w:.0f}/{t:.0f}/{lost:.0f}"
        for w, t, lost in table[["wins", "ties", "losses"]].itertuples(index=False)
    ]


def probabilities(table: pd.DataFrame, better: str, worse: str) -> list[str]:
    """Write the probabilities of the Bayesian test as `0.10/0.20/0.70`: better, equal, worse."""
    columns = [f"prob_{better}", "prob_equivalent", f"prob_{worse}"]
    return [
        "" if pd.isna(row[0]) else "/".join(f"{value:.2f}" for value in row)
        for row in table[columns].itertuples(index=False)
    ]
