import math

import pandas as pd
import pytest

from qcl_mixnet.evaluation.metrics import METRICS


def _make_metrics(scores, families, *, repeats=2, not_run=(), test_selected=()):
    """Rows as ``gather_metrics`` makes them; a NaN is a failed cell.

    All metrics follow the scores. The repeats lie 0.02 apart, around the score.
    """
    rows = []
    for dataset, of_dataset in scores.iterrows():
        for model, score in of_dataset.items():
            status = "failed" if math.isnan(score) else "ok"
            if (dataset, model) in not_run:
                status, score = "not run", math.nan
            for repeat in range(repeats):
                value = score + 0.02 * (repeat - (repeats - 1) / 2)
                values = {m: value if METRICS[m].higher_is_better else 1 - value for m in METRICS}
                rows.append(
                    {
                        "dataset": dataset, "model": model, "label": model.upper(),
                        "family": families[model], "checkpoint": "last",
                        "test_selected": status == "ok" and model in test_selected,
                        "repeat": repeat, "status": status, **values,
                        "fit_seconds": 10 * value, "predict_seconds": 0.1,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def make_metrics():
    return _make_metrics
