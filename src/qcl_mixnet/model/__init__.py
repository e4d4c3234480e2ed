"""The method: QCL-MixNet and its training."""
