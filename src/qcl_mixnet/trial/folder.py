"""What a trial leaves behind: its records as files that people read, and the winner's model."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.evaluation.keys import library_versions
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.whole import fit_whole
from qcl_mixnet.inspection.plan import ReadingPlan, read_plan
from qcl_mixnet.keeping.loading import KEPT_FILE, load_fitted
from qcl_mixnet.keeping.saving import save_fitted
from qcl_mixnet.trial.trial import Trial
from qcl_mixnet.version import __version__
from qcl_mixnet.writing import strict_json, user_path, write_atomically

RECORD_FILE = "trial.json"
BOARD_FILE = "leaderboard.csv"
READINGS_FILE = "columns.yml"
OUT_OF_FOLD_FILE = "out_of_fold.csv"
MODEL_FOLDER = "model"
SCHEMA_VERSION = 1
_NEEDED = {"file", "file_format", "columns", "leaderboard", "verdict"}


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Refuse, before anything is computed, a folder that holds something else or must be kept.

    Raises
    ------
    DataError
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DataError(f"the output {folder} is a file; name another folder with --output")
    if not any(folder.iterdir()):
        return
    if not (folder / RECORD_FILE).is_file():
        raise DataError(
            f"the output {folder} holds something else than a trial; name another folder with "
            "--output"
        )
    if not overwrite:
        raise DataError(
            f"the output {folder} holds an earlier trial; replace it with --overwrite, or name "
            "another folder with --output"
        )
    model = folder / MODEL_FOLDER
    if model.exists() and not (model / KEPT_FILE).is_file():
        raise DataError(
            f"{model} is no model of an earlier trial, and would be replaced; move it away, or "
            "name another folder with --output"
        )


def write_records(trial: Trial, folder: Path) -> dict[str, Any]:
    """Write leaderboard, readings, the winner's out-of-fold predictions and, last, the record.

    Returns
    -------
    dict
        The record, as JSON has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Those of an earlier trial must not speak for this one: it may have no winner, or no model.
    for name in (RECORD_FILE, OUT_OF_FOLD_FILE):
        (folder / name).unlink(missing_ok=True)
    if (folder / MODEL_FOLDER).exists():
        shutil.rmtree(folder / MODEL_FOLDER)
    write_atomically(folder / BOARD_FILE, lambda path: trial.board.to_csv(path, index=False))
    trial.table.readings.to_yaml(folder / READINGS_FILE)
    rows = out_of_fold(trial)
    if rows is not None:
        write_atomically(folder / OUT_OF_FOLD_FILE, lambda path: rows.to_csv(path, index=False))
    record = trial_record(trial)
    write_record(record, folder)
    return record


def write_record(record: Mapping[str, Any], folder: Path) -> None:
    """Write the record of a trial, in place of an earlier one."""
    text = json.dumps(record, indent=1, ensure_ascii=False, default=_plain) + "\n"
    write_atomically(folder / RECORD_FILE, lambda file: file.write_text(text, encoding="utf-8"))


def out_of_fold(trial: Trial) -> pd.DataFrame | None:
    """The winner's predictions of rows that it had not seen, in words of the file.

    Returns
    -------
    DataFrame or None
        `fold`, `row` (of the labelled rows, from 0), the true `label`, `predicted`, and
        `proba_<class>`; None without a winner. The scores of the leaderboard are of these rows.
    """
    if trial.verdict.winner is None:
        return None
    scored = trial.comparison.scored_folds(trial.plan.folds)
    folds = trial.comparison.attempts[trial.verdict.winner].folds[:scored]
    rows = pd.concat([fold.assign(fold=i) for i, fold in enumerate(folds)], ignore_index=True)
    classes = trial.table.classes
    frame = pd.DataFrame(
        {
            "fold": rows["fold"],
            "row": rows["row"],
            "label": classes[rows["y_true"]],
            "predicted": classes[rows["y_pred"]],
        }
    )
    for code, label in enumerate(classes):
        frame[f"proba_{label}"] = rows[f"proba_{code}"]
    return frame


def trial_record(trial: Trial) -> dict[str, Any]:
    """All that a trial found, as JSON has it."""
    comparison, plan = trial.comparison, trial.plan
    return strict_json(
        {
            "format": "qcl-mixnet trial",
            "schema_version": SCHEMA_VERSION,
            "library_version": __version__,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "interrupted": comparison.interrupted,
            "file": trial.table.sniffed.describe(),
            "file_format": trial.table.sniffed.format,
            "target": trial.table.readings.target,
            "classes": [str(label) for label in trial.table.classes],
            "columns": {c.name: f"{c.kind}: {c.words()}" for c in trial.table.readings.columns},
            "data": trial.report.to_dict(),
            "protocol": {
                "folds": plan.folds,
                "repeats": plan.repeats,
                "folds_done": comparison.n_folds,
                "folds_scored": comparison.scored_folds(plan.folds),
                "seed": trial.seed,
                "seconds": plan.seconds,
                "n_jobs": plan.n_jobs,
                "groups": _name(trial.table.groups),
                "time": _name(trial.table.time),
                "left_out": plan.left_out,
                "models": {
                    name: spec.model_dump(mode="json", by_alias=True)
                    for name, spec in plan.specs.items()
                },
            },
            "leaderboard": json.loads(trial.board.to_json(orient="records", double_precision=15)),
            "verdict": trial.verdict.to_dict(),
            "versions": library_versions(),
        }
    )


def _name(column: pd.Series | None) -> str | None:
    return None if column is None else str(column.name)


def keep_winner(trial: Trial, folder: Path) -> Path:
    """Fit the winner on all rows, and save it beside the records.

    Returns
    -------
    Path
        Of the model, which `load_fitted` reads.
    """
    name = trial.verdict.winner
    assert name is not None, "a trial without a winner has none to keep"
    spec = trial.plan.for_all_rows(name)
    table = trial.table
    fitted = fit_whole(
        table.X,
        table.y.to_numpy(),
        spec,
        EvaluationProtocol(seed=trial.seed),
        n_jobs=trial.plan.n_jobs,
        encoder=table.encoder,
        groups=table.owners,
    )
    dataset = {
        "name": Path(table.sniffed.source.path).stem,
        "target": table.readings.target,
        "rows": len(table.X),
        "columns": [str(column) for column in table.X.columns],
    }
    path = folder / MODEL_FOLDER
    save_fitted(fitted.model, path, spec=spec, dataset=dataset, overwrite=True)
    return path


@dataclass(frozen=True)
class SavedTrial:
    """A trial's folder, read again.

    Attributes
    ----------
    folder : Path
    record : dict
    readings : ReadingPlan
    """

    folder: Path
    record: Mapping[str, Any]
    readings: ReadingPlan

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> SavedTrial:
        """Read what `write_records` wrote.

        Raises
        ------
        DataError
            If the folder holds no trial, or one of a newer version.
        """
        try:
            path = user_path(folder)
        except ValueError as error:
            raise DataError(str(error)) from error
        if not (path / RECORD_FILE).is_file():
            raise DataError(
                f"{path} holds no trial ({RECORD_FILE} is missing); name a folder that "
                "`qcl-mixnet try` wrote"
            )
        try:
            record = json.loads((path / RECORD_FILE).read_text(encoding="utf-8"))
            version = record["schema_version"]
            if version == SCHEMA_VERSION and (lacks := _NEEDED - record.keys()):
                raise ValueError(f"it lacks {min(lacks)}")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(
                f"{path / RECORD_FILE} is damaged ({type(error).__name__}: {error}); run the trial "
                "again"
            ) from error
        if version != SCHEMA_VERSION:
            raise DataError(
                f"{path / RECORD_FILE} has version {version}, and this package reads "
                f"{SCHEMA_VERSION}; read it with the version of the package that wrote it"
            )
        return cls(path, record, read_plan(path / READINGS_FILE))

    def load_model(self, device: str = "auto") -> Any:
        """The winner, fitted on all rows.

        Raises
        ------
        DataError
            If the trial kept none.
        ModelFileError
            As `load_fitted`.
        """
        path = self.folder / MODEL_FOLDER
        if not path.is_dir():
            raise DataError(
                f"{self.folder} holds no model: the trial was interrupted, or no model beat a "
                "guess; try again with --keep, more time or other columns"
            )
        return load_fitted(path, device)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return str(value)
