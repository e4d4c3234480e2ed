"""A trial: a table looked through, models compared on its folds, and what that means."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.data.ingestion import content_sha256
from qcl_mixnet.evaluation.cell_data import CellData
from qcl_mixnet.evaluation.folds import cross_validation
from qcl_mixnet.evaluation.splits import Split
from qcl_mixnet.inspection.report import DataReport, inspect_table
from qcl_mixnet.trial.comparison import Comparison, OnFit, compare
from qcl_mixnet.trial.leaderboard import Scored, leaderboard, score_attempts
from qcl_mixnet.trial.opening import OpenedTable
from qcl_mixnet.trial.plan import FOLDS_SHARE, Plan, TrialOptions, most_folds
from qcl_mixnet.trial.verdict import Verdict, judge


@dataclass(frozen=True)
class Trial:
    """What came of a trial.

    Attributes
    ----------
    table : OpenedTable
    report : DataReport
    plan : Plan
    comparison : Comparison
    scored : dict of str to Scored
    board : DataFrame
        The leaderboard.
    verdict : Verdict
    seed : int
        Of folds, models and bootstrap samples.
    """

    table: OpenedTable
    report: DataReport
    plan: Plan
    comparison: Comparison
    scored: dict[str, Scored]
    board: pd.DataFrame
    verdict: Verdict
    seed: int


def run_trial(
    table: OpenedTable,
    options: TrialOptions,
    *,
    tell: Callable[[str], None] = lambda line: None,  # noqa: ARG005
    on_fit: OnFit = lambda label, fold, n_folds: None,  # noqa: ARG005
) -> Trial:
    """Look through a table and compare the models of the short list on its folds.

    Parameters
    ----------
    table : OpenedTable
    options : TrialOptions
    tell : callable
        Gets the data report and other lines, as soon as they are known.
    on_fit : callable
        See `compare`.

    Returns
    -------
    Trial
        After a KeyboardInterrupt with what was done by then.

    Raises
    ------
    EvaluationError
        If the table cannot be split into folds, or a model is not known.
    """
    started = time.monotonic()
    codes = table.codes
    counts = np.bincount(codes)
    most = most_folds(codes, table.groups, table.time)
    n_groups = None if table.groups is None else int(table.groups.nunique())
    plan = Plan.of(len(codes), most, options, redraw=table.time is None, n_groups=n_groups)
    splits = cross_validation(
        codes,
        folds=plan.folds,
        repeats=plan.repeats,
        seed=options.seed,
        groups=table.groups,
        time=table.time,
    )
    report = inspect_table(
        table.X,
        table.y,
        readings=table.readings,
        table=table.sniffed.table,
        splits=[(split.train, split.test) for split in splits],
        random_state=options.seed,
    )
    tell(report.to_text())
    tell(_plan_in_words(plan, table))
    comparison = compare(
        _cell_data(table, codes, splits),
        plan.specs,
        seed=options.seed,
        n_jobs=plan.n_jobs,
        seconds=FOLDS_SHARE * plan.seconds - (time.monotonic() - started),
        on_fit=on_fit,
    )
    scored = score_attempts(
        comparison,
        codes,
        int(counts.argmin()),
        plan.folds,
        seed=options.seed,
        groups=table.owners,
    )
    class_names = [str(label) for label in table.classes]
    rows = comparison.tested_rows(plan.folds)
    tested = np.bincount(codes[rows], minlength=len(counts))
    tested_groups = None if table.groups is None else table.groups.iloc[rows].nunique()
    verdict = judge(scored, class_names, counts, tested_groups, tested)
    board = leaderboard(comparison, scored)
    return Trial(table, report, plan, comparison, scored, board, verdict, options.seed)


def _plan_in_words(plan: Plan, table: OpenedTable) -> str:
    how = "at random, each class spread evenly"
    if table.groups is not None:
        how = f"at random, rows of one '{table.groups.name}' together"
    if table.time is not None:
        how = f"forward in '{table.time.name}', each later than what was trained on"
    times = "" if plan.repeats == 1 else f", drawn {plan.repeats} times"
    lines = [f"{plan.folds} folds{times}, {how}; about {plan.seconds:.0f} s at most."]
    lines += [f"{name} is left out: {why}." for name, why in plan.left_out.items()]
    return "\n".join(lines)


def _cell_data(table: OpenedTable, codes: NDArray[np.int64], splits: list[Split]) -> CellData:
    fingerprint = content_sha256(table.X.assign(**{"": codes}))
    return CellData(
        table.X,
        codes,
        len(table.classes),
        splits,
        fingerprint,
        table.encoder,
        table.owners,
    )
