"""Boosted trees of other libraries, at their authors' defaults.

Libraries are imported where they are used: they are the extra `peers` of this package.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.utils._param_validation import Interval

from qcl_mixnet.baselines.native_table import as_texts
from qcl_mixnet.baselines.peers import PeerClassifier, kept_randomness, quiet

_AT_LEAST_1 = Interval(Integral, 1, None, closed="left")
_ABOVE_0 = Interval(Real, 0, None, closed="neither")
_OURS: dict[str, list[Any]] = {"n_jobs": [Integral], "random_state": ["random_state"]}


class LightGBMClassifier(PeerClassifier):
    """LightGBM (Ke et al., 2017) for labels of any kind.

    Parameters
    ----------
    n_estimators : int, default=100
        Boosting rounds. This and the defaults below are LightGBM's.
    learning_rate : float, default=0.1
        Shrinkage of each tree.
    num_leaves : int, default=31
        Leaves of a tree at most.
    min_child_samples : int, default=20
        Rows of a leaf at least.
    n_jobs : int, default=1
        Threads.
    random_state : int, RandomState or None, default=None
        Seed of the draws.

    References
    ----------
    Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS 2017.
    """

    _library = "lightgbm"
    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "n_estimators": [_AT_LEAST_1],
        "learning_rate": [_ABOVE_0],
        "num_leaves": [Interval(Integral, 2, None, closed="left")],
        "min_child_samples": [_AT_LEAST_1],
        **_OURS,
    }

    def __init__(
        self,
        *,
        n_estimators: int = 100,
        learning_rate: float = 0.1,
        num_leaves: int = 31,
        min_child_samples: int = 20,
        n_jobs: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _load(self) -> Any:
        from lightgbm import LGBMClassifier

        return LGBMClassifier

    def _fitted(self, table: pd.DataFrame, codes: npt.NDArray[np.int64], seed: int) -> Any:
        model = self._load()(
            n_estimators=self.n_estimators,
            learning_rate=self.learning_rate,
            num_leaves=self.num_leaves,
            min_child_samples=self.min_child_samples,
            n_jobs=self._threads(),
            random_state=seed,
            # The same trees whatever the number of threads and the speed of either layout.
            deterministic=True,
            force_row_wise=True,
            verbose=-1,
        )
        return model.fit(table, codes)


class CatBoostClassifier(PeerClassifier):
    """CatBoost (Prokhorenkova et al., 2018) for labels of any kind, with its own categories.

    Parameters
    ----------
    n_estimators : int, default=1000
        Boosting rounds. This and the defaults below are CatBoost's.
    learning_rate : float or None, default=None
        Shrinkage of each tree; None lets CatBoost choose by rows and rounds.
    depth : int, default=6
        Depth of the trees.
    n_jobs : int, default=1
        Threads.
    random_state : int, RandomState or None, default=None
        Seed of the draws.

    References
    ----------
    Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features", NeurIPS 2018.
    """

    _library = "catboost"
    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "n_estimators": [_AT_LEAST_1],
        "learning_rate": [_ABOVE_0, None],
        "depth": [Interval(Integral, 1, 16, closed="both")],
        **_OURS,
    }

    def __init__(
        self,
        *,
        n_estimators: int = 1000,
        learning_rate: float | None = None,
        depth: int = 6,
        n_jobs: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.depth = depth
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _load(self) -> Any:
        from catboost import CatBoostClassifier as Library

        return Library

    def _fitted(self, table: pd.DataFrame, codes: npt.NDArray[np.int64], seed: int) -> Any:
        if table.nunique(dropna=False).max() < 2:
            return DummyClassifier().fit(table, codes)  # CatBoost refuses what does not vary
        model = self._load()(
            iterations=self.n_estimators,
            learning_rate=self.learning_rate,
            depth=self.depth,
            thread_count=self._threads(),
            random_seed=seed,
            cat_features=self.table_.categorical_,
            allow_writing_files=False,
            logging_level="Silent",
        )
        return model.fit(as_texts(table, self.table_.categorical_), codes)

    def _probabilities(self, table: pd.DataFrame) -> npt.NDArray[np.floating]:
        texts = as_texts(table, self.table_.categorical_)
        if isinstance(self.model_, DummyClassifier):
            return self.model_.predict_proba(texts)
        return self.model_.predict_proba(texts, thread_count=self._threads())


class ExplainableBoostingClassifier(PeerClassifier):
    """Explainable boosting machine of interpret (Nori et al., 2019) for labels of any kind.

    Parameters
    ----------
    max_rounds : int, default=50000
        Boosting rounds at most; interpret stops early. This and the default below are its own.
    outer_bags : int, default=14
        Models whose mean is taken, each with a validation part of its own.
    n_jobs : int, default=1
        Processes.
    random_state : int, RandomState or None, default=None
        Seed of the draws.

    References
    ----------
    Nori, Jenkins, Koch and Caruana, "InterpretML: a unified framework for machine learning
    interpretability", arXiv 1909.09223.
    """

    _library = "interpret"
    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "max_rounds": [_AT_LEAST_1],
        "outer_bags": [_AT_LEAST_1],
        **_OURS,
    }

    def __init__(
        self,
        *,
        max_rounds: int = 50000,
        outer_bags: int = 14,
        n_jobs: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.max_rounds = max_rounds
        self.outer_bags = outer_bags
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _load(self) -> Any:
        from interpret.glassbox import ExplainableBoostingClassifier as Library

        return Library

    def _fitted(self, table: pd.DataFrame, codes: npt.NDArray[np.int64], seed: int) -> Any:
        n_numeric = table.shape[1] - len(self.table_.categorical_)
        model = self._load()(
            # Named, or else numbers of few values count as categories.
            feature_types=["continuous"] * n_numeric + ["nominal"] * len(self.table_.categorical_),
            max_rounds=self.max_rounds,
            outer_bags=self.outer_bags,
            n_jobs=self._threads(),
            random_state=seed,
        )
        return model.fit(as_texts(table, self.table_.categorical_), codes)

    def _probabilities(self, table: pd.DataFrame) -> npt.NDArray[np.floating]:
        return self.model_.predict_proba(as_texts(table, self.table_.categorical_))


class ChimeraBoostClassifier(PeerClassifier):
    """ChimeraBoost, oblivious trees with linear leaves on numba, for labels of any kind.

    Parameters
    ----------
    n_estimators : int, default=2000
        Boosting rounds at most; ChimeraBoost stops early on a fifth of the rows and then fits
        again on all. This and the defaults below are its own.
    learning_rate : float or None, default=None
        Shrinkage of each tree; None lets it choose by rows.
    depth : int, default=6
        Depth of the trees.
    n_jobs : int, default=1
        Threads.
    random_state : int, RandomState or None, default=None
        Seed of the draws.

    References
    ----------
    ChimeraBoost, https://pypi.org/project/chimeraboost/.
    """

    _library = "chimeraboost"
    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "n_estimators": [_AT_LEAST_1],
        "learning_rate": [_ABOVE_0, None],
        "depth": [_AT_LEAST_1],
        **_OURS,
    }

    def __init__(
        self,
        *,
        n_estimators: int = 2000,
        learning_rate: float | None = None,
        depth: int = 6,
        n_jobs: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.depth = depth
        self.n_jobs = n_jobs
        self.random_state = random_state

    def warm_up(self) -> None:
        """Import the library and let it compile what the first fit of a machine compiles."""
        super().warm_up()
        from chimeraboost.warmup import warmup

        with quiet(), kept_randomness():
            warmup()

    def _load(self) -> Any:
        from chimeraboost import ChimeraBoostClassifier as Library

        return Library

    def _fitted(self, table: pd.DataFrame, codes: npt.NDArray[np.int64], seed: int) -> Any:
        model = self._load()(
            n_estimators=self.n_estimators,
            learning_rate=self.learning_rate,
            depth=self.depth,
            thread_count=self._threads(),
            ensemble_n_jobs=1,
            random_state=seed,
            cat_features=self.table_.categorical_ or None,
        )
        return model.fit(as_texts(table, self.table_.categorical_), codes)

    def _probabilities(self, table: pd.DataFrame) -> npt.NDArray[np.floating]:
        return self.model_.predict_proba(as_texts(table, self.table_.categorical_))
