"""All statistics of a run in one document: ranks, tests over all models, tests of the control.

Ablations are variants of one model and no competitors: they take no part in ranks and tests over
all models, and are compared with the control by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from scipy import stats

from qcl_mixnet.data.names import Name
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.gathering import score_table, without_ablations
from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.statistics.friedman import friedman_test, iman_davenport, rank_models
from qcl_mixnet.statistics.posthoc import (
    COMPARISON_COLUMNS,
    compare_with_control,
    critical_difference,
    nemenyi,
)
from qcl_mixnet.statistics.ties import has_a_score
from qcl_mixnet.writing import strict_json

HEADLINE = "macro_f1"
# Those of the paper's tables, and the "repeated measures" of its global test.
PAPER_METRICS = ("accuracy", "macro_precision", "macro_recall", "macro_f1")

_NOT_INDEPENDENT = (
    "The metrics are computed from the same predictions, so they are no independent repetitions "
    "and this p-value is not to be trusted; the tests per metric carry the conclusions."
)

_F_IS_INFINITE = (
    "F is infinite: all data sets (of a global test: metrics) rank the models alike. Its p is the "
    "probability of that if every ranking is equally likely; with ties, it is chi-square's."
)

# What a test gives: its numbers, or {"reason": why there are none}.
Outcome = dict[str, Any]
Rows = list[dict[Hashable, Any]]


class ComparisonOptions(BaseModel):
    """How models are compared; no result of a cell depends on it.

    Parameters
    ----------
    control : str, default="qcl_mixnet"
        The model that every other is compared with.
    alpha : float, default=0.05
        Level of all tests.
    rope : float, default=0.01
        Half width of the region of practical equivalence, in units of the metric.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    control: Name = "qcl_mixnet"
    alpha: float = Field(default=0.05, gt=0, lt=1)
    rope: float = Field(default=0.01, ge=0, allow_inf_nan=False)


def compare_models(metrics: pd.DataFrame, options: ComparisonOptions) -> dict[str, Any]:
    """Rank the models on every metric, and test whether and which of them differ.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    options : ComparisonOptions

    Returns
    -------
    dict
        Ready for strict JSON: what is not finite is None. A test that is not possible is
        `{"reason": ...}`.

        - `models`, `datasets`: those of the ranks and tests; `datasets_without_score`: those
          that do not count, since every model that was run failed.
        - `not_run`, `failed`: lists of "dataset.model", ablations among them.
        - `test_selected`: whether any epoch was chosen on the test part.
        - `control`, `alpha`, `rope`: the options.
        - `mean_ranks`: metric to model to mean rank.
        - `tests`: metric to the fields of `FriedmanResult`; where F is infinite, with an
          `iman_davenport_note`.
        - `global_test`: of `global_test`.
        - `nemenyi`: for the headline metric `metric`, `mean_ranks`,
          `critical_difference` and `p_values`, model to model to p.
        - `comparisons`: metric to rows of `compare_with_control`.
        - `ablation`: as `comparisons`, of the ablations; empty where none was run.

    Examples
    --------
    >>> import pandas as pd
    >>> from qcl_mixnet.evaluation.metrics import METRICS
    >>> from qcl_mixnet.statistics.comparison import ComparisonOptions, compare_models
    >>> found = {"net": [0.9, 0.8, 0.7], "tree": [0.8, 0.6, 0.6], "knn": [0.7, 0.7, 0.5]}
    >>> same = {"family": "ml", "repeat": 0, "status": "ok", "test_selected": False}
    >>> metrics = pd.DataFrame(
    ...     {"dataset": dataset, "model": model, **same, **dict.fromkeys(METRICS, score)}
    ...     for model, scores in found.items()
    ...     for dataset, score in zip(["glass", "wine", "zoo"], scores)
    ... )
    >>> statistics = compare_models(metrics, ComparisonOptions(control="net"))
    >>> {model: round(rank, 2) for model, rank in statistics["mean_ranks"]["macro_f1"].items()}
    {'net': 1.0, 'tree': 2.33, 'knn': 2.67}
    >>> [(row["model"], row["wins"]) for row in statistics["comparisons"]["macro_f1"]]
    [('tree', 3), ('knn', 3)]
    """
    tables = _score_tables(without_ablations(metrics))
    scores = tables[HEADLINE]
    counted = has_a_score(scores)
    mean_ranks = mean_rank_table(tables)
    tests = {name: _friedman(name, table, options) for name, table in tables.items()}
    cells = metrics["dataset"] + "." + metrics["model"]
    statistics = {
        "models": list(scores.columns),
        "datasets": list(scores.index[counted]),
        "datasets_without_score": list(scores.index[~counted]),
        "not_run": sorted(cells[metrics["status"] == "not run"].unique()),
        "failed": sorted(cells[metrics["status"] == "failed"].unique()),
        "test_selected": bool(metrics["test_selected"].any()),
        **options.model_dump(),
        "mean_ranks": mean_ranks.to_dict("index"),
        "tests": tests,
        **_follow_up(tests[HEADLINE], scores, mean_ranks, options),
        "comparisons": {name: _against(name, table, options) for name, table in tables.items()},
        "ablation": _compare_ablations(metrics, options),
    }
    return strict_json(statistics)


def comparison_table(statistics: Mapping[str, Any], metrics: pd.DataFrame) -> pd.DataFrame:
    """Every comparison with the control as one long table.

    Parameters
    ----------
    statistics : mapping
        Of `compare_models`.
    metrics : DataFrame
        The rows that it was made of.

    Returns
    -------
    DataFrame
        `metric`, `control`, `control_test_selected`, then the columns of
        `compare_with_control` with `label`, `family` and `test_selected` behind `model`;
        test-selected is a model with an epoch chosen on the test part of any data set. Ablations,
        known by their family, stand last in a metric; where there are competitors, their p-values
        are adjusted among themselves.
    """
    found = [
        {"metric": metric, "control": statistics["control"], **row}
        for metric in statistics["comparisons"]
        for outcome in (statistics["comparisons"], statistics["ablation"])
        if isinstance(rows := outcome.get(metric), list)
        for row in rows
    ]
    table = pd.DataFrame(found, columns=["metric", "control", *COMPARISON_COLUMNS])
    # A run of ablations alone has the same rows twice.
    table = table.drop_duplicates(["metric", "model"])
    identity = metrics.groupby("model").agg(
        {"label": "first", "family": "first", "test_selected": "any"}
    )
    for place, name in enumerate(identity, start=3):
        table.insert(place, name, table["model"].map(identity[name]))
    selected = table["control"].map(identity["test_selected"])
    table.insert(2, "control_test_selected", selected)
    return table.reset_index(drop=True)


def mean_rank_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean ranks over the data sets.

    Parameters
    ----------
    tables : mapping of str to DataFrame of shape (n_datasets, n_models)
        Scores by metric.

    Returns
    -------
    DataFrame of shape (n_metrics, n_models)
        Without the metrics by which no model has a score.
    """
    ranks = {
        name: rank_models(table, METRICS[name].higher_is_better).mean()
        for name, table in tables.items()
        if has_a_score(table).any()
    }
    return pd.DataFrame.from_dict(ranks, orient="index")


def global_test(mean_ranks: pd.DataFrame, *, alpha: float = 0.05) -> dict[str, Any]:
    """Friedman's test with metrics for data sets, as the paper does it: not to be trusted.

    Parameters
    ----------
    mean_ranks : DataFrame of shape (n_metrics, n_models)
        Mean ranks of the models over the data sets, 1 being the best.
    alpha : float, default=0.05
        Level of the critical value of F.

    Returns
    -------
    dict
        `metrics`; the fields of `tests` of `compare_models` with `n_metrics` for
        `n_datasets`, of the ranks of the mean ranks within each metric; `paper_form`, what the
        paper's numbers come from: `chi2`, `p_value`, `iman_davenport_f` and
        `iman_davenport_p` of the mean ranks put into Friedman's formula as if they were ranks;
        `independent`, False; and a `note` that says why.

    Raises
    ------
    EvaluationError
        With fewer than 2 metrics or 3 models.
    """
    result = _explained(asdict(friedman_test(mean_ranks, higher_is_better=False, alpha=alpha)))
    n, k = result.pop("n_datasets"), result["n_models"]
    squares = (mean_ranks.mean() ** 2).sum()
    chi2 = float(12 * n / (k * (k + 1)) * (squares - k * (k + 1) ** 2 / 4))
    f, _, f_p = iman_davenport(chi2, n_datasets=n, n_models=k)
    return {
        "metrics": list(mean_ranks.index),
        "n_metrics": n,
        **result,
        "paper_form": _explained(
            {
                "chi2": chi2,
                "p_value": float(stats.chi2.sf(chi2, k - 1)),
                "iman_davenport_f": f,
                "iman_davenport_p": f_p,
            }
        ),
        "independent": False,
        "note": _NOT_INDEPENDENT,
    }


def _explained(test: Outcome) -> Outcome:
    if math.isinf(test["iman_davenport_f"]):
        return {**test, "iman_davenport_note": _F_IS_INFINITE}
    return test


def _score_tables(metrics: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {name: score_table(metrics, name) for name in METRICS}


def _friedman(name: str, scores: pd.DataFrame, options: ComparisonOptions) -> Outcome:
    try:
        higher_is_better = METRICS[name].higher_is_better
        result = friedman_test(scores, higher_is_better=higher_is_better, alpha=options.alpha)
    except EvaluationError as error:
        return {"reason": str(error)}
    return _explained(asdict(result))


def _follow_up(
    headline_test: Outcome,
    scores: pd.DataFrame,
    mean_ranks: pd.DataFrame,
    options: ComparisonOptions,
) -> dict[str, Outcome]:
    """What needs as many data sets and models as Friedman's test of the headline metric did."""
    if "reason" in headline_test:
        return {"global_test": headline_test, "nemenyi": headline_test}
    n_datasets, n_models = has_a_score(scores).sum(), scores.shape[1]
    p_values = nemenyi(scores, higher_is_better=METRICS[HEADLINE].higher_is_better)
    return {
        "global_test": global_test(mean_ranks.loc[list(PAPER_METRICS)], alpha=options.alpha),
        "nemenyi": {
            "metric": HEADLINE,
            "mean_ranks": dict(mean_ranks.loc[HEADLINE].items()),
            "critical_difference": critical_difference(n_models, n_datasets, options.alpha),
            "p_values": p_values.to_dict("index"),
        },
    }


def _against(name: str, scores: pd.DataFrame, options: ComparisonOptions) -> Rows | Outcome:
    try:
        table = compare_with_control(
            scores,
            options.control,
            higher_is_better=METRICS[name].higher_is_better,
            alpha=options.alpha,
            rope=options.rope,
            worst_score=METRICS[name].worst,
        )
    except EvaluationError as error:
        return {"reason": str(error)}
    return table.to_dict("records")


def _compare_ablations(
    metrics: pd.DataFrame, options: ComparisonOptions
) -> dict[str, Rows | Outcome]:
    ablations = metrics["family"].eq("ablation")
    if metrics.loc[ablations, "status"].eq("not run").all():
        return {}
    tables = _score_tables(metrics[ablations | metrics["model"].eq(options.control)])
    return {name: _against(name, table, options) for name, table in tables.items()}
