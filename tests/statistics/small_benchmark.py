"""Scores of a small benchmark, and the rows of metrics that they come from."""

import math

import numpy as np
import pandas as pd

from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.statistics.comparison import ComparisonOptions

#          a          b          c            ranks
# d1   0.9 (1)    0.8 (2.5)  0.8 (2.5)     b and c share 2 and 3
# d2   0.5 (2)    0.7 (1)    failed (3)
# d3   0.6 (1.5)  0.6 (1.5)  0.4 (3)       a and b share 1 and 2
# sum      4.5        5          8.5
SCORES = pd.DataFrame(
    {"a": [0.9, 0.5, 0.6], "b": [0.8, 0.7, 0.6], "c": [0.8, np.nan, 0.4]}, index=["d1", "d2", "d3"]
)


FAMILIES = {"a": "ml", "b": "proposed", "c": "ml", "no_x": "ablation", "no_y": "ablation"}


OPTIONS = ComparisonOptions(control="b")


def make_metrics(scores=SCORES, repeats=2, test_selected=(), not_run=()):
    """Rows as ``gather_metrics`` makes them; all metrics follow the scores."""
    rows = []
    for dataset, of_dataset in scores.iterrows():
        for model, score in of_dataset.items():
            status = "failed" if math.isnan(score) else "ok"
            if (dataset, model) in not_run:
                status, score = "not run", math.nan
            for repeat in range(repeats):
                # The repeats lie 0.02 apart, around the score.
                value = score + 0.02 * (repeat - (repeats - 1) / 2)
                values = {m: value if METRICS[m].higher_is_better else 1 - value for m in METRICS}
                rows.append(
                    {
                        "dataset": dataset, "model": model, "label": model.upper(),
                        "family": FAMILIES[model], "repeat": repeat, "status": status,
                        "test_selected": model in test_selected and status == "ok", **values,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)
