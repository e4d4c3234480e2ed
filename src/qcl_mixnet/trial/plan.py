"""How long a trial may take, in how many folds, with which models: by stated rules."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import cpu_count
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.suggestions import did_you_mean
from qcl_mixnet.trial.shortlist import DUMMY, PLUS, RECOMMENDED, SHORTLIST

# Seconds of a trial unless the user says how many: enough for all models on two cores.
SHORTEST, SECONDS_PER_ROW, LONGEST = 150.0, 0.018, 1_800.0
_QUICK_ROWS = 5_000
# Shares of the time: for all folds, for QCL-MixNet+ in all of them together, and for the winner on
# all rows if it takes what it is given.
FOLDS_SHARE, PLUS_SHARE, WINNER_SHARE = 0.8, 0.4, 0.2
# With fewer rows several threads help little, and on a busy machine they wait for one another.
MANY_ROWS = 2_000
# Ten networks of a hundred epochs take minutes above so many rows.
MOST_ROWS_RECOMMENDED = 20_000


class TrialOptions(BaseModel):
    """What a user may say about a trial; None leaves it to the rules.

    Attributes
    ----------
    models : list of str or None
        Names on the short list.
    folds, repeats : int or None
        Of the cross-validation.
    time_limit : float or None
        Seconds for everything after the reading of the table.
    seed : int
        Of folds and models.
    n_jobs : int or None
        Threads; None: one, or one for every core from 2,000 rows on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: list[str] | None = Field(default=None, min_length=1)
    folds: int | None = Field(default=None, ge=2)
    repeats: int | None = Field(default=None, ge=1)
    time_limit: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    seed: int = Field(default=42, ge=0, lt=2**31)
    n_jobs: int | None = Field(default=None, ge=1)


@dataclass(frozen=True)
class Plan:
    """A trial of a table of some size.

    Attributes
    ----------
    specs : dict of str to ModelSpec
        The models, in the order of their training.
    folds, repeats : int
    seconds : float
        For everything.
    n_jobs : int
    left_out : dict of str to str
        Models that the rules leave out, and why.
    """

    specs: dict[str, ModelSpec]
    folds: int
    repeats: int
    seconds: float
    n_jobs: int
    left_out: dict[str, str]

    @classmethod
    def of(
        cls,
        n_rows: int,
        most: int,
        options: TrialOptions,
        *,
        redraw: bool = True,
        n_groups: int | None = None,
    ) -> Plan:
        """Follow the rules.

        Parameters
        ----------
        n_rows : int
            Of the table.
        most : int
            Folds that can be drawn at most, see `most_folds`.
        options : TrialOptions
        redraw : bool, default=True
            Whether folds can be drawn anew: not forward in time.
        n_groups : int, optional
            Groups of rows: each network of the recommended ensemble leaves at least one out.

        Raises
        ------
        EvaluationError
            For a model that is not on the short list, and repeats forward in time.
        """
        if options.repeats and options.repeats > 1 and not redraw:
            raise EvaluationError(
                f"Folds forward in time can be drawn once only, and {options.repeats} repeats are "
                "asked for; leave --repeats out, or --time."
            )
        folds = options.folds or max(2, min(5 if n_rows < 2_000 else 3, most))
        repeats = options.repeats or (2 if n_rows < 1_000 and redraw else 1)
        grown = SHORTEST + SECONDS_PER_ROW * max(0, n_rows - _QUICK_ROWS)
        seconds = options.time_limit or min(grown, LONGEST)
        names, left_out = list(options.models or SHORTLIST), {}
        if options.models is None and n_rows > MOST_ROWS_RECOMMENDED:
            names.remove(RECOMMENDED)
            left_out[RECOMMENDED] = (
                f"it takes minutes a fold above {MOST_ROWS_RECOMMENDED:,} rows; --model "
                f"{RECOMMENDED} asks for it"
            )
        specs = {name: _known(name) for name in dict.fromkeys([DUMMY, *names])}
        if PLUS in specs:
            limit = PLUS_SHARE * seconds / (folds * repeats)
            specs[PLUS] = _with_limit(specs[PLUS], limit)
        if RECOMMENDED in specs and n_groups is not None:
            trained_on = n_groups - math.ceil(n_groups / folds)
            specs[RECOMMENDED] = _with_members(specs[RECOMMENDED], max(2, trained_on))
        n_jobs = options.n_jobs or (1 if n_rows < MANY_ROWS else cpu_count())
        return cls(specs, folds, repeats, seconds, n_jobs, left_out)

    def for_all_rows(self, name: str) -> ModelSpec:
        """The winner's specification for its training on all rows."""
        spec = self.specs[name]
        return _with_limit(spec, WINNER_SHARE * self.seconds) if name == PLUS else spec


def most_folds(
    codes: NDArray[np.int64], groups: pd.Series | None = None, time: pd.Series | None = None
) -> int:
    """Into how many folds a table can be split.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Encoded classes.
    groups, time : Series of shape (n_samples,), optional

    Returns
    -------
    int
        Rows of the smallest class; with groups, those that the rarest class is found in; with
        time, steps from one moment to the next.
    """
    if time is not None:
        return int(time.nunique()) - 1
    if groups is not None:
        return int(groups.groupby(codes).nunique().min())
    return int(np.bincount(codes).min())


def _with_members(spec: ModelSpec, most: int) -> ModelSpec:
    n_members = min(spec.params["n_members"], most)
    return spec.model_copy(update={"params": {**spec.params, "n_members": n_members}})


def _with_limit(spec: ModelSpec, seconds: float) -> ModelSpec:
    return spec.model_copy(update={"params": {**spec.params, "time_limit": round(seconds, 2)}})


def _known(name: str) -> ModelSpec:
    if name not in SHORTLIST:
        raise EvaluationError(
            f"There is no model {name!r} to try{did_you_mean(name, SHORTLIST)}; choose among "
            f"{', '.join(SHORTLIST)}."
        )
    return SHORTLIST[name]
