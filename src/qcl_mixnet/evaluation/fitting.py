"""Fitting a model on the training rows of every split of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from qcl_mixnet.evaluation.cell_data import CellData, Part, split_parts, training_groups
from qcl_mixnet.evaluation.own_process import seed_everything
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.search import SearchedClassifier, grid_search
from qcl_mixnet.evaluation.specs import (
    ModelSpec,
    ModelSpecError,
    build_grid,
    build_model,
    with_decision,
)
from qcl_mixnet.evaluation.splits import Split
from qcl_mixnet.grouping.owners import IntArray, group_parameters
from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder
from qcl_mixnet.resuming.folder import work_clock


@dataclass(frozen=True)
class Fitted:
    """A model fitted on the training rows of a split.

    Attributes
    ----------
    split : Split
    model : estimator
    inner : estimator
        The model without what tunes its decision: mostly the same object.
    best_parameters : dict
        What a grid search chose; empty without one.
    seconds : float
        Of its search and fit; where trainings were ended and went on, of all their parts.
    """

    split: Split
    model: BaseEstimator
    inner: BaseEstimator
    best_parameters: dict[str, Any]
    seconds: float


def warm_up(spec: ModelSpec) -> None:
    """Let the model do, before any clock runs, what only the first fit of a process does."""
    prepare = getattr(final_step(build_model(spec, random_state=0)), "warm_up", None)
    if prepare is not None:
        prepare()


def fit_repeats(
    data: CellData, spec: ModelSpec, protocol: EvaluationProtocol, n_jobs: int
) -> Iterator[Fitted]:
    """Fit on the training rows of every split: together, where the model's networks can be.

    Parameters
    ----------
    data : CellData
    spec : ModelSpec
    protocol : EvaluationProtocol
    n_jobs : int
        Threads of the model and processes of its grid search.

    Yields
    ------
    Fitted
        In the order of the splits.
    """
    # Asked of the model, not imported: a change of the training code is nothing to other models.
    model = build_model(spec, random_state=0, encoder=data.encoder)
    fit_together = getattr(model, "fit_together", None)
    alone = spec.grid or spec.decision != "argmax"
    if fit_together is not None and len(data.splits) > 1 and not alone:
        yield from _fit_together(fit_together, data, spec, protocol)
        return
    for split in data.splits:
        seed_everything(split.seed)
        started = work_clock()
        train, test = split_parts(data, split)
        groups = training_groups(data, split)
        if spec.decision != "argmax":
            model, inner, best = _fit_with_decision(
                spec, data.encoder, protocol, split.seed, train, groups, n_jobs
            )
        else:
            model, best = _fit(
                spec, data.encoder, protocol, split.seed, train, test, groups, n_jobs
            )
            inner = model
        yield Fitted(split, model, inner, best, work_clock() - started)


def _fit_together(
    fit_together: Callable[..., None],
    data: CellData,
    spec: ModelSpec,
    protocol: EvaluationProtocol,
) -> Iterator[Fitted]:
    """Train the networks of all repeats as one group; each gets its share of the time."""
    seed_everything(data.splits[0].seed)
    started = work_clock()
    models, tables, eval_sets = [], [], []
    for split in data.splits:
        train, test = split_parts(data, split)
        model = build_model(spec, random_state=split.seed, encoder=data.encoder)
        models.append(model.set_params(checkpoint=protocol.checkpoint))
        tables.append(train)
        eval_sets.append(test if protocol.checkpoint == "test" else None)
    groups = [training_groups(data, split) for split in data.splits]
    # A user's own class may know no groups.
    fit_together(models, tables, eval_sets, *([groups] if data.groups is not None else []))
    seconds = (work_clock() - started) / len(models)
    for split, model in zip(data.splits, models, strict=True):
        yield Fitted(split, model, model, {}, seconds)


def _fit(
    spec: ModelSpec,
    encoder: ColumnEncoder | None,
    protocol: EvaluationProtocol,
    seed: int,
    train: Part,
    test: Part,
    groups: IntArray | None,
    n_jobs: int,
) -> tuple[BaseEstimator, dict[str, Any]]:
    """Tune where there is a grid, and fit; only `checkpoint="test"` lets a model see `test`."""
    model = build_model(spec, random_state=seed, encoder=encoder)
    chooses_on_test = (
        protocol.checkpoint == "test" and "checkpoint" in final_step(model).get_params()
    )
    if chooses_on_test and spec.preprocess:
        raise ModelSpecError(
            f"checkpoint='test' hands the test part to {spec.class_}, which must then read raw "
            f"tables: set preprocess: false and let it preprocess inside."
        )
    best: dict[str, Any] = {}
    grid = build_grid(spec, encoder)
    if grid:
        # The search has the processes, each of its fits one thread; it never sees the test part.
        checkpoint = "last" if chooses_on_test else protocol.checkpoint
        _set_if_known(final_step(model), n_jobs=1, checkpoint=checkpoint)
        search = grid_search(
            model, grid, *train, folds=protocol.folds, seed=seed, n_jobs=n_jobs, groups=groups
        )
        model, best = search.best_estimator_, search.best_params_
    if chooses_on_test:
        return _fit_choosing_on_test(clone(model), train, test, groups), best
    if not grid:
        _set_if_known(final_step(model), n_jobs=n_jobs, checkpoint=protocol.checkpoint)
        model.fit(*train, **group_parameters(model, groups))
    return model, best


def _fit_choosing_on_test(
    model: BaseEstimator, train: Part, test: Part, groups: IntArray | None
) -> BaseEstimator:
    """Fit with `checkpoint="test"`; an encoder before the model learns from training rows alone."""
    final = final_step(model).set_params(checkpoint="test")
    known = group_parameters(final, groups)
    if not isinstance(model, Pipeline):
        return final.fit(*train, eval_set=test, **known)
    before = model[:-1]  # its steps are the pipeline's own
    table = before.fit_transform(train[0], train[1])
    final.fit(table, train[1], eval_set=(before.transform(test[0]), test[1]), **known)
    return model


def _fit_with_decision(
    spec: ModelSpec,
    encoder: ColumnEncoder | None,
    protocol: EvaluationProtocol,
    seed: int,
    train: Part,
    groups: IntArray | None,
    n_jobs: int,
) -> tuple[BaseEstimator, BaseEstimator, dict[str, Any]]:
    """Tune the decision of a model, or of the search for it, on folds of the training rows."""
    inner = build_model(spec, random_state=seed, encoder=encoder)
    if protocol.checkpoint == "test" and "checkpoint" in final_step(inner).get_params():
        raise ModelSpecError(
            f"checkpoint='test' hands the test part to {spec.class_}, and decision="
            f"{spec.decision!r} tunes on training rows alone: use another checkpoint for it, or "
            "decision: argmax."
        )
    grid = build_grid(spec, encoder)
    threads = 1 if grid else n_jobs
    _set_if_known(final_step(inner), n_jobs=threads, checkpoint=protocol.checkpoint)
    if grid:
        inner = SearchedClassifier(inner, grid, folds=protocol.folds, seed=seed, n_jobs=n_jobs)
    model = with_decision(spec, inner, random_state=seed)
    if groups is not None:
        model.set_params(cv=min(model.cv, len(np.unique(groups))))
    model.fit(*train, **group_parameters(model, groups))
    if not grid:
        return model, model.estimator_, {}
    search = model.estimator_.search_
    return model, search.best_estimator_, search.best_params_


def final_step(model: BaseEstimator) -> BaseEstimator:
    """Give the classifier at the end of a pipeline, or the model itself."""
    return model[-1] if isinstance(model, Pipeline) else model


def _set_if_known(model: BaseEstimator, **values: Any) -> None:
    known = model.get_params(deep=False)
    if isinstance(model, LogisticRegression):
        known.pop("n_jobs", None)  # without effect since scikit-learn 1.8, and a warning in fit
    model.set_params(**{name: value for name, value in values.items() if name in known})
