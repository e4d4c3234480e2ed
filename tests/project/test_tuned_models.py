"""Names such as `xgboost_tuned` in a grid: models of the roster with a tuned decision."""

import copy

import pytest
import yaml
from tests.project.conftest import GOOD, change, refusal

from qcl_mixnet.project.configuration import project_root
from qcl_mixnet.project.configuration_loader import ProjectConfigLoader
from qcl_mixnet.project.grid_names import untuned, with_tuned_models
from qcl_mixnet.project.parameters import parse_configuration


def tunable(models, **changes):
    parameters = change("models.tree.tunable", True)
    parameters["models"]["tree"] |= changes
    parameters["grid"]["models"] = models
    return parameters


@pytest.mark.parametrize("models", [["tree", "tree_tuned", "net"], "tree+tree_tuned+net"])
def test_parse__name_with_tuned__is_the_model_with_a_tuned_decision(models):
    configuration = parse_configuration(tunable(models))
    plain, tuned = configuration.models["tree"], configuration.models["tree_tuned"]
    assert (plain.decision, tuned.decision) == ("argmax", "macro_f1")
    assert tuned.label == "DT, tuned decision"
    assert (tuned.class_, tuned.family) == (plain.class_, plain.family)
    assert configuration.grid.models == ["tree", "tree_tuned", "net"]


def test_parse__tuned_model_alone_and_as_the_control__is_known():
    parameters = tunable(["net"])
    parameters["statistics"]["control"] = "tree_tuned"
    assert "tree_tuned" in parse_configuration(parameters).models
    assert set(parse_configuration(tunable(["tree_tuned", "net"])).models) == {
        "tree", "net", "tree_tuned",
    }  # fmt: skip


def test_parse__model_that_is_not_tunable__is_one_sentence():
    parameters = change("grid.models", ["tree_tuned", "net"])
    assert refusal(parameters) == (
        "The model 'tree' cannot run as 'tree_tuned' in grid.models: its entry under conf/ does "
        "not say tunable: true; add that there, or remove 'tree_tuned'."
    )


def test_parse__unknown_tuned_model__names_the_nearest():
    message = refusal(tunable(["tre_tuned", "net"]))
    assert "Unknown model 'tre_tuned' (did you mean 'tree_tuned'?) in grid.models" in message
    assert "Unknown model 'x_tuned'" in refusal(change("grid.models", ["x_tuned", "net"]))


def test_parse__tunable_that_is_no_boolean__is_told():
    assert "'models.tree.tunable'" in refusal(tunable(["tree", "net"], tunable="perhaps"))


def test_parse__bad_decision__is_told():
    assert "'models.tree.decision'" in refusal(tunable(["tree", "net"], decision="accuracy"))


def test_parse__entry_of_its_own__is_left_as_it_is():
    parameters = tunable(["tree_tuned", "net"])
    parameters["models"]["tree_tuned"] = {
        **GOOD["models"]["tree"], "label": "mine", "decision": "balanced_accuracy",
    }  # fmt: skip
    own = parse_configuration(parameters).models["tree_tuned"]
    assert (own.label, own.decision) == ("mine", "balanced_accuracy")


def test_with_tuned_models__adds_what_is_named_alone_and_changes_no_argument():
    parameters = tunable(["tree", "net"])
    before = copy.deepcopy(parameters)
    assert with_tuned_models(parameters) == parameters == before
    assert with_tuned_models({"models": None}) == {"models": None}
    once = with_tuned_models(tunable(["tree_tuned"]))
    assert with_tuned_models(once) == once


def test_untuned__is_the_name_before_the_ending():
    assert untuned("xgboost_tuned") == "xgboost"
    assert untuned("xgboost") is None
    assert untuned(2020) is None


def test_loader__gives_kedro_the_entry_that_its_nodes_ask_for():
    loader = ProjectConfigLoader(
        str(project_root() / "conf"),
        env="base",
        base_env="base",
        default_run_env="base",
        config_patterns={"parameters": ["parameters*", "datasets*", "models/*"]},
        runtime_params={"grid": {"models": "qcl_mixnet+xgboost_tuned"}},
    )
    entry = loader["parameters"]["models"]["xgboost_tuned"]
    assert (entry["decision"], entry["label"]) == ("macro_f1", "XGBoost, tuned decision")
    assert entry["grid"] == loader["parameters"]["models"]["xgboost"]["grid"]


def test_base__all_classical_models_and_peers_are_tunable():
    files = (project_root() / "conf/base/models").glob("*.yml")
    entries = [yaml.safe_load(file.read_text("utf-8"))["models"] for file in files]
    by_family = {}
    for models in entries:
        for name, entry in models.items():
            if name == "dummy":  # its probabilities are the same for all rows
                continue
            by_family.setdefault(entry["family"], set()).add(entry.get("tunable", False))
    assert by_family.pop("ml") == by_family.pop("peer") == {True}
    assert all(found == {False} for found in by_family.values())
