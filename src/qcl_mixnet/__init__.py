"""Quantum-informed contrastive learning with mixup for class-imbalanced tables."""

from qcl_mixnet.estimators.classifier import QCLMixNetClassifier
from qcl_mixnet.version import __version__

__all__ = ["QCLMixNetClassifier", "__version__"]
