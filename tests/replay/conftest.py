"""Small tables, and options that train for a few steps."""

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.replay.cache import CandidateFolder, ReplayData
from qcl_mixnet.replay.options import ReplayOptions


def make_table(seed=0, n=60):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3 // 2  # two of class 0 for one of class 1
    table = pd.DataFrame({"a": rng.normal(size=n) + 2 * y, "b": rng.normal(size=n)})
    table["kind"] = rng.choice(["x", "y"], size=n)
    table.loc[3, "b"] = np.nan
    return table.assign(target=y), y.astype(np.int64)


@pytest.fixture
def make_data():
    def make(table=None, repeats=1, name="mine"):
        own, labels = make_table()
        own = own if table is None else table
        return ReplayData.of(name, own, labels, 2, EvaluationProtocol(), repeats)

    return make


@pytest.fixture
def options():
    return ReplayOptions.model_validate(
        {
            "candidates": {
                "tiny": {"network": {"embedding": "none", "width": 4, "depth": 1}},
                "bins": {"network": {"embedding": "quantile", "n_bins": 2, "width": 4}},
            },
            "pool": ["tiny", "bins"],
            "max_steps": 2,
        }
    )


@pytest.fixture
def folder(tmp_path):
    return CandidateFolder(tmp_path)
