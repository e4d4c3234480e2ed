"""A fitted QCL-MixNet+ into files and ONNX, and back."""
