"""The method: QCL-MixNet, its losses and its training."""

from qcl_mixnet.engine.loop import TrainingDivergedError
from qcl_mixnet.model.classifier import QCLMixNetClassifier
from qcl_mixnet.model.estimator import TestSelectionWarning
from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.network import QCLMixNet

__all__ = [
    "HybridLoss",
    "QCLMixNet",
    "QCLMixNetClassifier",
    "TestSelectionWarning",
    "TrainingDivergedError",
]
