"""Do the models differ? Ranks, Friedman's test and Iman and Davenport's F.

A table of scores has one row a data set and one column a model; a NaN is a cell that failed and
ranks last. A data set on which every model failed does not count, and scores that differ by
rounding alone tie (see `ties`). Every function takes the table and the direction of its metric.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.statistics.ties import describe_size, has_a_score, merge_tied_scores


@dataclass(frozen=True)
class FriedmanResult:
    """Friedman's test over data sets, and Iman and Davenport's sharper form of it.

    Attributes
    ----------
    n_datasets, n_models : int
        N, the data sets on which at least one model has a score, and k.
    chi2 : float
        Friedman's statistic, corrected for ties (the paper's Eq. 25-27).
    df : int
        Its degrees of freedom, k - 1.
    p_value : float
        From the chi-square distribution.
    iman_davenport_f : float
        (N - 1) chi2 / (N (k - 1) - chi2); infinite if all data sets rank the models alike.
    iman_davenport_df : tuple of int
        k - 1 and (k - 1)(N - 1).
    iman_davenport_p : float
        From the F distribution; where F is infinite, see `iman_davenport`.
    alpha : float
        Level of the critical value.
    critical_f : float
        The models differ at level `alpha` if a finite `iman_davenport_f` exceeds this; where it is
        infinite, `iman_davenport_p` decides.
    """

    n_datasets: int
    n_models: int
    chi2: float
    df: int
    p_value: float
    iman_davenport_f: float
    iman_davenport_df: tuple[int, int]
    iman_davenport_p: float
    alpha: float
    critical_f: float


def rank_models(scores: pd.DataFrame, higher_is_better: bool = True) -> pd.DataFrame:
    """Rank the models on each data set, 1 being the best.

    Parameters
    ----------
    scores : DataFrame of shape (n_datasets, n_models)
        NaN marks a failed cell. Failed cells share the last ranks of their data set.
    higher_is_better : bool, default=True
        Direction of the metric.

    Returns
    -------
    DataFrame like `scores`
        Ties get the average of the ranks that they span, so each row sums to k (k + 1) / 2. NaN
        throughout for a data set on which every model failed: it ranks nobody.

    Raises
    ------
    EvaluationError
        If the table is empty or a column is not numeric.
    """
    if 0 in scores.shape:
        raise EvaluationError(
            f"The table of scores has shape {scores.shape}; ranks need at least one data set "
            "(row) and one model (column)."
        )
    text = [str(name) for name, dtype in scores.dtypes.items() if dtype.kind not in "fiub"]
    if text:
        raise EvaluationError(
            f"Column {text[0]!r} of the table of scores is not numeric; make data sets the index "
            "and models the columns."
        )
    ranks = merge_tied_scores(scores).rank(
        axis=1, method="average", ascending=not higher_is_better, na_option="bottom"
    )
    ranks.loc[~has_a_score(scores)] = np.nan
    return ranks


def friedman_test(
    scores: pd.DataFrame, *, higher_is_better: bool = True, alpha: float = 0.05
) -> FriedmanResult:
    """Test whether the models' ranks differ by more than chance over the data sets.

    Parameters
    ----------
    scores : DataFrame of shape (n_datasets, n_models)
        As in `rank_models`.
    higher_is_better : bool, default=True
        Direction of the metric.
    alpha : float, default=0.05
        Level of the critical value of F.

    Returns
    -------
    FriedmanResult
        If all models tie on all data sets, chi2 is 0 and p is 1.

    Raises
    ------
    EvaluationError
        With fewer than 2 data sets or 3 models, or alpha outside (0, 1).

    References
    ----------
    Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006.
    """
    counted = scores[has_a_score(scores)]
    n_datasets, n_models = counted.shape
    if n_datasets < 2 or n_models < 3:
        raise EvaluationError(
            f"Friedman's test got {describe_size(scores)} and needs at least 2 and 3; add data "
            "sets or models, or compare two models with a signed-rank test."
        )
    if not 0 < alpha < 1:
        raise EvaluationError(
            f"alpha is {alpha!r} and must lie strictly between 0 and 1; 0.05 is the usual level."
        )
    # Ranks instead of scores, so that scipy meets no NaN; their ranks are themselves.
    ranks = rank_models(counted, higher_is_better).to_numpy()
    if (ranks == ranks[:, :1]).all():
        chi2, p_value = 0.0, 1.0  # scipy's tie correction would divide zero by zero
    else:
        chi2, p_value = (float(v) for v in stats.friedmanchisquare(*ranks.T))
    tied = bool((np.sort(ranks) != np.arange(1, n_models + 1)).any())
    f, df, f_p = iman_davenport(chi2, n_datasets=n_datasets, n_models=n_models, tied=tied)
    return FriedmanResult(
        n_datasets=n_datasets,
        n_models=n_models,
        chi2=chi2,
        df=n_models - 1,
        p_value=p_value,
        iman_davenport_f=f,
        iman_davenport_df=df,
        iman_davenport_p=f_p,
        alpha=alpha,
        critical_f=float(stats.f.isf(alpha, *df)),
    )


def iman_davenport(
    chi2: float, *, n_datasets: int, n_models: int, tied: bool = False
) -> tuple[float, tuple[int, int], float]:
    """Turn Friedman's chi-square into Iman and Davenport's F, which is less conservative.

    Parameters
    ----------
    chi2 : float
        Friedman's statistic, at most N (k - 1).
    n_datasets, n_models : int
        N and k.
    tied : bool, default=False
        Whether models tie on a data set.

    Returns
    -------
    f, (df1, df2), p_value
        `f` is infinite where chi2 is at its maximum, since all data sets rank the models alike.
        The F distribution would call that impossible by chance (p = 0). `p_value` is then the
        share (1 / k!)^(N - 1) of all ways to rank in which they do, or, with ties, chi2's own p.

    References
    ----------
    Iman and Davenport, "Approximations of the critical region of the Friedman statistic",
    Communications in Statistics A9, 1980.
    """
    df = (n_models - 1, (n_models - 1) * (n_datasets - 1))
    maximum = n_datasets * (n_models - 1)
    if np.isclose(chi2, maximum, rtol=1e-12, atol=0.0):
        if tied:
            return float("inf"), df, float(stats.chi2.sf(chi2, df[0]))
        p_value = math.exp((1 - n_datasets) * math.lgamma(n_models + 1))
        return float("inf"), df, max(p_value, sys.float_info.min)  # too small for a float is not 0
    f = (n_datasets - 1) * chi2 / (maximum - chi2)
    return f, df, float(stats.f.sf(f, *df))


def summarize_ranks(scores: pd.DataFrame, *, higher_is_better: bool = True) -> pd.DataFrame:
    """Summarise each model over the data sets, best mean rank first.

    Parameters
    ----------
    scores : DataFrame of shape (n_datasets, n_models)
        As in `rank_models`.
    higher_is_better : bool, default=True
        Direction of the metric.

    Returns
    -------
    DataFrame indexed by model
        mean_rank over the data sets on which any model has a score (NaN without one); wins, the
        data sets on which the model has a score and no other scores better (a shared first place
        counts for each); n_failed, on whatever data set; mean_score over the data sets on which
        the model did not fail.

    Raises
    ------
    EvaluationError
        As in `rank_models`.
    """
    ranks = rank_models(scores, higher_is_better)
    merged = merge_tied_scores(scores)
    best = merged.max(axis=1) if higher_is_better else merged.min(axis=1)
    summary = pd.DataFrame(
        {
            "mean_rank": ranks.mean(),
            "wins": merged.eq(best, axis=0).sum(),
            "n_failed": scores.isna().sum(),
            "mean_score": scores.mean(),
        }
    )
    summary.index.name = "model"
    return summary.sort_values("mean_rank", kind="stable")
