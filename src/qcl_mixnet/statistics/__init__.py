"""Statistical tests of scores: Friedman, paired, post-hoc."""
