"""Tuning: which parameters of a model are best, by cross-validation on training rows alone."""
