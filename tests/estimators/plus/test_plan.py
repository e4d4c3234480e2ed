import math

import pytest

from qcl_mixnet.estimators.plus.kinds import PORTFOLIO
from qcl_mixnet.estimators.plus.plan import Plan
from qcl_mixnet.estimators.plus.training import PaperRecipe, Recipe
from qcl_mixnet.model.plus.network import InputLayout, PlusOptions

RECIPE = Recipe("any", PlusOptions(width=100, n_bins=16, embedding_width=4))
PAPER = PaperRecipe("paper")
SIZES = [4, 60, 499, 500, 2_999, 3_000, 9_999, 10_000, 29_999, 30_000, 1_000_000]


@pytest.mark.parametrize("n_rows", SIZES)
@pytest.mark.parametrize("n_classes", [2, 100])
@pytest.mark.parametrize("recipe", PORTFOLIO, ids=lambda recipe: recipe.name)
def test_plan__any_table__at_least_an_epoch_and_a_fold_s_rows(n_rows, n_classes, recipe):
    plan = Plan.of(n_rows, n_classes)
    assert 2 <= plan.n_folds <= 8
    options = plan.options(recipe, n_rows)
    assert options.epochs >= 1
    assert options.steps_per_epoch >= 1
    assert plan.patience(recipe, n_rows) >= 1


def test_plan__more_rows__fewer_folds_and_larger_batches():
    plans = [Plan.of(n_rows, 2) for n_rows in SIZES]
    folds = [plan.n_folds for plan in plans]
    sizes = [plan.batch_size for plan in plans]
    assert folds == sorted(folds, reverse=True)
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("n_rows", SIZES)
def test_options__steps__are_bounded(n_rows):
    plan = Plan.of(n_rows, 2)
    options = plan.options(RECIPE, n_rows)
    steps = min(options.steps_per_epoch, max(1, n_rows // options.batch_size))
    assert options.epochs * steps <= max(plan.max_steps, 10 * options.steps_per_epoch)
    assert options.max_learning_rate is None
    assert 0 < options.ema_decay < 1


def test_options__the_paper_s_recipe__is_the_paper_s_on_few_rows_and_shorter_on_many():
    small = Plan.of(500, 2).options(PAPER, 500)
    assert (small.epochs, small.batch_size, small.max_learning_rate) == (100, 64, 1e-2)
    assert small.ema_decay is None
    large = Plan.of(1_000_000, 2).options(PAPER, 1_000_000)
    assert 1 <= large.epochs < 100


def test_patience__by_the_paper_s_schedule__none():
    plan = Plan.of(500, 2)
    assert plan.patience(PAPER, 500) == math.inf
    assert plan.patience(RECIPE, 500) < plan.options(RECIPE, 500).epochs


def test_sized__many_rows__wider_by_the_factor():
    plan = Plan(n_folds=3, batch_size=64, max_steps=10, width_factor=2)
    assert plan.sized(RECIPE, InputLayout(4)).network.width == 200
    assert plan.sized(PAPER, InputLayout(4)) is PAPER


@pytest.mark.parametrize("n_numbers", [0, 1, 64, 65, 700, 100_000])
def test_sized__many_columns__embeddings_of_a_bounded_number_of_values(n_numbers):
    plan = Plan(n_folds=3, batch_size=64, max_steps=10, width_factor=1)
    network = plan.sized(RECIPE, InputLayout(n_numbers)).network
    assert network.embedding_width * n_numbers <= max(256, n_numbers)
    assert network.embedding_width >= 1
    if n_numbers <= 64:
        assert network == RECIPE.network
