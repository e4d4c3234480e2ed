"""Studies in SQLite files: opened, held to what they were begun with, and told of in sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from qcl_mixnet.tuning.errors import TuningError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner

SETUP = "setup"
BUSY_SECONDS = 30  # that another program may take to write before the file counts as locked
_MOST_NAMED = 3


@contextmanager
def stored_study(
    path: Path,
    name: str,
    setup: Mapping[str, Any],
    *,
    maximize: bool,
    pruner: BasePruner,
) -> Iterator[Study]:
    """Open a study of a file, or begin it; close the file when the context ends.

    Trials that a killed process left behind as running are marked as failed: they have no score.

    Parameters
    ----------
    path : Path
        SQLite file; made with its folder where it is not there.
    name : str
        Name of the study in the file.
    setup : mapping
        JSON-able: all that decides a trial. It is kept with the study.
    maximize : bool
    pruner : optuna.pruners.BasePruner

    Raises
    ------
    TuningError
        When the file cannot be read or written, or the study was begun with another setup.
    """
    import optuna
    from optuna.storages import RDBStorage
    from optuna.trial import TrialState
    from sqlalchemy.exc import SQLAlchemyError

    # Its own handler would print a line for every study that is opened.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            storage = RDBStorage(
                _address(path),
                engine_kwargs={"connect_args": {"timeout": BUSY_SECONDS}},
            )
        except (RuntimeError, AssertionError) as error:
            raise TuningError(_of_another_version(path, error)) from error
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize" if maximize else "minimize",
            pruner=pruner,
            load_if_exists=True,
        )
        try:
            _check_setup(study, path, json.loads(json.dumps(setup)))
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                study.tell(trial.number, state=TrialState.FAIL)
        except (json.JSONDecodeError, RecursionError) as error:
            raise TuningError(
                f"The study in {path} is damaged ({error}); move the file away: the study is then "
                "made anew."
            ) from error
        yield study
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError, OSError) as error:
        raise TuningError(
            f"The study in {path} cannot be read or written ({_innermost(error)}); free it, or "
            f"move the file away: the study is then made anew."
        ) from error
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()


def _of_another_version(path: Path, error: BaseException) -> str:
    import optuna

    writer = re.search(r"set up by optuna ([\w.]+)", str(error))
    return (
        f"The study in {path} has tables of Optuna {writer[1] if writer else 'that is not known'}, "
        f"and the Optuna {optuna.__version__} that is installed does not read them; install a "
        "version that does (pip install -U optuna), or move the file away: the study is then made "
        "anew."
    )


def _address(path: Path) -> str:
    """Write the address of a file, quoted for SQLite and then for SQLAlchemy.

    A bare path may hold a question mark, or braces, which Optuna would fill.
    """
    from sqlalchemy import URL

    database = f"file:{quote(str(path.resolve()))}"
    return URL.create("sqlite", database=database, query={"uri": "true"}).render_as_string()


def _check_setup(study: Study, path: Path, setup: dict[str, Any]) -> None:
    before = study.user_attrs.get(SETUP)
    if before is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(SETUP, setup)
    elif before != setup:
        if before is None:
            what = "by another program"
        else:
            what = f"with other settings: {_listed(differences(before, setup))}"
        raise TuningError(
            f"The study in {path} was begun {what}; its trials cannot be compared with new ones. "
            f"Give this one another name with --params=tuning.study=second, or delete the file."
        )


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Name what differs between two nested mappings, each with both values.

    Parameters
    ----------
    before, now : object
        Mappings of names to such mappings, or to values.
    name : str, optional
        Dotted name of the place where they stand.
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = [*before, *(key for key in now if key not in before)]
        places = {key: f"{name}.{key}" if name else key for key in keys}
        return [
            text for key in keys for text in differences(before.get(key), now.get(key), places[key])
        ]
    return [] if before == now else [f"{name} was {before!r} and is {now!r}"]


def _listed(found: list[str]) -> str:
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(found[:_MOST_NAMED]) + more


def _innermost(error: BaseException) -> str:
    """First line of what the database or the operating system said, below all wrappers."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
