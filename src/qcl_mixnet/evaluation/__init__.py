"""Evaluation: splits, metrics, cells of the benchmark grid and statistics."""

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.metrics import METRICS, Metric, per_class_scores, score_predictions
from qcl_mixnet.evaluation.search import grid_search
from qcl_mixnet.evaluation.splits import Split, make_splits
from qcl_mixnet.statistics.friedman import (
    FriedmanResult,
    friedman_test,
    rank_models,
    summarize_ranks,
)

__all__ = [
    "METRICS",
    "EvaluationError",
    "FriedmanResult",
    "Metric",
    "Split",
    "friedman_test",
    "grid_search",
    "make_splits",
    "per_class_scores",
    "rank_models",
    "score_predictions",
    "summarize_ranks",
]
