"""Ensembles of networks, their out-of-fold probabilities, and decisions from these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.engine.members import PreparedMember, TrainedMember
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.engine.threads import limited_threads
from qcl_mixnet.estimators.bagging import Bag, bootstraps, folds
from qcl_mixnet.estimators.base import NetworkClassifier
from qcl_mixnet.estimators.calibration import apply_temperature, fit_temperature
from qcl_mixnet.estimators.chunks import in_chunks, softmax
from qcl_mixnet.estimators.deciding import Deciding
from qcl_mixnet.estimators.decision import tune_decision_weights
from qcl_mixnet.estimators.decision_rules import (
    DECISION_CONSTRAINTS,
    OutOfFold,
    check_decision,
    needs_rows,
    rule_for,
)
from qcl_mixnet.estimators.decision_search import DecisionMetric
from qcl_mixnet.grouping.duplicates import warn_of_duplicates
from qcl_mixnet.grouping.owners import IntArray, check_spread

Bagging = Literal["folds", "bootstrap"]

# Networks that are trained for out-of-fold probabilities alone, where the ensemble gives none.
N_FOLDS = 5

# Checks of an ensemble's parameters; a subclass adds its own.
ENSEMBLE_CONSTRAINTS: dict[str, list[Any]] = {
    "n_members": [Interval(Integral, 1, None, closed="left")],
    "bagging": [StrOptions(set(get_args(Bagging))), None],
    "calibrate": ["boolean"],
    "decision": DECISION_CONSTRAINTS,
    "n_jobs": [
        Interval(Integral, 1, None, closed="left"),
        Interval(Integral, None, -1, closed="right"),
        None,
    ],
    "verbose": ["verbose"],
}


class EnsembleClassifier(Deciding, NetworkClassifier):
    """Base of classifiers that average the probabilities of one or more networks.

    A subclass declares its constructor, with the parameters of `ENSEMBLE_CONSTRAINTS` among its
    own. For all of them and the attributes after `fit` see
    `QCLMixNetClassifier`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NetworkClassifier._parameter_constraints,
        **ENSEMBLE_CONSTRAINTS,
    }

    networks_: list[nn.Module]

    @property
    def network_(self) -> nn.Module:  # type: ignore[override]  # the base sets an attribute
        """The first network."""
        return self.networks_[0]

    @own_settings()
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Class probabilities: the mean over the networks, calibrated if asked for.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            For a table that cannot be read, or whose columns are not those of training.
        """
        probabilities = self._in_chunks(self._mean_probabilities, self._inputs(X)).cpu().numpy()
        return apply_temperature(probabilities, self.calibration_temperature_)

    @own_settings()
    def predict(self, X: Any) -> NDArray[Any]:
        """Class of every row, as the parameter `decision` asks: see `decision_rule_`.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of `classes_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            For a table that cannot be read, or whose columns are not those of training.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[self.decision_rule_.apply(probabilities)]

    def _mean_probabilities(self, x: Tensor) -> Tensor:
        return softmax(self._stacked(x.expand(len(self.networks_), *x.shape))).mean(0)

    def _ensemble(
        self, member: PreparedMember, seed: int, table: Any, owners: IntArray | None
    ) -> list[PreparedMember]:
        """Give every network its streams and rows; those for out-of-fold alone come last."""
        labels = member.labels.cpu().numpy()
        check_decision(self.decision, self.classes_, labels)
        if owners is not None and (self.bagging or self._needs_out_of_fold):
            check_spread(owners, labels, self.classes_)
        bags: list[Bag | None] = [None] * self.n_members
        if self.bagging == "folds":
            bags = [*self._folds(labels, self.n_members, member.streams, owners)]
        elif self.bagging == "bootstrap":
            bags = [*bootstraps(labels, self.n_members, member.streams.bags, owners)]
        elif self._needs_out_of_fold:
            n_folds = N_FOLDS if owners is None else min(N_FOLDS, len(np.unique(owners)))
            bags += self._folds(labels, n_folds, member.streams, owners)
        if self._needs_out_of_fold and not any(bag and len(bag.out_of_bag) for bag in bags):
            raise ValueError(
                f"calibrate={self.calibrate} and decision={self.decision!r} need rows that a "
                f"network has not seen, and all of the {self.n_members} have seen every row; raise "
                "n_members, or use calibrate=False and decision='argmax'."
            )
        self._check_size(member.x.shape[1], len(bags))
        if owners is None and self._needs_out_of_fold:
            splits = [(bag.in_bag, bag.out_of_bag) for bag in bags if bag]
            warn_of_duplicates(table, splits, stacklevel=7)  # where fit was called
        return [
            replace(
                member,
                streams=member.streams if i == 0 else Streams.from_seed(seed, member=i),
                rows=None if bag is None else torch.from_numpy(bag.in_bag).to(member.x.device),
                out_of_bag=None if bag is None else bag.out_of_bag,
            )
            for i, bag in enumerate(bags)
        ]

    def _check_size(self, n_inputs: int, n_networks: int) -> None:
        """Refuse networks of so many columns that there is no memory for."""

    def _folds(
        self, labels: IntArray, n_folds: int, streams: Streams, owners: IntArray | None
    ) -> list[Bag]:
        if n_folds < 2:
            raise ValueError(
                f"bagging='folds' leaves one fold out for each network, so n_members must be at "
                f"least 2, got {n_folds}; raise it or use bagging=None."
            )
        n_groups = n_folds if owners is None else len(np.unique(owners))
        if n_groups < n_folds:
            raise ValueError(
                f"bagging='folds' leaves one fold out for each of n_members={n_folds} networks, "
                f"and groups has {n_groups} groups, fewer than that; use n_members={n_groups}, or "
                "bagging=None."
            )
        return folds(labels, n_folds, streams.bags, owners)

    @property
    def _needs_out_of_fold(self) -> bool:
        return bool(needs_rows(self.decision) or self.calibrate)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what repeats the networks."""
        return {k: v for k, v in super().__getstate__().items() if k != "_stacked"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Stack the networks again."""
        super().__setstate__(state)
        if "networks_" in state:
            self._stacked = stack(self.networks_).eval()

    def _keep(self, trained: Sequence[tuple[PreparedMember, TrainedMember]]) -> None:
        own = [member for _, member in trained[: self.n_members]]
        self.networks_ = [member.network for member in own]
        self._stacked = stack(self.networks_).eval()
        results = [member.result for member in own]
        histories = [pd.DataFrame(result.history) for result in results]
        for i, history in enumerate(histories):
            history.insert(0, "member", i)
        self.history_ = pd.concat(histories, ignore_index=True)
        epochs = [result.best_epoch for result in results]
        self.best_epoch_ = epochs[0] if len(epochs) == 1 else epochs
        self.diverged_at_ = next((r.diverged_at for r in results if r.diverged_at), None)
        self.interrupted_ = any(member.result.interrupted for _, member in trained)
        # Networks for out-of-fold probabilities alone say nothing if they were cut short.
        cut_short = self.bagging is None and self.interrupted_
        self.out_of_fold_proba_ = None if cut_short else self._out_of_fold(trained)
        labels = trained[0][0].labels.cpu().numpy()
        self.out_of_fold_labels_ = None if self.out_of_fold_proba_ is None else labels
        weights = trained[0][0].weights
        if self.out_of_fold_proba_ is None or weights is None:
            self.out_of_fold_weights_ = None
        else:
            self.out_of_fold_weights_ = weights.cpu().double().numpy()
        self._tune()

    def _lost_by_interruption(self) -> str:
        if not self._needs_out_of_fold or self.out_of_fold_proba_ is not None:
            return ""
        return (
            f" calibrate={self.calibrate} and decision={self.decision!r} could not be tuned any "
            "more: probabilities are as the networks give them, and a decision that was to be "
            "tuned is for the highest; fit again to have them."
        )

    def _out_of_fold(
        self, trained: Sequence[tuple[PreparedMember, TrainedMember]]
    ) -> NDArray[np.float64] | None:
        """Mean probabilities of the networks that have not seen a row; NaN where all have."""
        if all(prepared.out_of_bag is None for prepared, _ in trained):
            return None
        x = trained[0][0].x
        total, count = np.zeros((len(x), len(self.classes_))), np.zeros(len(x))
        for prepared, member in trained:
            if prepared.out_of_bag is not None and len(prepared.out_of_bag):
                rows = x[torch.from_numpy(prepared.out_of_bag).to(x.device)]
                # On one thread: products that threads share round otherwise on some CPUs, and what
                # is tuned on these probabilities must not depend on n_jobs.
                with limited_threads(1):
                    logits = in_chunks(member.network, rows)
                total[prepared.out_of_bag] += softmax(logits).cpu().numpy()
                count[prepared.out_of_bag] += 1
        with np.errstate(invalid="ignore"):
            return total / count[:, None]

    def _tune(self) -> None:
        """Set temperature and decision from the out-of-fold rows."""
        self.calibration_temperature_ = 1.0
        if self.calibrate and (rows := self._out_of_fold_rows(calibrated=False)):
            self.calibration_temperature_ = fit_temperature(*rows)
        rows = self._out_of_fold_rows()
        if rows is None and needs_rows(self.decision):  # the training was interrupted
            self.decision_rule_ = DecisionRule.plain(len(self.classes_))
            return
        self.decision_rule_ = rule_for(self.decision, self.classes_, rows, self._tune_weights)

    def _out_of_fold_rows(self, *, calibrated: bool = True) -> OutOfFold | None:
        if self.out_of_fold_proba_ is None or self.out_of_fold_labels_ is None:
            return None
        seen = np.isfinite(self.out_of_fold_proba_).all(axis=1)
        probabilities, labels = self.out_of_fold_proba_[seen], self.out_of_fold_labels_[seen]
        if calibrated and (self.calibrate or self.calibration_temperature_ != 1):
            probabilities = apply_temperature(probabilities, self.calibration_temperature_)
        weights = None if self.out_of_fold_weights_ is None else self.out_of_fold_weights_[seen]
        return OutOfFold(probabilities, labels, weights)

    def _tune_weights(
        self,
        probabilities: NDArray[np.float64],
        labels: NDArray[np.int64],
        metric: DecisionMetric,
        row_weights: NDArray[np.float64] | None,
    ) -> NDArray[np.float64]:
        return tune_decision_weights(
            probabilities, labels, metric=metric, row_weights=row_weights
        ).weights

    def _in_chunks(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Apply a function of rows with `n_jobs` threads."""
        with limited_threads(self.n_jobs):
            return in_chunks(function, x)
