"""Baselines: each one a scikit-learn classifier."""
