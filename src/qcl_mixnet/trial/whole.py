"""All of a trial, from the file to the saved model: the console's command and Kedro's pipeline."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.trial.comparison import OnFit
from qcl_mixnet.trial.folder import check_output, keep_winner, write_record, write_records
from qcl_mixnet.trial.opening import TableOptions, open_table
from qcl_mixnet.trial.plan import TrialOptions
from qcl_mixnet.trial.tables import board_lines
from qcl_mixnet.trial.trial import Trial, run_trial


@dataclass(frozen=True)
class TriedFile:
    """What a trial left behind.

    Attributes
    ----------
    folder : Path
    record : dict
        As `trial.json` has it.
    model : Path or None
        Folder of the winner, fitted on all rows; None where no model is worth it.
    """

    folder: Path
    record: dict[str, Any]
    model: Path | None

    @property
    def interrupted(self) -> bool:
        """Whether the user ended it, during the folds or the training on all rows."""
        return bool(self.record["interrupted"])


def try_file(
    file: str,
    folder: Path,
    table_options: TableOptions,
    options: TrialOptions,
    *,
    overwrite: bool = False,
    keep: bool = False,
    tell: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    on_fit: OnFit = lambda label, fold, n_folds: None,  # noqa: ARG005
) -> TriedFile:
    """Say what can be learnt from a file, by what, and how well; save the best model.

    Parameters
    ----------
    file : str
        Path or address.
    folder : Path
        Of the results.
    table_options : TableOptions
    options : TrialOptions
    overwrite : bool, default=False
        Replace an earlier trial in the folder.
    keep : bool, default=False
        Save the first model even if it does not beat a guess.
    tell : callable
        Gets what a reader should know, as soon as it is known.
    on_fit : callable
        See `compare`.

    Raises
    ------
    DataError
        Before anything is trained.
    EvaluationError
        Before anything is trained, or, with the records written, if the winner cannot be fitted
        on all rows.
    """
    check_output(folder, overwrite=overwrite)
    table = open_table(file, table_options, tell)
    tell("")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of models say little to who tries them all
        trial = run_trial(table, options, tell=tell, on_fit=on_fit)
        record = write_records(trial, folder)
        tell("")
        for line in (*board_lines(record["leaderboard"]), "", *trial.verdict.sentences):
            tell(line)
        interrupted, model = trial.comparison.interrupted, None
        if not interrupted:
            try:
                model = _keep(trial, folder, keep=keep, tell=tell)
            except KeyboardInterrupt:
                interrupted = True
                record = record | {"interrupted": True}
                write_record(record, folder)
        if interrupted:
            tell(f"\nInterrupted: what was done is in {folder}; no model was saved.")
    return TriedFile(folder, record, model)


def _keep(trial: Trial, folder: Path, *, keep: bool, tell: Callable[[str], None]) -> Path | None:
    """Save the winner, unless it is worth nothing."""
    winner = trial.verdict.winner
    if winner is None or not (trial.verdict.learnable or keep):
        remedy = "" if winner is None else " (--keep saves one all the same)"
        tell(f"\nNo model is saved{remedy}; the records are in {folder}.")
        return None
    label = trial.plan.specs[winner].label
    tell(f"\nTraining {label} on all {len(trial.table.X):,} rows ...")
    try:
        path = keep_winner(trial, folder)
    except (ModelFileError, OSError):
        raise
    except Exception as error:  # whatever a model may raise
        raise EvaluationError(
            f"{label} was compared but cannot be fitted on all rows ({type(error).__name__}: "
            f"{error}); the records are in {folder}: name other models with --model"
        ) from error
    shown = f'"{folder}"' if " " in str(folder) else folder
    tell(f"Saved in {folder}. Predict with: qcl-mixnet predict {shown} NEW_FILE")
    return path
