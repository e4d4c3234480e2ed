"""Statistical tests of scores: Friedman, paired, post-hoc."""

from qcl_mixnet.statistics.friedman import (
    FriedmanResult,
    friedman_test,
    rank_models,
    summarize_ranks,
)

__all__ = ["FriedmanResult", "friedman_test", "rank_models", "summarize_ranks"]
