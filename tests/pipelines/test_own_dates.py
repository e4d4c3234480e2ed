"""A table of the user's with dates and many levels: one line of the roster switches each on."""

import json

import numpy as np
import pandas as pd


def payments(n_rows=40):
    rng = np.random.default_rng(0)
    target = np.arange(n_rows) % 2
    return pd.DataFrame(
        {
            "paid": pd.Timestamp(2024, 1, 1) + pd.to_timedelta(24 * 7 * target + 3, unit="h"),
            "amount": rng.normal(size=n_rows),
            "shop": [f"shop {i}" for i in range(n_rows)],
            "target": target,
        }
    )


def test_dates_and_rare_levels__asked_for_in_the_roster__are_trained_on(project, tmp_path):
    path = tmp_path / "payments.parquet"
    payments().to_parquet(path)
    entry = {"label": "Payments", "sources": [{"type": "file", "path": str(path)}]}
    params = {
        "grid": {"datasets": "zz_payments", "models": "decision_tree+qcl_mixnet"},
        "datasets": {"zz_payments": {**entry, "dates": "features", "rare_levels": "join"}},
    }
    project.run(params=params)
    assert project.cells() == ["zz_payments.decision_tree", "zz_payments.qcl_mixnet"]
    (record,) = project.data.glob("07_model_output/zz_payments/decision_tree/fit.json")
    assert json.loads(record.read_text())["metrics"]["macro_f1"] == 1  # the week tells the class
    project.run(params=params)
