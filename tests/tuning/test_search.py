import math

import optuna
import pytest
from optuna.trial import TrialState
from tests.tuning.probes import Bar, bar_spec, make_options, make_validation

from qcl_mixnet.tuning.errors import TuningError
from qcl_mixnet.tuning.search import TrialRecord, best_trial, make_pruner, search

pytestmark = pytest.mark.usefixtures("one_score")


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def make_study(validation):
    direction = "maximize" if validation.options.higher_is_better else "minimize"
    return optuna.create_study(direction=direction, pruner=make_pruner(validation.options))


def run(study=None, told=None, spec=None, **changes):
    validation = make_validation(spec, **changes)
    study = study or make_study(validation)
    return search(study, validation, "glass", (told if told is not None else []).append), study


def outcome(records):
    return [(r.number, r.state, r.score, r.parameters, r.fold_scores) for r in records]


def test_search__first_trial__is_the_model_as_it_is():
    told = []
    records, _ = run(told=told, spec=bar_spec(params={"bar": 0.75}))
    assert [record.number for record in records] == [0, 1, 2, 3]
    assert records[0].parameters == {"bar": 0.75}
    assert told == records
    assert {bar for bar, _, _ in Bar.fitted_on} == {r.parameters["bar"] for r in records}
    assert all(-2 <= record.parameters["bar"] <= 2 for record in records)


def test_search__score__is_the_mean_over_repeats_of_means_over_folds():
    (record,), _ = run(n_trials=1, repeats=3)
    assert [len(folds) for folds in record.fold_scores] == [3, 3, 3]
    means = [sum(folds) / 3 for folds in record.fold_scores]
    assert record.score == pytest.approx(sum(means) / 3)
    assert record.seconds > 0


def test_search__own_value_outside_of_the_space__is_drawn_and_told(caplog):
    records, _ = run(spec=bar_spec(params={"bar": 5.0}), n_trials=1)
    assert -2 <= records[0].parameters["bar"] <= 2
    assert "Trial 0 draws bar: the model's own value lies outside of tuning.space" in caplog.text


def test_search__gone_on_with__only_new_trials_which_are_those_of_one_go():
    told = []
    _, study = run(n_trials=3)
    Bar.fitted_on.clear()
    records, _ = run(study, told, n_trials=6)
    assert [record.number for record in told] == [3, 4, 5]
    assert len({bar for bar, _, _ in Bar.fitted_on}) == 3
    at_once, _ = run(n_trials=6)
    assert outcome(records) == outcome(at_once)
    other, _ = run(n_trials=6, seed=1)
    assert outcome(other)[1:] != outcome(at_once)[1:]


def test_search__enough_trials__adds_none():
    told = []
    records, study = run(n_trials=2)
    assert outcome(run(study, told, n_trials=1)[0]) == outcome(records)
    assert told == []


@pytest.mark.parametrize("stops_after", [0, 7, 13])
def test_search__interrupted__finished_trials_are_kept_and_it_goes_on(stops_after):
    validation = make_validation()
    study = make_study(validation)
    Bar.stops_after = stops_after
    with pytest.raises(KeyboardInterrupt):
        run(study)
    states = [trial.state for trial in study.trials]
    assert states[-1] == TrialState.FAIL
    assert all(state.is_finished() for state in states)
    Bar.stops_after = None
    assert outcome(run(study)[0]) == outcome(run()[0])


def test_search__median_pruner__stops_the_hopeless_after_one_repeat():
    records, _ = run(n_trials=12, repeats=2, startup_trials=3)
    by_state = {state: [r for r in records if r.state == state] for state in ("complete", "pruned")}
    assert by_state["pruned"]
    assert all(len(record.fold_scores) == 1 for record in by_state["pruned"])
    assert all(len(record.fold_scores) == 2 for record in by_state["complete"])
    for record in by_state["pruned"]:  # below the median of the completed ones before it
        before = [r for r in by_state["complete"] if r.number < record.number]
        firsts = sorted(sum(r.fold_scores[0]) / 3 for r in before)
        middle = (firsts[(len(firsts) - 1) // 2] + firsts[len(firsts) // 2]) / 2
        assert record.score < middle + 1e-9
    assert len(Bar.fitted_on) == 3 * (2 * 12 - len(by_state["pruned"]))


@pytest.mark.parametrize(("pruner", "stopped"), [("halving", True), ("none", False)])
def test_search__other_pruners(pruner, stopped):
    records, _ = run(n_trials=8, pruner=pruner)
    assert any(record.state == "pruned" for record in records) == stopped
    assert any(record.state == "complete" for record in records)


def test_search__failed_trials__are_outcomes_and_are_not_chosen():
    spec = bar_spec(params={"bar": 0.0, "fails_above": 0.5})
    records, study = run(spec=spec, n_trials=8)
    failed = [record for record in records if record.state == "failed"]
    assert failed
    assert all(record.parameters["bar"] > 0.5 for record in failed)
    assert {record.error for record in failed} == {"ValueError: the bar is too high"}
    assert all(math.isnan(record.score) for record in failed)
    assert best_trial(records, make_options()).parameters["bar"] <= 0.5
    assert len(run(study, spec=spec, n_trials=8)[0]) == 8  # they count


def test_search__every_trial_fails__is_told_with_the_cause():
    with pytest.raises(TuningError, match=r"no trial came to its end; the first cause was Value"):
        run(spec=bar_spec(params={"fails_above": -5}), n_trials=2)


def test_search__a_metric_to_be_small__is_made_small():
    records, _ = run(n_trials=6, metric="brier", pruner="none")
    best = best_trial(records, make_options(metric="brier"))
    assert best.score == min(record.score for record in records)


def test_best_trial__of_equal_ones__the_first():
    records = [TrialRecord(i, "complete", score, {}) for i, score in enumerate([0.1, 0.5, 0.5])]
    records.append(TrialRecord(3, "pruned", 0.9, {}))
    assert best_trial(records, make_options()).number == 1
