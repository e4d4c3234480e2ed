"""Which models differ? A control against every model, and all pairs by Nemenyi's test.

A table of scores has one row a data set and one column a model; a NaN is a cell that failed. It
ranks last on its data set; what it counts for in a difference of scores, `paired_differences` says.
A data set on which every model failed does not count (see `ties`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.metrics import FloatArray
from qcl_mixnet.statistics.friedman import rank_models
from qcl_mixnet.statistics.paired import (
    SEED,
    bayesian_signed_rank,
    paired_differences,
    signed_rank_test,
)
from qcl_mixnet.statistics.ties import describe_size, has_a_score

COMPARISON_COLUMNS = [
    "model", "n_datasets", "n_compared", "control_failed", "model_failed", "wins", "ties", "losses",
    "median_difference", "effect_size", "wilcoxon_statistic", "p_value", "p_holm", "differs",
    "prob_control_better", "prob_equivalent", "prob_model_better",
]  # fmt: skip


def compare_with_control(
    scores: pd.DataFrame,
    control: str,
    *,
    higher_is_better: bool = True,
    alpha: float = 0.05,
    rope: float = 0.01,
    worst_score: float | None = None,
) -> pd.DataFrame:
    """Compare one model with every other: signed-rank tests, effect sizes, practical equivalence.

    Parameters
    ----------
    scores : DataFrame of shape (n_datasets, n_models)
        NaN marks a failed cell.
    control : str
        The column that the others are compared with.
    higher_is_better : bool, default=True
        Direction of the metric.
    alpha : float, default=0.05
        Level of `differs`, kept over all rows of the table together.
    rope : float, default=0.01
        Half width of the region of practical equivalence, in units of the metric.
    worst_score : float, optional
        The metric's worst value, which a failed cell stands for at least, see
        `paired_differences`. None for a metric that has none.

    Returns
    -------
    DataFrame of shape (n_models - 1, 17)
        `model` in the order of the columns; `n_datasets`, those on which any model has a
        score, which alone are counted in what follows; `n_compared`, those on which not both
        failed; `control_failed` and `model_failed`, counts of data sets; `wins`,
        `ties` and `losses` of the control, of those compared (a failed cell loses);
        `median_difference` over the data sets on which both have a score, positive where the
        control is better; `effect_size`, the matched-pairs rank-biserial correlation
        (Kerby, 2014) from -1 to 1, over all compared, so that ties draw it to 0;
        `wilcoxon_statistic` and `p_value`, see `signed_rank_test`; `p_holm`, adjusted by
        `holm` for the models that have a p-value, and `differs`; `prob_control_better`,
        `prob_equivalent` and `prob_model_better`, see `bayesian_signed_rank`. From
        `median_difference` on all are NaN, and `differs` false, if the control or the model
        has no score at all.

    Raises
    ------
    EvaluationError
        If the control is no column, or with fewer than 2 data sets or 2 models.

    References
    ----------
    Kerby, "The simple difference formula", Comprehensive Psychology 3, 2014.

    Examples
    --------
    >>> import pandas as pd
    >>> from qcl_mixnet.statistics.posthoc import compare_with_control
    >>> net, tree, knn = [0.9, 0.8, 0.7, 0.9], [0.8, 0.8, 0.6, 0.7], [0.7, 0.9, 0.5, None]
    >>> scores = pd.DataFrame({"net": net, "tree": tree, "knn": knn})  # one row a data set
    >>> table = compare_with_control(scores, "net")
    >>> table[["model", "model_failed", "wins", "ties", "losses", "p_holm"]]
      model  model_failed  wins  ties  losses  p_holm
    0  tree             0     3     1       0     0.5
    1   knn             1     3     0       1     0.5
    """
    differences = paired_differences(
        scores,
        control,
        rope=rope,
        higher_is_better=higher_is_better,
        worst_score=worst_score,
    )
    counted = has_a_score(scores)
    scores, differences = scores[counted], differences[counted]
    failed = scores.isna()
    others = failed[differences.columns]
    # A pair that is not judged has no differences, and wins and losses all the same.
    wins = differences.gt(0) | others.gt(failed[control], axis=0)
    losses = differences.lt(0) | others.lt(failed[control], axis=0)
    n_compared = len(scores) - others.mul(failed[control], axis=0).sum()
    both_scored = (~others).mul(~failed[control], axis=0)
    tests = np.array([signed_rank_test(z[~np.isnan(z)]) for z in differences.to_numpy().T])
    effect_size, statistic, p_value = tests.T
    judged = ~np.isnan(p_value)
    p_holm = np.full_like(p_value, np.nan)
    p_holm[judged] = holm(p_value[judged])
    rng = np.random.default_rng(SEED)
    better, equivalent, worse = bayesian_signed_rank(differences.to_numpy(), rope, rng).T
    table = pd.DataFrame(
        {
            "n_datasets": len(scores),
            "n_compared": n_compared,
            "control_failed": failed[control].sum(),
            "model_failed": others.sum(),
            "wins": wins.sum(),
            "ties": n_compared - wins.sum() - losses.sum(),
            "losses": losses.sum(),
            "median_difference": differences.where(both_scored).median(),
            "effect_size": effect_size,
            "wilcoxon_statistic": statistic,
            "p_value": p_value,
            "p_holm": p_holm,
            "differs": p_holm <= alpha,
            "prob_control_better": better,
            "prob_equivalent": equivalent,
            "prob_model_better": worse,
        },
        index=differences.columns.rename("model"),
    )
    return table.reset_index()[COMPARISON_COLUMNS]


def holm(p_values: FloatArray) -> FloatArray:
    """Adjust p-values for their number by Holm's step-down method.

    Not statsmodels' `multipletests`, which collects garbage for 0.15 seconds at every call.

    Parameters
    ----------
    p_values : ndarray of shape (n_tests,)

    Returns
    -------
    ndarray of shape (n_tests,)

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979.
    """
    order = np.argsort(p_values)
    adjusted = np.empty_like(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted[order] = np.maximum.accumulate(steps).clip(max=1.0)
    return adjusted


def smallest_p_holm(n_datasets: int, n_models: int) -> float:
    """Smallest Holm-adjusted p that a comparison with a control can give.

    It is reached where one model of `n_models` (the control included) loses on all data sets: two
    of the 2^N patterns of signs are as extreme as that.
    """
    return min(1.0, (n_models - 1) * 2.0 ** (1 - n_datasets))


def nemenyi(scores: pd.DataFrame, *, higher_is_better: bool = True) -> pd.DataFrame:
    """Nemenyi's test of all pairs of models by their mean ranks.

    Parameters
    ----------
    scores : DataFrame of shape (n_datasets, n_models)
        As in `compare_with_control`.
    higher_is_better : bool, default=True
        Direction of the metric.

    Returns
    -------
    DataFrame of shape (n_models, n_models)
        p-values, already adjusted for the number of pairs.

    Raises
    ------
    EvaluationError
        With fewer than 2 data sets or 3 models.
    """
    # Imported here: the import takes seconds, and scikit-posthocs is an extra of this package.
    from scikit_posthocs import posthoc_nemenyi_friedman

    counted = scores[has_a_score(scores)]
    n_datasets, n_models = counted.shape
    if n_datasets < 2 or n_models < 3:
        raise EvaluationError(
            f"Nemenyi's test got {describe_size(scores)} and needs at least 2 and 3; add data sets "
            "or models."
        )
    # Ranks instead of scores: it would drop a data set with a NaN. Their ranks are themselves.
    p_values = posthoc_nemenyi_friedman(rank_models(counted, higher_is_better).to_numpy())
    return pd.DataFrame(p_values.to_numpy(), index=scores.columns, columns=scores.columns)


def critical_difference(n_models: int, n_datasets: int, alpha: float = 0.05) -> float:
    """Difference of two mean ranks from which on Nemenyi's test calls two models different.

    q sqrt(k (k + 1) / (6 N)) with q the Studentized range over sqrt(2).

    Parameters
    ----------
    n_models, n_datasets : int
        k and N.
    alpha : float, default=0.05
        Level over all pairs together.

    References
    ----------
    Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006.
    """
    q = stats.studentized_range.isf(alpha, n_models, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_models * (n_models + 1) / (6 * n_datasets)))
