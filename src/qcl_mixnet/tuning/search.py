"""The search of one split: trials are drawn, cross-validated, stopped early, and kept.

Trial n is drawn by a sampler whose seed depends on the number of finished trials alone, so a study
that was cut off and goes on has the trials that it would have had without the cut.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.evaluation.specs import build_model
from qcl_mixnet.evaluation.wording import printable
from qcl_mixnet.tuning.cross_validation import CrossValidation, derived_seed
from qcl_mixnet.tuning.errors import TuningError
from qcl_mixnet.tuning.options import TuningOptions

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial, Trial

logger = logging.getLogger(__name__)

# User attributes of a trial in the study's file.
ERROR, FOLDS, WARNINGS, SECONDS = "error", "fold_scores", "warnings", "seconds"


@dataclass(frozen=True)
class TrialRecord:
    """A finished trial.

    Attributes
    ----------
    number : int
        From 0, among the finished trials of its split. Trial 0 is the model as the roster has it.
    state : {"complete", "pruned", "failed"}
        A pruned trial was stopped before its last cross-validation.
    score : float
        Mean over the cross-validations so far; NaN when it failed.
    parameters : dict
    fold_scores : list of list of float
        Scores of the folds of each cross-validation.
    seconds : float
    error : str
        Why it failed; empty when it did not.
    warnings : list of str
        What its training warned of.
    """

    number: int
    state: Literal["complete", "pruned", "failed"]
    score: float
    parameters: dict[str, Any]
    fold_scores: list[list[float]] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""
    warnings: list[str] = field(default_factory=list)


OnTrial = Callable[[TrialRecord], None]


class _TrialFailed(Exception):
    """No score can be had of these parameters: an outcome of the trial, and not of the study."""


def make_pruner(options: TuningOptions) -> BasePruner:
    """Give Optuna's rule by which trials are stopped early."""
    from optuna import pruners

    if options.pruner == "median":
        return pruners.MedianPruner(n_startup_trials=options.startup_trials)
    if options.pruner == "halving":
        return pruners.SuccessiveHalvingPruner(
            min_resource=1, reduction_factor=2, min_early_stopping_rate=0
        )
    return pruners.NopPruner()


def search(
    study: Study, cross_validation: CrossValidation, name: str, on_trial: OnTrial
) -> list[TrialRecord]:
    """Add trials to a study until it has as many finished ones as the options say.

    Parameters
    ----------
    study : optuna.Study
        With the trials of earlier runs.
    cross_validation : CrossValidation
    name : str
        What log lines call the study.
    on_trial : callable
        Told of each new trial when it is finished and kept.

    Returns
    -------
    list of TrialRecord
        All finished trials of the study, those of earlier runs first.

    Raises
    ------
    KeyboardInterrupt
        When the user interrupts. Finished trials are kept; the one that ran is drawn again next
        time.
    TuningError
        When no trial came to its end, with the first cause.
    """
    options = cross_validation.options
    finished = finished_trials(study)
    if finished:
        logger.info(
            "%s: %d of %d trials are there from before.", name, len(finished), options.n_trials
        )
    while len(finished) < options.n_trials:
        _run_trial(study, cross_validation, len(finished))
        finished = finished_trials(study)
        record = finished[-1]
        logger.info("%s: %s", name, _line(record, finished, options))
        on_trial(record)
    if not any(record.state == "complete" for record in finished):
        cause = next(record.error for record in finished if record.error)
        raise TuningError(
            f"{name}: no trial came to its end; the first cause was {cause.rstrip('.')}. "
            f"Correct the model or tuning.space, and give the study another name with "
            f"--params=tuning.study=second."
        )
    return finished


def finished_trials(study: Study) -> list[TrialRecord]:
    """Trials of a study that have an outcome, in their order; not those that were cut off."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    done = [
        trial
        for trial in trials
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        or (trial.state == TrialState.FAIL and trial.user_attrs.get(ERROR))
    ]
    return [_record(number, trial) for number, trial in enumerate(done)]


def best_trial(records: list[TrialRecord], options: TuningOptions) -> TrialRecord:
    """Give the best of the completed trials; of equal ones the first."""
    sign = 1 if options.higher_is_better else -1
    complete = [record for record in records if record.state == "complete"]
    return max(complete, key=lambda record: (sign * record.score, -record.number))


def _run_trial(study: Study, cross_validation: CrossValidation, number: int) -> None:
    """Run one trial and tell the study how it ended."""
    from optuna.exceptions import TrialPruned
    from optuna.trial import TrialState

    options = cross_validation.options
    trial = _ask(study, cross_validation, number)
    started = time.perf_counter()
    try:
        parameters = {name: dim.draw(trial, name) for name, dim in options.dimensions.items()}
        score = _evaluate(trial, cross_validation, parameters)
    except KeyboardInterrupt:
        study.tell(trial, state=TrialState.FAIL)
        raise
    except TrialPruned:
        trial.set_user_attr(SECONDS, time.perf_counter() - started)
        study.tell(trial, state=TrialState.PRUNED)
    except _TrialFailed as error:
        trial.set_user_attr(SECONDS, time.perf_counter() - started)
        trial.set_user_attr(ERROR, str(error))
        study.tell(trial, state=TrialState.FAIL)
    else:
        trial.set_user_attr(SECONDS, time.perf_counter() - started)
        study.tell(trial, score)


def _ask(study: Study, cross_validation: CrossValidation, number: int) -> Trial:
    """Begin a trial: the first with the model's own values, where the space holds them."""
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    options = cross_validation.options
    study.sampler = TPESampler(
        seed=derived_seed(options.seed, cross_validation.split_seed, number),
        n_startup_trials=options.startup_trials,
        multivariate=True,
        constant_liar=False,  # one trial at a time
    )
    # One may wait for its turn since a process was killed between the two calls.
    if number == 0 and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        own = _own_values(cross_validation)
        if outside := [name for name in options.dimensions if name not in own]:
            logger.warning(
                "Trial 0 draws %s: the model's own value lies outside of tuning.space.",
                ", ".join(outside),
            )
        study.enqueue_trial(own)
    return study.ask()


def _own_values(cross_validation: CrossValidation) -> dict[str, Any]:
    """Values of the model's specification, those that lie outside of the space left out."""
    model = build_model(
        cross_validation.spec.model_copy(update={"preprocess": False}), random_state=0
    )
    own = model.get_params()
    dimensions = cross_validation.options.dimensions
    return {name: own[name] for name, dim in dimensions.items() if dim.holds(own[name])}


def _evaluate(trial: Trial, cross_validation: CrossValidation, parameters: dict[str, Any]) -> float:
    """Cross-validate, and let the pruner look at the mean so far after each repetition."""
    from optuna.exceptions import TrialPruned

    options = cross_validation.options
    folds: list[list[float]] = []
    warned: set[str] = set()
    for repeat in range(options.repeats):
        try:
            scores, warnings = cross_validation.scores(parameters, repeat)
        except Exception as error:  # whatever a model may raise: a network diverges, say
            raise _TrialFailed(printable(f"{type(error).__name__}: {error}")) from error
        folds.append(scores)
        warned.update(warnings)
        trial.set_user_attr(FOLDS, folds)
        trial.set_user_attr(WARNINGS, sorted(warned))
        mean = _mean(folds, options.metric)
        trial.report(mean, repeat + 1)
        if repeat + 1 < options.repeats and trial.should_prune():
            raise TrialPruned
    return mean


def _mean(folds: list[list[float]], metric: str) -> float:
    """Mean over the repetitions of the means over their folds, undefined scores left out."""
    means = [np.nanmean(scores) for scores in folds if not np.isnan(scores).all()]
    if not means:
        raise _TrialFailed(f"{METRICS[metric].label} is not defined in any fold")
    return float(np.mean(means))


def _record(number: int, trial: FrozenTrial) -> TrialRecord:
    attributes = trial.user_attrs
    states: dict[str, Literal["complete", "pruned", "failed"]] = {
        "COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed",
    }  # fmt: skip
    state = states[trial.state.name]
    score = math.nan if state == "failed" or trial.value is None else trial.value
    return TrialRecord(
        number,
        state,
        score,
        dict(trial.params),
        attributes.get(FOLDS, []),
        attributes.get(SECONDS, math.nan),
        attributes.get(ERROR, ""),
        attributes.get(WARNINGS, []),
    )


def _line(record: TrialRecord, finished: list[TrialRecord], options: TuningOptions) -> str:
    outcome = record.error or f"{METRICS[options.metric].label} {record.score:.3f}"
    best = ""
    if any(other.state == "complete" for other in finished):
        best = f", best {best_trial(finished, options).score:.3f}"
    return (
        f"trial {record.number + 1} of {options.n_trials} {record.state}: {outcome}{best}, "
        f"{record.seconds:.1f} s"
    )
