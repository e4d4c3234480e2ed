"""The numbers that the paper prints, to compare with.

From Jahin, Abid and Mridha, "Quantum-Informed Contrastive Learning with Dynamic Mixup
Augmentation for Class-Imbalanced Expert Systems": the CSV files beside this module hold its
Tables 2 to 6 with the roster's names of the data sets and the paper's names of the models.
"""

from __future__ import annotations

from importlib import resources

import pandas as pd


def published_benchmark() -> pd.DataFrame:
    """Tables 2 (binary data sets) and 3 (multiclass): scores of 21 models on 18 data sets.

    Returns
    -------
    DataFrame of shape (378, 9)
        `table` (2 or 3), `dataset`, `task`, `family`, `model` and the four scores
        `accuracy`, `macro_precision`, `macro_recall` and `macro_f1`.
    """
    return _read("benchmark.csv")


def published_ablation() -> pd.DataFrame:
    """Tables 4 (binary data sets) and 5 (multiclass): the proposed model without its parts.

    Returns
    -------
    DataFrame of shape (72, 8)
        `table` (4 or 5), `dataset`, `task`, `variant` and the four scores of
        `published_benchmark`.
    """
    return _read("ablation.csv")


def published_ranks() -> pd.DataFrame:
    """Table 6: mean ranks of the models over the data sets, and the chi-square of Friedman's tests.

    Returns
    -------
    DataFrame of shape (5, 23)
        `metric` as printed, the last being "Average Rank"; one column a model;
        `friedman_chi2`.
    """
    return _read("ranks.csv")


def _read(name: str) -> pd.DataFrame:
    with resources.files(__name__).joinpath(name).open(encoding="utf-8") as file:
        return pd.read_csv(file)
