"""Nodes of the tuning pipeline."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from qcl_mixnet.evaluation.preparation import cell_data
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.project.resources import Resources
from qcl_mixnet.project.tuning_study import TrackedStudy
from qcl_mixnet.tuning import tune as tuning
from qcl_mixnet.tuning.figures import plot_history, plot_importances
from qcl_mixnet.tuning.options import TuningOptions
from qcl_mixnet.tuning.results import best_parameters, model_entries, with_cross_validated_scores


def tune_model(
    table: pd.DataFrame,
    splits: pd.DataFrame,
    schema: dict[str, Any],
    study: TrackedStudy,
    spec: ModelSpec,
    protocol: EvaluationProtocol,
    options: TuningOptions,
    resources: Resources,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Search the parameters of one data set; trials, importances, entries of the best models."""
    with study.tracked(options) as tracked:
        result = tuning.tune(
            cell_data(table, splits, schema), spec, protocol, options, study.path,
            name=study.dataset, n_jobs=resources.n_jobs, on_trial=tracked.add,
        )  # fmt: skip
        tracked.finish(result.best)
    return result.trials, result.importances, model_entries(study.dataset, spec, result.best)


def score_tuned(
    table: pd.DataFrame,
    splits: pd.DataFrame,
    schema: dict[str, Any],
    study: TrackedStudy,
    trials: pd.DataFrame,
    entries: Mapping[str, Any],
    spec: ModelSpec,
    protocol: EvaluationProtocol,
    options: TuningOptions,
    resources: Resources,
) -> pd.DataFrame:
    """Score the best model of every split once on its test part, beside the model as it was."""
    scores = tuning.score_best(
        cell_data(table, splits, schema), spec, protocol, best_parameters(entries, options),
        name=study.dataset, n_jobs=resources.n_jobs,
    )  # fmt: skip
    return with_cross_validated_scores(scores, trials, options)


def draw_tuning(
    trials: pd.DataFrame, importances: pd.DataFrame, options: TuningOptions
) -> tuple[Figure, Figure]:
    """Draw how the search went, and which parameters the score hung on."""
    return plot_history(trials, options), plot_importances(importances, options)


def gather_tuning(*tables: pd.DataFrame) -> pd.DataFrame:
    """Put the scores of all data sets below one another; one that was not tuned has none."""
    return pd.concat(tables, ignore_index=True)
