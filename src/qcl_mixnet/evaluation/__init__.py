"""Evaluation: splits, metrics and the cells of the benchmark grid."""

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.metrics import METRICS, Metric, per_class_scores, score_predictions
from qcl_mixnet.evaluation.search import grid_search
from qcl_mixnet.evaluation.splits import Split, make_splits

__all__ = [
    "METRICS",
    "EvaluationError",
    "Metric",
    "Split",
    "grid_search",
    "make_splits",
    "per_class_scores",
    "score_predictions",
]
