"""The short list is the roster's, without grid searches."""

from pathlib import Path

import pytest
import yaml

from qcl_mixnet.evaluation.specs import ModelSpec, build_model
from qcl_mixnet.project.grid_names import with_tuned_models
from qcl_mixnet.trial.shortlist import SHORTLIST

MODELS = Path(__file__).parents[2] / "conf" / "base" / "models"


@pytest.mark.parametrize("name", SHORTLIST)
def test_entry__is_the_roster_s_without_its_grid(name):
    stem = name.removesuffix("_tuned")
    entry = yaml.safe_load((MODELS / f"{stem}.yml").read_text())["models"][stem]
    entry.pop("grid", None)
    parameters = {"models": {stem: entry}, "grid": {"models": [name]}}
    entry = {**with_tuned_models(parameters)["models"][name]}
    entry.pop("tunable", None)
    assert SHORTLIST[name] == ModelSpec.model_validate(entry)
    build_model(SHORTLIST[name], random_state=0)
