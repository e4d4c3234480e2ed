"""The method: QCL-MixNet's layers, network, mixup, losses and their steps."""

from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.network import QCLMixNet

__all__ = ["HybridLoss", "QCLMixNet"]
