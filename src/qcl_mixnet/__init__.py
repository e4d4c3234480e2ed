"""Quantum-informed contrastive learning with mixup for class-imbalanced tables."""

from qcl_mixnet.engine.loop import TrainingDivergedError
from qcl_mixnet.estimators.base import TestSelectionWarning
from qcl_mixnet.estimators.classifier import QCLMixNetClassifier
from qcl_mixnet.estimators.plus.classifier import QCLMixNetPlusClassifier
from qcl_mixnet.estimators.tuned_decision import TunedDecisionClassifier
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.preprocessing.table_preprocessor import UnseenLevelsWarning
from qcl_mixnet.version import __version__

__all__ = [
    "ModelFileError",
    "QCLMixNetClassifier",
    "QCLMixNetPlusClassifier",
    "TestSelectionWarning",
    "TrainingDivergedError",
    "TunedDecisionClassifier",
    "UnseenLevelsWarning",
    "__version__",
]
