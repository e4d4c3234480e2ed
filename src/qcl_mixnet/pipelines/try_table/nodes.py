"""Nodes of the pipeline `try`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich import get_console

from qcl_mixnet.project.configuration import expanded
from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.project.try_options import TryOptions
from qcl_mixnet.trial.folder import RECORD_FILE
from qcl_mixnet.trial.tables import stem_of
from qcl_mixnet.trial.whole import try_file


def try_table(kept_models: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Say what can be learnt from a file, by what, and how well; save the best model.

    Parameters
    ----------
    kept_models : Path
        The layer of models.
    options : mapping
        See `TryOptions`.

    Returns
    -------
    dict
        The record of the trial, its `folder`, and the `model`'s folder or None.

    Raises
    ------
    ConfigurationError
        When no file is named, or an earlier trial must not be replaced.
    DataError, EvaluationError
        When the file cannot be tried.
    KeyboardInterrupt
        When the user ended it; what was done is in the folder.
    """
    checked = TryOptions.model_validate(options)
    if checked.table is None:
        raise ConfigurationError(
            "Parameter 'try.table' is not given; say which file with "
            "--params=try.table=/a/path,try.target=COLUMN."
        )
    folder = _folder(checked, kept_models)
    if (folder / RECORD_FILE).is_file() and not checked.overwrite:
        raise ConfigurationError(
            f"{folder} holds an earlier trial; replace it with --params=try.overwrite=true, or "
            "name another folder with try.output."
        )
    console = get_console()
    tried = try_file(
        expanded(checked.table) if "://" not in checked.table else checked.table,
        folder,
        checked.table_options(),
        checked.trial_options(),
        overwrite=checked.overwrite,
        keep=checked.keep,
        tell=lambda text: console.print(text, highlight=False, markup=False, soft_wrap=True),
    )
    if tried.interrupted:
        raise KeyboardInterrupt
    model = None if tried.model is None else str(tried.model)
    return {**tried.record, "folder": str(folder), "model": model}


def _folder(options: TryOptions, kept_models: Path) -> Path:
    """Where the results go."""
    if options.output is not None:
        return Path(expanded(options.output))
    return kept_models / "trials" / stem_of(str(options.table))
