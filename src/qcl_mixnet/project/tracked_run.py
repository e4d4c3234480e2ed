"""The run that a session is tracked as: opened at its start, sent beside it, ended at its end."""

import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qcl_mixnet.project.tracking import end_runs_opened_since, quick_calls
from qcl_mixnet.project.tracking_addresses import public_address, reason
from qcl_mixnet.project.tracking_ledger import Ledger, LedgerRun
from qcl_mixnet.project.tracking_rows import open_run
from qcl_mixnet.project.tracking_sender import Sender

logger = logging.getLogger(__name__)

STOPPED_SECONDS = 5.0  # that the end of a run waits which the user stopped

# The run of the session that runs now; sessions of one process run one after another.
_present: list["TrackedRun"] = []


@dataclass(frozen=True)
class Place:
    """Where a session is tracked.

    Attributes
    ----------
    uri : str
        Address, with secrets; empty where nothing can be tracked now.
    away : tuple of str
        Servers that could not be used now: a later run sends them this one.
    slow : bool
        Whether it takes its time, so that nothing should wait for it.
    data_folder : Path
    experiment : str
        Name of the experiment.
    artifact_location : str or None
        Of a new experiment.
    run_id : str or None
        Of a run that the configuration names, to be gone on with.
    """

    uri: str
    away: tuple[str, ...]
    slow: bool
    data_folder: Path
    experiment: str
    artifact_location: str | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class TrackedRun:
    """What is kept and sent of the present run.

    Attributes
    ----------
    key : str
        Field `run` of the records of its cells.
    ledgers : tuple of Ledger
        One for each place that is to have it.
    sender : Sender or None
        None where no place can be reached now.
    run_id : str
        MLflow's; empty as long as there is none.
    """

    key: str
    ledgers: tuple[Ledger, ...]
    sender: Sender | None
    run_id: str = ""

    def add_report(self, report: Mapping[str, Any]) -> None:
        """Keep what the run itself gets."""
        for ledger in self.ledgers:
            ledger.add_report(report)

    def finish(self, status: str) -> None:
        """Say how the run ended, and send what can be sent."""
        try:
            for ledger in self.ledgers:
                ledger.add_end(status)
        except OSError as error:  # such as of a full disk
            logger.warning(
                "How this run ended cannot be noted down (%s): MLflow shows it as killed.", error
            )
        try:
            if self.sender is not None:
                self.sender.stop(STOPPED_SECONDS if status == "KILLED" else None)
        finally:
            for ledger in self.ledgers:
                ledger.release()


def present_run() -> TrackedRun | None:
    """The run of the session that runs now; None where nothing is tracked."""
    return _present[-1] if _present else None


def begin_tracking(
    place: Place,
    name: str,
    tags: Mapping[str, Any],
    provenance: Mapping[str, str],
    cells: Sequence[Path],
    open_before: str | None = None,
    *,
    tables: Mapping[str, Mapping[str, str]] | None = None,
) -> TrackedRun:
    """Open the present run, or note down that it is to be opened.

    Parameters
    ----------
    place : Place
    name : str
        Of the run.
    tags : mapping
        Tags of the run; empty ones are left out.
    provenance : mapping of str to str
        Tags of the run and of its cells.
    cells : sequence of Path
        Folders of the cells that it may compute.
    open_before : str, optional
        Id of a run that the caller had open, which is used as it is.
    tables : mapping of str to mapping, optional
        Of each data set the files `table` and `schema`.
    """
    from mlflow.tracking.context.registry import resolve_tags

    given = open_before or place.run_id
    run = LedgerRun(
        key=uuid.uuid4().hex,
        address=public_address(place.uri),
        name=name,
        experiment=place.experiment,
        artifact_location=place.artifact_location,
        tags={k: str(v) for k, v in {**resolve_tags(), **tags}.items() if v},
        provenance=dict(provenance),
        cells=[os.path.relpath(path, place.data_folder) for path in cells],
        tables={name: dict(files) for name, files in (tables or {}).items()},
    )
    away = [
        Ledger.create(place.data_folder, replace(run, address=public_address(uri)))
        for uri in place.away
    ]
    if not place.uri:
        tracked = TrackedRun(run.key, tuple(away), None)
    else:
        ledger = Ledger.create(place.data_folder, run)
        problem = None
        if given or not place.slow:
            problem = _open(place, ledger, given)
        sender = Sender(place.uri, place.data_folder, ledger, problem)
        sender.start()
        tracked = TrackedRun(run.key, (ledger, *away), sender, ledger.run.run_id)
    _present.append(tracked)
    return tracked


def _open(place: Place, ledger: Ledger, given: str | None) -> str | None:
    """Open a run while the session waits, which it does for seconds; say why it cannot be."""
    from mlflow.tracking import MlflowClient

    try:
        with quick_calls():
            client = MlflowClient(tracking_uri=place.uri)
            if given is None:
                open_run(client, ledger)
            else:
                experiment = client.get_run(given).info.experiment_id
                known = replace(ledger.run, run_id=given, experiment_id=experiment, own=False)
                ledger.write(known)
    except Exception as error:  # a server that answers with nonsense confuses MLflow at will
        why = reason(error, place.uri)
        logger.warning(
            "MLflow at %s cannot open a run (%s): it is noted down, and the end of this run or the "
            "next one sends it from %s. Its results are in %s all the same.",
            public_address(place.uri), why, ledger.folder.parent, place.data_folder,
        )  # fmt: skip
        return why
    return None


def end_tracking(before: str | None, status: str) -> None:
    """End what a session tracked.

    Parameters
    ----------
    before : str or None
        Id of the run that was open before the session, which stays open.
    status : {"FINISHED", "FAILED", "KILLED"}
    """
    try:
        while _present:
            _present.pop().finish(status)
    finally:
        end_runs_opened_since(before, status)
