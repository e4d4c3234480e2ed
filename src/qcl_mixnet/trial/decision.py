"""Another decision for the model that a trial saved."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.decisions.wishes import OperatingPointWarning
from qcl_mixnet.estimators.decision_rules import OutOfFold
from qcl_mixnet.keeping.kept_model import KeptModel
from qcl_mixnet.keeping.saving import save_fitted
from qcl_mixnet.trial.folder import MODEL_FOLDER, OUT_OF_FOLD_FILE, SavedTrial


@dataclass(frozen=True)
class Decided:
    """What came of it.

    Attributes
    ----------
    rule : str
        What decides now, in a few words.
    change : DataFrame of shape (n_classes, 8)
        Scores before and after, as of `QCLMixNetClassifier.set_decision`.
    notes : list of str
        What the rows cannot promise.
    """

    rule: str
    change: pd.DataFrame
    notes: list[str]


def decide_trial(trial: SavedTrial, decision: Any, *, save: bool = True) -> Decided:
    """Tune another decision on out-of-fold rows, and save the model with it.

    The rows are those that the model kept of its own training; a model that kept none is given
    those on which the trial compared it.

    Parameters
    ----------
    trial : SavedTrial
    decision : any
        As of `QCLMixNetClassifier.set_decision`.
    save : bool, default=True
        Replace the model's files.

    Returns
    -------
    Decided

    Raises
    ------
    DataError
        When the trial kept no model or no out-of-fold rows, and for what is no decision among the
        classes.
    ModelFileError
        When the model cannot be read or saved.
    """
    model = trial.load_model("cpu")
    if isinstance(model, KeptModel) and model.lacks_out_of_fold:
        model.out_of_fold = _rows_of_trial(trial, model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", OperatingPointWarning)
        try:
            change = model.set_decision(decision)
        except ValueError as error:
            raise DataError(str(error)) from error
    notes = [str(one.message) for one in caught if one.category is OperatingPointWarning]
    if save:
        save_fitted(model, trial.folder / MODEL_FOLDER, overwrite=True)
    return Decided(model.decision_rule_.describe(model.classes_), change, notes)


def _rows_of_trial(trial: SavedTrial, model: KeptModel) -> OutOfFold:
    """Each row once, as the first of the repeats predicted it."""
    path = trial.folder / OUT_OF_FOLD_FILE
    if not path.is_file():
        raise DataError(
            f"{trial.folder} holds no {OUT_OF_FOLD_FILE}, which decisions are tuned on; run the "
            "trial again"
        )
    labels = [str(label) for label in model.classes_.tolist()]
    rows = pd.read_csv(path, dtype={"label": str}, keep_default_na=False)
    try:
        rows = rows.drop_duplicates("row")
        probabilities = rows[[f"proba_{label}" for label in labels]].to_numpy(dtype=np.float64)
        codes = rows["label"].map({label: code for code, label in enumerate(labels)})
        return OutOfFold(probabilities, codes.to_numpy().astype(np.int64))
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{path} does not hold the rows of the model's classes ({error}); run the trial again"
        ) from error
