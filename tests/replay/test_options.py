import pytest
from pydantic import ValidationError

from qcl_mixnet.estimators.plus.kinds import PORTFOLIO
from qcl_mixnet.estimators.plus.training import Recipe
from qcl_mixnet.model.plus.network import PlusOptions
from qcl_mixnet.model.plus.objective import PlusLossOptions
from qcl_mixnet.replay.options import Candidate, ReplayOptions, without_paper_parts
from qcl_mixnet.replay.training import NeighborsRecipe, NetworkRecipe, PaperRecipe, TreesRecipe

BY_NAME = {recipe.name: recipe for recipe in PORTFOLIO if isinstance(recipe, Recipe)}


def recipe(**fields):
    return Candidate.model_validate(fields).recipe("mine")


def test_defaults__the_portfolio():
    trained = ReplayOptions().trained
    assert {name: candidate.recipe for name, candidate in trained.items()} == BY_NAME


def test_recipe__changes_of_a_base__nothing_else_differs():
    assert recipe(base="waves", network={"entangle": False}) == NetworkRecipe(
        Recipe(
            "mine",
            PlusOptions("periodic", entangle=False, project=True),
            PlusLossOptions(metric_weight=0.2, mixup=True),
        )
    )
    no_average = recipe(base="bins", learning_rate=0.01, ema_decay=0)
    assert no_average.ema_decay == 0
    assert no_average.recipe.learning_rate == 0.01
    assert no_average.recipe.network == BY_NAME["bins"].network


def test_recipe__metric_losses_go__so_does_their_head():
    assert not recipe(base="waves", loss={"metric_weight": 0}).recipe.network.project
    assert recipe(loss={"metric_weight": 0.5}).recipe.network.project


def test_recipe__no_network_of_ours():
    assert recipe(trees="boosting") == TreesRecipe("boosting")
    assert recipe(neighbors="neighbors_close") == NeighborsRecipe("neighbors_close")
    assert recipe(paper={"epochs": 3}) == PaperRecipe({"epochs": 3})


def test_without_paper_parts__waves__is_periodic():
    plain = without_paper_parts(NetworkRecipe(BY_NAME["waves"]))
    assert plain.recipe.network == BY_NAME["periodic"].network
    assert plain.recipe.loss == BY_NAME["periodic"].loss


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"bas": "waves"}, "Extra inputs"),
        ({"network": {"entangel": False}}, "Extra inputs"),
        ({"network": {"embedding": "fourier"}}, "'none', 'quantile', 'tree' or 'periodic'"),
        ({"network": {"dropout": 1.0}}, "less than 1"),
        ({"loss": {"mixup_alpha": 0}}, "greater than 0"),
        ({"base": "wave"}, "base 'wave' is no kind of the portfolio; choose among waves"),
        ({"trees": "oak"}, "'extra_trees' or 'boosting'"),
        ({"trees": "boosting", "base": "bins"}, "remove 'base', or 'trees'"),
        (
            {"neighbors": "all"},
            "'all' is no kind of neighbours; choose among neighbors, neig",
        ),
        ({"neighbors": "neighbors", "network": {"width": 4}}, "remove 'network', or 'neighbors'"),
        ({"trees": "boosting", "paper": {}}, "remove 'paper', or 'trees'"),
        ({"paper": {"epoch": 3}}, "'epoch' is no parameter of QCLMixNetClassifier"),
        ({"paper": {"bagging": "folds"}}, "'bagging' is no parameter of QCLMixNetClassifier that"),
    ],
)
def test_candidate__bad_options__are_told(fields, said):
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        Candidate.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"pool": ["wave"]}, "'wave' in pool is no candidate; choose among waves, additive"),
        ({"pool": "waves+waves"}, "'waves' stands twice in pool"),
        ({"only": "bin"}, "'bin' in only is no candidate"),
        ({"pool": "waves", "only": "bins"}, "no candidate of pool is in only"),
        ({"candidates": {"greedy_4": {}}, "pool": "greedy_4"}, "'greedy_4' has a design's name"),
        ({"max_rows": 3}, "greater than or equal to 20"),
    ],
)
def test_replay_options__bad_names__are_told(fields, said):
    with pytest.raises(ValidationError, match=said):
        ReplayOptions.model_validate(fields)


def test_only__is_what_is_trained__in_the_candidates_order():
    assert [*ReplayOptions.model_validate({"only": "bins+waves"}).trained] == ["waves", "bins"]
