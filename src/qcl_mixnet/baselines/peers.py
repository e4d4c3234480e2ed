"""What the wrapped models of other libraries have in common.

They are given labels of any kind, tables with gaps and categories, a seed and a number of threads,
and are kept from printing, warning, writing files and touching the process's random numbers.
"""

from __future__ import annotations

import io
import logging
import random
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from qcl_mixnet.baselines.native_table import NativeTable
from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.estimators.labels import encode_labels

_LOUD_LOGGERS = (
    "pytorch_lightning",
    "pytorch_lightning.utilities.rank_zero",
    "pytorch_lightning.accelerators.cuda",
    "lightning_utilities.core.rank_zero",
    "interpret",
)


class MissingPeerError(ImportError, ValueError):
    """A library that the extra `peers` installs is not there.

    It is a `ValueError`, too: a model that cannot be had is told as a wrong parameter is, before
    any training.
    """


@contextmanager
def quiet() -> Iterator[None]:
    """Let other people's code print, log and warn to nobody."""
    loggers = [logging.getLogger(name) for name in _LOUD_LOGGERS]
    levels = [logger.level for logger in loggers]
    nowhere = io.StringIO()
    with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def kept_randomness() -> Iterator[None]:
    """Put the process's random generators back as they were, also those that are seeded inside."""
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (put back below)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002


class PeerClassifier(ClassifierMixin, BaseEstimator):
    """Base of the wrapped models.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels of the training rows.
    model_ : classifier
        The library's fitted classifier, whose classes are the positions in `classes_`.
    table_ : NativeTable
        What reads the rows.
    n_features_in_ : int
        Number of features seen in `fit`.
    """

    _library: ClassVar[str]
    _keep_gaps: ClassVar[bool] = True

    n_jobs: int
    random_state: int | np.random.RandomState | None

    @abstractmethod
    def _load(self) -> Any:
        """Import the library and return its classifier's class."""

    @abstractmethod
    def _fitted(self, table: pd.DataFrame, codes: npt.NDArray[np.int64], seed: int) -> Any:
        """Make the library's classifier and fit it."""

    def _probabilities(self, table: pd.DataFrame) -> npt.NDArray[np.floating]:
        """Ask the library's classifier."""
        return self.model_.predict_proba(table)

    def _validate_params(self) -> None:
        """Check the parameters, and that the library is there.

        Raises
        ------
        MissingPeerError
        ValueError
        """
        if find_spec(self._library) is None:
            raise MissingPeerError(
                f"{type(self).__name__} needs the package {self._library}, which is not "
                "installed; install qcl-mixnet[peers]"
            )
        super()._validate_params()

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that gaps and categories are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def warm_up(self) -> None:
        """Import the library, which only the first fit of a process does."""
        self._validate_params()
        with quiet(), kept_randomness():
            self._load()

    @own_settings()
    def fit(self, X: Any, y: Any) -> Self:
        """Fit on the training rows.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n_samples, n_features)
            Gaps and categories may be in it.
        y : array-like of shape (n_samples,)

        Returns
        -------
        self

        Raises
        ------
        MissingPeerError
            If the library is not installed.
        ValueError
            For a parameter out of its range, unusable data, or a single class.
        """
        self._validate_params()
        self.classes_, codes = encode_labels(y)
        self.table_ = NativeTable(keep_gaps=self._keep_gaps).fit(X)
        self.n_features_in_ = self.table_.reader_.n_features_in_
        table = self.table_.transform(X)
        check_consistent_length(table, codes)
        seed = self.random_state
        if not isinstance(seed, Integral):
            seed = int(check_random_state(seed).randint(np.iinfo(np.int32).max))
        with quiet(), kept_randomness():
            self.model_ = self._fitted(table, codes, int(seed))
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the most probable label of each row.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    @own_settings()
    def predict_proba(self, X: Any) -> npt.NDArray[np.floating]:
        """Predict probabilities, columns in the order of `classes_`.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        table = self.table_.transform(X)
        with quiet(), kept_randomness():
            return np.asarray(self._probabilities(table))

    def _threads(self) -> int:
        return int(effective_n_jobs(self.n_jobs))
