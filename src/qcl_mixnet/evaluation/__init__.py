"""Evaluation: splits, metrics, cells of the benchmark grid and statistics."""
