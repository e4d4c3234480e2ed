"""A fitted classifier into files and ONNX, and back."""
