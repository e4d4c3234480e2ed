"""Do two models differ? Differences of their scores, and the tests that read them.

A NaN in a table of scores is a cell that failed. It loses to a cell that did not, by more than any
other difference of the two models; where both failed there is nothing to compare. So a difference
depends on the two models alone, and failing is never practically equivalent to anything.
"""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
from scipy import stats

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.metrics import FloatArray
from qcl_mixnet.statistics.ties import TOLERANCE, describe_size, has_a_score, merge_ties

# The Bayesian test has the defaults of its authors' code, and a seed: a table that is made twice is
# the same table. Its probabilities are good to about 0.002 (one standard error).
PRIOR_STRENGTH = 0.6
N_DRAWS = 50_000
SEED = 0

# Above this many pairs scipy, too, leaves the permutation test for the normal approximation.
_MAX_PERMUTED = 13
# Differences are rounded for the eye alone, once those that tie are equal.
_DECIMALS = 12
# A failed cell's difference exceeds all others by this much, and by this share: it ties with none.
_BEYOND = 1e-10


def paired_differences(
    scores: pd.DataFrame,
    control: str,
    *,
    rope: float,
    higher_is_better: bool = True,
    worst_score: float | None = None,
) -> pd.DataFrame:
    """Score of the control minus that of every other model, positive where the control is better.

    Parameters
    ----------
    scores, control, rope, higher_is_better, worst_score
        As in `compare_with_control`.

    Returns
    -------
    DataFrame of shape (n_datasets, n_models - 1)
        What differs by rounding alone is made equal (see `ties`): .87 - .85 and .57 - .55 are a
        tie, and .3 - (.1 + .2) is 0. Where one of the two failed, a little more than the largest
        of the pair's other differences, of those of its failed cells if they had `worst_score`,
        and of twice `rope`, so that its mean with a difference of 0 lies outside the region too.
        NaN where both failed, and throughout for a pair of which one has no score at all.

    Raises
    ------
    EvaluationError
        As in `compare_with_control`.
    """
    if control not in scores:
        raise EvaluationError(
            f"The control '{control}' is not among the models that are compared "
            f"({', '.join(map(str, scores)) or 'none'}); run it on all data sets, or name another "
            "in statistics.control."
        )
    if has_a_score(scores).sum() < 2 or scores.shape[1] < 2:
        raise EvaluationError(
            f"A comparison with the control got {describe_size(scores)} and needs at least 2 of "
            "both; add data sets or models."
        )
    failed = scores.isna()
    ours, theirs = failed[[control]].to_numpy(), failed.drop(columns=control).to_numpy()
    filled = scores.where(~failed, np.nan if worst_score is None else worst_score)
    differences = filled.drop(columns=control).rsub(filled[control], axis=0)
    differences = differences if higher_is_better else -differences
    differences = differences.apply(_merge_magnitudes, raw=True).round(_DECIMALS)
    largest = differences.abs().max().clip(lower=2 * rope).fillna(2 * rope)
    largest += _BEYOND * largest.clip(lower=1)
    # The model failed: 1. The control failed: -1.
    winner = theirs.astype(np.int64) - ours
    differences = differences.where(winner == 0, winner * largest.to_numpy())
    return differences.mask((ours & theirs) | ours.all() | theirs.all(axis=0))


def _merge_magnitudes(differences: FloatArray) -> FloatArray:
    """Merge the ties of sizes, 0 among them, and keep the signs."""
    sizes = merge_ties([0.0, *np.abs(differences)])[1:]
    return np.sign(differences) * sizes


def signed_rank_test(differences: FloatArray) -> tuple[float, float, float]:
    """Wilcoxon's two-sided signed-rank test, zeros by Pratt's rule, with its effect size.

    Pratt (1959) ranks the zeros and then leaves their ranks out: a tie is evidence for no
    difference, and dropping it beforehand would give it none. The p-value is exact without ties
    and zeros up to 50 pairs, and with them up to 13; beyond, it is the normal approximation
    corrected for both (Cureton, 1967). These are scipy's own choices.

    Parameters
    ----------
    differences : ndarray of shape (n_datasets,)

    Returns
    -------
    effect_size, statistic, p_value : float
        (R+ - R-) / (n (n + 1) / 2); min(R+, R-); p, which is 1 if all differences are 0. NaN
        without differences.

    References
    ----------
    - Pratt, "Remarks on zeros and ties in the Wilcoxon signed rank procedures", JASA 54, 1959.
    - Cureton, "The normal approximation to the signed-rank sampling distribution when zero
      differences are present", JASA 62, 1967.

    Examples
    --------
    >>> import numpy as np
    >>> from qcl_mixnet.statistics.paired import signed_rank_test
    >>> [float(number) for number in signed_rank_test(np.arange(1, 7) / 100)]
    [1.0, 0.0, 0.03125]
    """
    n = len(differences)
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    differences = _merge_magnitudes(differences)
    magnitudes = np.abs(differences)
    if not magnitudes.any():
        return 0.0, 0.0, 1.0  # scipy divides zero by zero
    ranks = np.sign(differences) * stats.rankdata(magnitudes)
    if n <= _MAX_PERMUTED and (len(np.unique(magnitudes)) < n or not magnitudes.all()):
        # Here scipy.stats.wilcoxon runs the same test without vectorising: fifty times slower.
        p_value = stats.permutation_test(
            (ranks,), np.sum, permutation_type="samples", vectorized=True, n_resamples=2**n
        ).pvalue
    else:
        p_value = stats.wilcoxon(differences, zero_method="pratt").pvalue
    statistic = min(ranks[ranks > 0].sum(), np.abs(ranks[ranks < 0]).sum())
    return float(ranks.sum() / (n * (n + 1) / 2)), float(statistic), float(p_value)


def bayesian_signed_rank(
    differences: FloatArray, rope: float, rng: np.random.Generator
) -> FloatArray:
    """Probabilities that the control is better, practically equivalent, or worse.

    This is Benavoli, Corani, Demšar and Zaffalon's Bayesian signed-rank test (2017). The
    differences, and before them a pseudo-observation at 0 of strength 0.6, get Dirichlet
    weights. A draw of weights gives the probability that the mean of two differences (a Walsh
    average) lies above, within or below the region of practical equivalence, whose borders belong
    to it. Returned is how often each of the three is the largest in 50,000 draws.

    Parameters
    ----------
    differences : ndarray of shape (n_datasets, n_models)
        Positive where the control is better, NaN for a data set that the two are not compared on.
    rope : float
        Half width of the region.
    rng : Generator
        Models that are compared on equally many data sets share their draws, which depend on
        nothing else: neither on third models nor on data sets that do not count.

    Returns
    -------
    ndarray of shape (n_models, 3)
        Better, equivalent, worse; rows sum to 1, or are NaN for a model without differences.

    References
    ----------
    Benavoli, Corani, Demšar and Zaffalon, "Time for a change: a tutorial for comparing multiple
    classifiers through Bayesian analysis", JMLR 18(77), 2017. The strength and
    place of the prior and the number of draws are the defaults of its authors'
    `bayesiantests.signrank`.

    Examples
    --------
    >>> import numpy as np
    >>> from qcl_mixnet.statistics.paired import bayesian_signed_rank
    >>> differences = np.full((12, 1), 0.05)  # on every data set better by more than the region
    >>> bool(bayesian_signed_rank(differences, 0.01, np.random.default_rng(0))[0, 0] > 0.95)
    True
    """
    weights: dict[int, FloatArray] = {}
    shares = np.full((differences.shape[1], 3), np.nan)
    for i, column in enumerate(differences.T):
        compared = column[~np.isnan(column)]
        n = len(compared)
        if n == 0:
            continue
        if n not in weights:
            prior = [PRIOR_STRENGTH, *np.ones(n)]
            weights[n] = copy.deepcopy(rng).dirichlet(prior, size=N_DRAWS)
        z, w = np.array([0.0, *compared]), weights[n]
        sums = z[:, None] + z
        # (draws, n) @ (n, n) * (draws, n) -> (draws,)
        better, worse = (
            np.einsum("dn,dn->d", w @ region.astype(np.float64), w)
            for region in (sums > 2 * rope + TOLERANCE, sums < -2 * rope - TOLERANCE)
        )
        largest = np.argmax([better, w.sum(axis=1) ** 2 - better - worse, worse], axis=0)
        shares[i] = np.bincount(largest, minlength=3) / N_DRAWS
    return shares
