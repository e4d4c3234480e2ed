"""The one order of models for tables and figures."""

from __future__ import annotations

import pandas as pd

# What is proposed, then its parts, then what the paper compares it with, then what came since.
FAMILIES = ("proposed", "ablation", "ml", "dl", "gnn", "peer")


def model_order(frame: pd.DataFrame) -> list[str]:
    """List the models by family, and within a family as they first appear.

    Parameters
    ----------
    frame : DataFrame
        With the columns `model` and `family`, a model in any number of rows.

    Returns
    -------
    list of str
        Each model once.
    """
    models = frame.drop_duplicates("model")
    ordered = models.sort_values("family", key=lambda f: f.map(FAMILIES.index), kind="stable")
    return list(ordered["model"])
