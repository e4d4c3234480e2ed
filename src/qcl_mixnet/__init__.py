"""Quantum-informed contrastive learning with mixup for class-imbalanced tables."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qcl_mixnet.decisions.sets import PredictionSetWarning
from qcl_mixnet.decisions.wishes import (
    AlertsAtMost,
    Costs,
    OperatingPointWarning,
    PrecisionAtLeast,
    RecallAtLeast,
)
from qcl_mixnet.engine.loop import TrainingDivergedError
from qcl_mixnet.estimators.classifier import QCLMixNetClassifier
from qcl_mixnet.estimators.explaining import explain_rows
from qcl_mixnet.estimators.importance import feature_importance
from qcl_mixnet.estimators.importance_display import FeatureImportanceDisplay, plot_importance
from qcl_mixnet.estimators.model_card import model_card
from qcl_mixnet.estimators.operating_points import operating_points
from qcl_mixnet.estimators.operating_points_display import (
    OperatingPointsDisplay,
    plot_operating_points,
)
from qcl_mixnet.estimators.plus.classifier import QCLMixNetPlusClassifier
from qcl_mixnet.estimators.training_options import TestSelectionWarning
from qcl_mixnet.estimators.tuned_decision import TunedDecisionClassifier
from qcl_mixnet.grouping.duplicates import DuplicateRowsWarning, groups_of_duplicates
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.preprocessing.table_preprocessor import UnseenLevelsWarning
from qcl_mixnet.resuming.folder import saving_progress
from qcl_mixnet.version import __version__

if TYPE_CHECKING:
    from qcl_mixnet.keeping.loading import load_fitted
    from qcl_mixnet.keeping.saving import save_fitted

__all__ = [
    "AlertsAtMost",
    "Costs",
    "DuplicateRowsWarning",
    "FeatureImportanceDisplay",
    "ModelFileError",
    "OperatingPointWarning",
    "OperatingPointsDisplay",
    "PrecisionAtLeast",
    "PredictionSetWarning",
    "QCLMixNetClassifier",
    "QCLMixNetPlusClassifier",
    "RecallAtLeast",
    "TestSelectionWarning",
    "TrainingDivergedError",
    "TunedDecisionClassifier",
    "UnseenLevelsWarning",
    "__version__",
    "explain_rows",
    "feature_importance",
    "groups_of_duplicates",
    "load_fitted",
    "model_card",
    "operating_points",
    "plot_importance",
    "plot_operating_points",
    "save_fitted",
    "saving_progress",
]

# Who keeps no model needs none of what they import.
_LATE = {"load_fitted": "qcl_mixnet.keeping.loading", "save_fitted": "qcl_mixnet.keeping.saving"}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
