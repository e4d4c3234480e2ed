"""The strongest networks for tables of other people, as pytabkit has them.

The library is imported where it is used: it is in the extra `peers` of this package.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions

from qcl_mixnet.baselines.peers import PeerClassifier

_AT_LEAST_1 = Interval(Integral, 1, None, closed="left")
_OURS: dict[str, list[Any]] = {
    "epochs": [_AT_LEAST_1, None],
    "n_jobs": [Integral],
    "random_state": ["random_state"],
}


class _PytabkitClassifier(PeerClassifier):
    """A classifier of pytabkit on a CPU; gaps among numbers get the training median."""

    _library = "pytabkit"
    _keep_gaps = False  # pytabkit refuses them

    epochs: int | None

    def _options(self) -> dict[str, Any]:
        """Options besides those that all have."""
        return {}

    def _fitted(self, table: pd.DataFrame, codes: npt.NDArray[np.int64], seed: int) -> Any:
        model = self._load()(
            n_epochs=self.epochs,
            n_threads=self._threads(),
            random_state=seed,
            device="cpu",
            **self._options(),
        )
        return model.fit(table, codes)


class RealMLPClassifier(_PytabkitClassifier):
    """RealMLP-TD, a network with tuned defaults (Holzmüller, Grinsztajn and Steinwart, 2024).

    It keeps the epoch with the fewest errors on a fifth of the training rows.

    Parameters
    ----------
    epochs : int or None, default=None
        None for the authors' 256.
    n_jobs : int, default=1
        Threads.
    random_state : int, RandomState or None, default=None
        Seed of everything random.

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data", NeurIPS 2024.
    """

    _parameter_constraints = _OURS

    def __init__(
        self,
        *,
        epochs: int | None = None,
        n_jobs: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.epochs = epochs
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _load(self) -> Any:
        from pytabkit import RealMLP_TD_Classifier

        return RealMLP_TD_Classifier


class TunedRealMLPClassifier(_PytabkitClassifier):
    """RealMLP with a random search over a space that its authors published.

    The configuration with the fewest errors on a fifth of the training rows is kept.

    Parameters
    ----------
    n_trials : int, default=20
        Configurations that are tried.
    search_space : {'default', 'tabarena'}, default='default'
        The space of the paper, or the larger one of TabArena, whose networks take longer.
    epochs : int or None, default=None
        None for those of the space.
    n_jobs : int, default=1
        Threads.
    random_state : int, RandomState or None, default=None
        Seed of everything random.

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data", NeurIPS 2024.
    """

    _parameter_constraints = {  # noqa: RUF012
        **_OURS,
        "n_trials": [_AT_LEAST_1],
        "search_space": [StrOptions({"default", "tabarena"})],
    }

    def __init__(
        self,
        *,
        n_trials: int = 20,
        search_space: str = "default",
        epochs: int | None = None,
        n_jobs: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_trials = n_trials
        self.search_space = search_space
        self.epochs = epochs
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _load(self) -> Any:
        from pytabkit import RealMLP_HPO_Classifier

        return RealMLP_HPO_Classifier

    def _options(self) -> dict[str, Any]:
        return {"n_hyperopt_steps": self.n_trials, "hpo_space_name": self.search_space}


class TabMClassifier(_PytabkitClassifier):
    """TabM-D, 32 networks that share most weights (Gorishniy, Kotelnikov and Babenko, 2025).

    It stops when 16 epochs have brought nothing on a fifth of the training rows.

    Parameters
    ----------
    epochs : int or None, default=None
        The most epochs; None for no limit.
    n_jobs : int, default=1
        Threads.
    random_state : int, RandomState or None, default=None
        Seed of everything random.

    References
    ----------
    Gorishniy, Kotelnikov and Babenko, "TabM: advancing tabular deep learning with
    parameter-efficient ensembling", ICLR 2025.
    """

    _parameter_constraints = _OURS

    def __init__(
        self,
        *,
        epochs: int | None = None,
        n_jobs: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.epochs = epochs
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _load(self) -> Any:
        from pytabkit import TabM_D_Classifier

        return TabM_D_Classifier
