import math

import pandas as pd
import yaml
from tests.tuning.probes import make_options, network_spec

from qcl_mixnet.evaluation.specs import ModelSpec, build_model
from qcl_mixnet.tuning.results import best_parameters, model_entries, with_cross_validated_scores
from qcl_mixnet.tuning.tune import Best

SPACE = {
    "temperature": {"low": 0.1, "high": 1},
    "n_neighbors": {"low": 1, "high": 9, "type": "int"},
}
BEST = [
    Best(42, {"temperature": 0.1 + 0.2, "n_neighbors": 3}, 0.5, 0.4),
    Best(43, {"temperature": 0.7, "n_neighbors": 4}, 0.5, 0.4),
]


def test_model_entries__pasted_as_yaml__are_models_of_the_roster():
    text = yaml.safe_dump(model_entries("Glass 2!", network_spec(), BEST))
    entries = yaml.safe_load(text)["models"]
    assert list(entries) == ["tuned_glass_2__42", "tuned_glass_2__43"]
    spec = ModelSpec.model_validate(entries["tuned_glass_2__42"])
    model = build_model(spec, random_state=0)
    assert (model.temperature, model.n_neighbors, model.epochs) == (0.1 + 0.2, 3, 2)
    labels = [entry["label"] for entry in entries.values()]
    assert labels == [f"Network, tuned on Glass 2! (split {seed})" for seed in (42, 43)]


def test_best_parameters__reads_entries_back():
    entries = model_entries("glass", network_spec(), BEST)
    found = best_parameters(entries, make_options(space=SPACE))
    assert found == {best.split: best.parameters for best in BEST}


def test_with_cross_validated_scores__the_first_trial_and_the_best_stand_beside_the_test():
    trials = pd.DataFrame(
        [
            {"split": 1, "trial": 0, "state": "complete", "score": 0.3},
            {"split": 1, "trial": 1, "state": "pruned", "score": 0.9},
            {"split": 1, "trial": 2, "state": "complete", "score": 0.5},
            {"split": 1, "trial": 3, "state": "complete", "score": 0.5},
            {"split": 2, "trial": 0, "state": "failed", "score": math.nan},
            {"split": 2, "trial": 1, "state": "complete", "score": 0.2},
        ]
    )
    scores = pd.DataFrame(
        {"dataset": "glass", "split": [1, 1, 2, 2], "model": ["default", "tuned"] * 2, "mcc": 0.1}
    )
    table = with_cross_validated_scores(scores, trials, make_options(metric="mcc"))
    assert list(table) == ["dataset", "split", "model", "cv_mcc", "trial", "trials", "mcc"]
    assert table["cv_mcc"].fillna(-1).tolist() == [0.3, 0.5, -1, 0.2]
    assert table["trial"].tolist() == [0, 2, 0, 1]
    assert table["trials"].tolist() == [4, 4, 2, 2]
    low = with_cross_validated_scores(scores, trials, make_options(metric="brier"))
    assert low["cv_brier"][1] == 0.3
