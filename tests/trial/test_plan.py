"""Folds, repeats, seconds and models of a trial."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.trial.plan import Plan, TrialOptions, most_folds


@pytest.mark.parametrize(
    ("n_rows", "fewest", "folds", "repeats", "seconds"),
    [
        (300, 40, 5, 2, 150),
        (300, 3, 3, 2, 150),
        (300, 1, 2, 2, 150),  # refused when the folds are drawn
        (1_000, 40, 5, 1, 150),
        (5_000, 40, 3, 1, 150),
        (20_000, 200, 3, 1, 420),
        (1_000_000, 200, 3, 1, 1800),
    ],
)
def test_rules__of_a_table_s_size(n_rows, fewest, folds, repeats, seconds):
    plan = Plan.of(n_rows, fewest, TrialOptions())
    assert (plan.folds, plan.repeats, plan.seconds) == (folds, repeats, pytest.approx(seconds))
    assert plan.n_jobs >= 1


def test_time__one_repeat_as_there_is_nothing_to_draw_anew():
    assert Plan.of(300, 40, TrialOptions(), redraw=False).repeats == 1


def test_options__win_over_the_rules():
    options = TrialOptions(models=["random_forest"], folds=4, repeats=3, time_limit=7, n_jobs=2)
    plan = Plan.of(100_000, 40, options)
    assert (plan.folds, plan.repeats, plan.seconds, plan.n_jobs) == (4, 3, 7, 2)
    assert list(plan.specs) == ["dummy", "random_forest"]
    assert not plan.left_out


def test_plus__has_a_share_of_the_time_in_every_fold_and_of_the_rest_as_winner():
    plan = Plan.of(5_000, 40, TrialOptions(time_limit=100))
    assert plan.specs["qcl_mixnet_plus"].params == {"time_limit": 13.33}
    assert plan.for_all_rows("qcl_mixnet_plus").params == {"time_limit": 20.0}
    assert plan.for_all_rows("random_forest") == plan.specs["random_forest"]


def test_recommended__left_out_of_many_rows_unless_named():
    plan = Plan.of(20_001, 40, TrialOptions())
    assert "qcl_mixnet_recommended" not in plan.specs
    assert "--model qcl_mixnet_recommended" in plan.left_out["qcl_mixnet_recommended"]
    named = Plan.of(20_001, 40, TrialOptions(models=["qcl_mixnet_recommended"]))
    assert list(named.specs) == ["dummy", "qcl_mixnet_recommended"]
    assert "qcl_mixnet_recommended" in Plan.of(20_000, 40, TrialOptions()).specs


def test_unknown_model__is_told_with_the_nearest():
    with pytest.raises(EvaluationError, match=r"'random_forrest' to try \(did you mean 'random_f"):
        Plan.of(100, 40, TrialOptions(models=["random_forrest"]))
    with pytest.raises(EvaluationError, match="choose among dummy, logistic_regression_tuned"):
        Plan.of(100, 40, TrialOptions(models=["zzz"]))


@pytest.mark.parametrize(
    "options", [{"folds": 1}, {"repeats": 0}, {"time_limit": 0}, {"n_jobs": 0}, {"models": []}]
)
def test_bad_options__are_refused(options):
    with pytest.raises(ValidationError):
        TrialOptions(**options)


def test_time__repeats_are_refused():
    with pytest.raises(EvaluationError, match="once only, and 3 repeats are asked for; leave --r"):
        Plan.of(300, 40, TrialOptions(repeats=3), redraw=False)
    assert Plan.of(300, 40, TrialOptions(repeats=1), redraw=False).repeats == 1


def test_most_folds__rows_or_groups_of_the_rarest_class_or_steps_in_time():
    codes = np.array([0, 0, 0, 0, 1, 1, 1])
    groups = pd.Series(["a", "b", "c", "d", "a", "a", "b"])
    assert most_folds(codes) == 3
    assert most_folds(codes, groups) == 2
    assert most_folds(codes, time=pd.Series([1, 1, 2, 3, 3, 4, 4])) == 3


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan")])
def test_time_limit__is_positive_and_finite(limit):
    with pytest.raises(ValidationError):
        TrialOptions(time_limit=limit)


def test_groups__the_recommended_ensemble_has_no_more_networks_than_groups_to_leave_out():
    options = TrialOptions(folds=3)
    for n_groups, members in ((6, 4), (9, 6), (100, 10), (2, 2), (None, 10)):
        plan = Plan.of(200, 3, options, n_groups=n_groups)
        assert plan.specs["qcl_mixnet_recommended"].params["n_members"] == members
