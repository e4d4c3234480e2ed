"""How good parameters are: cross-validation on the training part of a split.

A study sees no row of the test part: it is handed the training part alone. The folds of one
cross-validation train together where the model's class can (`fit_together`) and they have equally
many rows, as packed members of one group.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from qcl_mixnet.evaluation.cell_data import Part
from qcl_mixnet.evaluation.fitting import final_step
from qcl_mixnet.evaluation.metrics import score_predictions
from qcl_mixnet.evaluation.specs import ModelSpec, build_model
from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.grouping.folds import fold_of_rows
from qcl_mixnet.grouping.owners import GroupingError, group_parameters
from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder
from qcl_mixnet.tuning.errors import TuningError
from qcl_mixnet.tuning.options import TuningOptions

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


def derived_seed(*numbers: int) -> int:
    """Mix numbers into a seed below 2**32: equal numbers give an equal seed."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def with_parameters(spec: ModelSpec, parameters: Mapping[str, Any]) -> ModelSpec:
    """Give the specification with some parameters set and without a grid."""
    return spec.model_copy(update={"params": {**spec.params, **parameters}, "grid": None})


def check_space(spec: ModelSpec, options: TuningOptions) -> None:
    """Refuse a space that the model cannot be tuned over, before anything is trained.

    Raises
    ------
    TuningError
        When the space is empty.
    ModelSpecError
        When the model has no such parameter, or does not take all of its values.
    """
    if not options.dimensions:
        raise TuningError(
            "tuning.space names no parameter; give at least one, such as "
            "temperature: {low: 0.05, high: 1.0, log: true}."
        )
    for name, dimension in options.dimensions.items():
        for value in dimension.ends():
            build_model(with_parameters(spec, {name: value}), random_state=0)


@dataclass(frozen=True)
class CrossValidation:
    """Repeated stratified cross-validation of one model on one training part.

    Trials of a study share folds and seeds, so that they differ by their parameters alone.

    Attributes
    ----------
    part : tuple (DataFrame of shape (n_samples, n_features), ndarray of shape (n_samples,))
        Training rows and their classes, 0 to `n_classes - 1`.
    n_classes : int
        Number of classes of the whole table.
    spec : ModelSpec
    options : TuningOptions
    split_seed : int
        Seed of the split, of which folds and networks take theirs.
    checkpoint : {"last", "validation"}
        Epoch that a network keeps.
    n_jobs : int
        Threads.
    encoder : ColumnEncoder or None
        What encodes dates and rare levels before the model, fitted on the rows that it trains on.
    groups : ndarray of shape (n_samples,) or None
        Number of each row's group: no fold has a group on both sides.
    """

    part: Part
    n_classes: int
    spec: ModelSpec
    options: TuningOptions
    split_seed: int
    checkpoint: str = "last"
    n_jobs: int = 1
    encoder: ColumnEncoder | None = None
    groups: NDArray[np.int64] | None = None

    def check(self) -> None:
        """Refuse rows of which no folds can be made.

        Raises
        ------
        TuningError
            When no class has 2 rows, or the training rows of a fold would hold one class only.
        """
        labels = self.part[1]
        if np.bincount(labels).max() < 2:
            raise TuningError(
                "No class has 2 training rows, which cross-validation needs; take a larger table."
            )
        for repeat in range(self.options.repeats):
            for train, _ in self._folds(repeat):
                if len(np.unique(labels[train])) < 2:
                    raise TuningError(
                        f"A fold of the {count(len(labels), 'training row')} would train on a "
                        f"single class with tuning.folds={self.options.folds}; tune on a table "
                        f"whose classes have at least 2 training rows each."
                    )

    def scores(self, parameters: Mapping[str, Any], repeat: int) -> tuple[list[float], list[str]]:
        """Fit and score the folds of one cross-validation.

        Parameters
        ----------
        parameters : mapping
            Of the model; they replace those of the specification.
        repeat : int
            Which cross-validation, from 0.

        Returns
        -------
        scores : list of float, one for each fold
            NaN where a fold's rows leave the metric undefined.
        warnings : list of str
            What the training warned of, each once.
        """
        folds = self._folds(repeat)
        table, labels = self.part
        with threadpool_limits(self.n_jobs), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            models = [self._model(parameters, repeat, fold) for fold in range(len(folds))]
            parts = [(table.iloc[train], labels[train]) for train, _ in folds]
            fit_together = getattr(models[0], "fit_together", None)
            owners = [None if self.groups is None else self.groups[train] for train, _ in folds]
            if fit_together is not None:
                fit_together(models, parts, **({} if self.groups is None else {"groups": owners}))
            else:
                for model, part, own in zip(models, parts, owners, strict=True):
                    model.fit(*part, **group_parameters(model, own))
            scores = [
                self._score(model, table.iloc[rows], labels[rows])
                for model, (_, rows) in zip(models, folds, strict=True)
            ]
        return scores, sorted({f"{w.category.__name__}: {w.message}" for w in caught})

    def _folds(self, repeat: int) -> list[Fold]:
        """Folds, fewer where even the largest class has fewer rows."""
        labels = self.part[1]
        n_folds = min(self.options.folds, int(np.bincount(labels).max()))
        seed = derived_seed(self.options.seed, self.split_seed, repeat)
        if self.groups is not None:
            try:
                fold = fold_of_rows(labels, self.groups, n_folds, seed)
            except GroupingError as error:
                raise TuningError(f"tuning.folds: {error}") from error
            return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n_folds)]
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            # A class with fewer rows than folds is absent from some of them, as in a grid search.
            warnings.filterwarnings(
                "ignore", message="The least populated class in y has only", category=UserWarning
            )
            return list(splitter.split(np.zeros(len(labels)), labels))

    def _model(self, parameters: Mapping[str, Any], repeat: int, fold: int) -> BaseEstimator:
        seed = derived_seed(self.options.seed, self.split_seed, repeat, fold)
        spec = with_parameters(self.spec, parameters)
        model = build_model(spec, random_state=seed, encoder=self.encoder)
        final = final_step(model)
        settings = {"n_jobs": self.n_jobs, "checkpoint": self.checkpoint}
        known = final.get_params(deep=False)
        final.set_params(**{name: value for name, value in settings.items() if name in known})
        return model

    def _score(self, model: BaseEstimator, table: Any, labels: NDArray[np.int64]) -> float:
        proba = np.zeros((len(labels), self.n_classes))  # 0 for a class that the fold lacks
        proba[:, np.asarray(model.classes_, dtype=np.int64)] = model.predict_proba(table)
        predicted = np.asarray(model.predict(table), dtype=np.int64)
        return score_predictions(labels, predicted, proba)[self.options.metric]
