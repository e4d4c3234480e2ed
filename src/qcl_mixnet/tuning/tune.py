"""Tuning of one data set: a study for each split, on the training part of that split alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from qcl_mixnet.evaluation.cell_data import CellData, split_parts, training_groups
from qcl_mixnet.evaluation.cells import run_cell
from qcl_mixnet.evaluation.fitting import warm_up
from qcl_mixnet.evaluation.keys import cell_key
from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.evaluation.splits import Split
from qcl_mixnet.tuning.cross_validation import CrossValidation, check_space, with_parameters
from qcl_mixnet.tuning.errors import TuningError
from qcl_mixnet.tuning.options import TuningOptions
from qcl_mixnet.tuning.search import TrialRecord, best_trial, make_pruner, search
from qcl_mixnet.tuning.storage import stored_study

if TYPE_CHECKING:
    from optuna import Study

DEFAULT, TUNED = "default", "tuned"
# Completed trials without which an importance would be a guess on nothing.
FEWEST_FOR_IMPORTANCE = 4


@dataclass(frozen=True)
class Best:
    """What the study of a split found.

    Attributes
    ----------
    split : int
        Seed of the split.
    parameters : dict
    score, first_score : float
        Cross-validated scores of the best trial, and of trial 0.
    """

    split: int
    parameters: dict[str, Any]
    score: float
    first_score: float


@dataclass(frozen=True)
class TuningResult:
    """What tuning one data set leaves behind.

    Attributes
    ----------
    trials : DataFrame
        A row for each trial: split, trial, state, score, seconds, `score_<n>` of each
        cross-validation, `param_<name>`, error, warnings.
    importances : DataFrame
        Columns split, parameter, importance; shares that sum to 1. Empty for few trials.
    best : list of Best
        One for each split.
    """

    trials: pd.DataFrame
    importances: pd.DataFrame
    best: list[Best]


OnTrial = Callable[[int, TrialRecord], None]


def _tell_nobody(split: int, record: TrialRecord) -> None:
    """Do nothing with a finished trial."""


def tune(
    data: CellData,
    spec: ModelSpec,
    protocol: EvaluationProtocol,
    options: TuningOptions,
    path: Path,
    *,
    name: str = "table",
    n_jobs: int = 1,
    on_trial: OnTrial = _tell_nobody,
) -> TuningResult:
    """Search the parameters of a model for every split of a data set, and keep the trials.

    Rows of a split's test part decide nothing: the splits have studies of their own, since a row
    that one split tests on is a training row of another.

    Parameters
    ----------
    data : CellData
    spec : ModelSpec
        The model, with the values of its parameters that are not tuned.
    protocol : EvaluationProtocol
    options : TuningOptions
    path : Path
        SQLite file of the studies. What it holds from an earlier run is gone on with.
    name : str, default="table"
        Name of the data set, for log lines and messages.
    n_jobs : int, default=1
        Threads.
    on_trial : callable, optional
        Told of each new trial, with the seed of the split, when it is finished and kept.

    Raises
    ------
    TuningError
        When the space is empty, the rows are too few, the file cannot be used or was begun with
        other settings, or no trial came to its end.
    ModelSpecError
        When the model does not take a parameter of the space, or a value of it.
    KeyboardInterrupt
        When the user interrupts. Finished trials are in the file.
    """
    check_space(spec, options)
    validations = [
        CrossValidation(
            split_parts(data, split)[0], data.n_classes, spec, options, split.seed,
            # Epochs that the test part chooses would tell of its rows.
            "last" if protocol.checkpoint == "test" else protocol.checkpoint, n_jobs,
            data.encoder, training_groups(data, split),
        )
        for split in data.splits
    ]  # fmt: skip
    for validation in validations:
        validation.check()
    warm_up(spec)
    setup = _setup(data, spec, protocol, options)
    trials: list[dict[str, Any]] = []
    importances: list[dict[str, Any]] = []
    best: list[Best] = []
    for validation in validations:
        seed = validation.split_seed
        title = name if len(validations) == 1 else f"{name}, split {seed}"
        with stored_study(
            path, f"split_{seed}", setup,
            maximize=options.higher_is_better, pruner=make_pruner(options),
        ) as study:  # fmt: skip
            records = search(study, validation, title, partial(on_trial, seed))
            importances += _importances(study, options, seed)
        found = best_trial(records, options)
        trials += [_row(seed, record) for record in records]
        best.append(Best(seed, found.parameters, found.score, records[0].score))
    columns = ["split", "parameter", "importance"]
    return TuningResult(_table(trials, options), pd.DataFrame(importances, columns=columns), best)


def score_best(
    data: CellData,
    spec: ModelSpec,
    protocol: EvaluationProtocol,
    best: Mapping[int, Mapping[str, Any]],
    *,
    name: str = "table",
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Score the tuned model once on the test part of every split, beside the model as it was.

    Both are fitted on all training rows of the split, as a cell of the benchmark is.

    Parameters
    ----------
    data, spec, protocol, name, n_jobs
        As for `tune`.
    best : mapping of int to mapping
        The parameters found, by the seed of the split.

    Returns
    -------
    DataFrame
        A row for each split and model ("default", "tuned"): dataset, split, model, test_selected,
        and the scores of `METRICS`.

    Raises
    ------
    TuningError
        When a model cannot be fitted or scored.
    """
    rows = []
    for split in data.splits:
        for model, parameters in ((DEFAULT, None), (TUNED, best[split.seed])):
            chosen = spec if parameters is None else with_parameters(spec, parameters)
            result = run_cell(_alone(data, split), chosen, protocol, n_jobs=n_jobs)
            if result.failed:
                raise TuningError(
                    f"The {model} model of data set '{name}' failed on split {split.seed}: "
                    f"{result.record['error']}"
                )
            scores = {metric: result.record["metrics"][metric] for metric in METRICS}
            rows.append(
                {"dataset": name, "split": split.seed, "model": model,
                 "test_selected": result.record["test_selected"], **scores}
            )  # fmt: skip
    return pd.DataFrame(rows)


def _alone(data: CellData, split: Split) -> CellData:
    return replace(data, splits=[split])


def _setup(
    data: CellData, spec: ModelSpec, protocol: EvaluationProtocol, options: TuningOptions
) -> dict[str, Any]:
    """All that decides a trial. The key stands for the rest: data, splits, code and versions."""
    return {
        "tuning": options.model_dump(mode="json", exclude={"study", "n_trials"}),
        "model": spec.model_dump(mode="json", by_alias=True, include={"class_", "params"}),
        "protocol": protocol.model_dump(mode="json"),
        "key of data, code and versions": cell_key(data.fingerprint, spec, protocol),
    }


def _row(split: int, record: TrialRecord) -> dict[str, Any]:
    """Lay a trial out as a row of the table."""
    means = [float(np.nanmean(f)) if not np.isnan(f).all() else np.nan for f in record.fold_scores]
    return {
        "split": split,
        "trial": record.number,
        "state": record.state,
        "score": record.score,
        "seconds": record.seconds,
        **{f"score_{number}": mean for number, mean in enumerate(means, start=1)},
        **{f"param_{name}": value for name, value in record.parameters.items()},
        "error": record.error,
        "warnings": "; ".join(record.warnings),
    }


def _table(rows: Sequence[Mapping[str, Any]], options: TuningOptions) -> pd.DataFrame:
    columns = [
        "split", "trial", "state", "score", "seconds",
        *(f"score_{number}" for number in range(1, options.repeats + 1)),
        *(f"param_{name}" for name in options.dimensions), "error", "warnings",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _importances(study: Study, options: TuningOptions, split: int) -> list[dict[str, Any]]:
    """Shares of the variance of the score, by fANOVA (Hutter et al., 2014) on completed trials."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < FEWEST_FOR_IMPORTANCE or len({trial.value for trial in complete}) < 2:
        return []
    evaluator = FanovaImportanceEvaluator(seed=options.seed)
    shares = get_param_importances(study, evaluator=evaluator)
    return [
        {"split": split, "parameter": name, "importance": float(share)}
        for name, share in shares.items()
    ]
