"""Sends rows to MLflow beside the training, and stops where MLflow is in trouble.

All calls are made by one thread, so that a server that is slow, hangs or is gone never keeps a
result waiting. What was not sent stays in the ledger of the run, which the end of this run or the
next run in the same data folder sends.
"""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.project.tracking import tracking_problem
from qcl_mixnet.project.tracking_addresses import public_address, reason
from qcl_mixnet.project.tracking_databases import sqlite_file
from qcl_mixnet.project.tracking_ledger import Ledger, LedgerRun, left_behind
from qcl_mixnet.project.tracking_reports import log_report
from qcl_mixnet.project.tracking_rows import (
    end_run,
    open_run,
    read_row,
    send_row,
)

logger = logging.getLogger(__name__)

# What MLflow says where it will never take a run, or what is in it: it or its experiment is gone.
_REFUSALS = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE"}


@dataclass(frozen=True)
class Patience:
    """How long MLflow is waited for.

    Attributes
    ----------
    poll_seconds : float
        Between two looks at the cells.
    failures : int
        In a row, after which nothing more is sent until the end of the run.
    lost_seconds : float
        That one failing call may take before it counts for all of these.
    end_seconds : float
        That the end of a run waits for a MLflow that is slow.
    quick_seconds : float
        A cell that takes no longer is no sign of that: then all are waited for.
    """

    poll_seconds: float = 0.5
    failures: int = 2
    lost_seconds: float = 5.0
    end_seconds: float = 20.0
    quick_seconds: float = 3.0


PATIENCE = Patience()


class _Abandoned(Exception):
    """Nobody waits any more."""


class Sender:
    """Sends what is to be sent of a run, and of earlier runs in its data folder.

    Parameters
    ----------
    uri : str
        Where runs are tracked.
    data_folder : Path
    ledger : Ledger
        Of the present run.
    problem : str or None
        Why MLflow cannot be used, where that is known and was told already.
    patience : Patience, optional
    """

    def __init__(
        self,
        uri: str,
        data_folder: Path,
        ledger: Ledger,
        problem: str | None = None,
        patience: Patience | None = None,
    ):
        self.uri = uri
        self.data_folder = data_folder
        self.ledger = ledger
        self.patience = patience or PATIENCE
        self.open = problem is None  # as long as it is, things are sent
        self.told = problem is not None
        self.complete = False  # whether MLflow has all of this run
        self._failures = 0
        self._looked_back = False
        self._stopping, self._abandoned = threading.Event(), threading.Event()
        self._beat = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, seconds: float | None = None) -> None:
        """Send what is left of a run that has ended, as far as that takes no time worth naming.

        Parameters
        ----------
        seconds : float, optional
            Instead of the `end_seconds` of the patience.
        """
        seconds = self.patience.end_seconds if seconds is None else seconds
        self._stopping.set()
        begun = time.monotonic()
        try:
            while self._thread.is_alive():
                self._thread.join(0.02)
                now = time.monotonic()
                late = now - begun > seconds
                if late and now - self._beat > self.patience.quick_seconds:
                    break
        finally:
            self._abandoned.set()
        if not self.complete and not self.told:
            waiting = len(list(self.ledger.unsent(thorough=False)))
            self._tell("it is slow", f"{count(waiting, 'cell')} and its end wait")

    def _work(self) -> None:
        try:
            while not self._stopping.wait(self.patience.poll_seconds):
                self._attempt(last=False)
            if not self.open:
                self.open = tracking_problem(self.uri) is None
                self._failures = 0
            while self.open and not self.complete:
                self._attempt(last=True)
        except _Abandoned:
            pass
        finally:
            if not self.complete:
                self.ledger.release()

    def _attempt(self, *, last: bool) -> None:
        """Send all that there is now; stop sending where MLflow fails."""
        if not self.open:
            return
        begun = time.monotonic()
        try:
            if last or not self._looked_back:
                self._send_earlier()
                self._looked_back = True
            self._send(self.ledger, self.uri, last=last, thorough=False)
            self.complete = last
            self._failures = 0
        except _Abandoned:
            raise
        except Exception as error:  # a server that answers with nonsense confuses MLflow at will
            logger.debug("MLflow failed", exc_info=True)
            self._failures += 1
            hopeless = time.monotonic() - begun > self.patience.lost_seconds
            if hopeless or self._failures >= self.patience.failures or tracking_problem(self.uri):
                self.open = False
                if not self.told:
                    self._tell(reason(error, self.uri), "it is noted down")

    def _tell(self, why: str, what: str) -> None:
        self.told = True
        logger.warning(
            "MLflow at %s does not take this run now (%s): %s, and the end of this run or the next "
            "one sends it from %s. Its results are in %s all the same.",
            public_address(self.uri), why, what, self.ledger.folder.parent, self.data_folder,
        )  # fmt: skip

    def _send_earlier(self) -> None:
        """Send what runs left behind that were killed, or whose MLflow was away."""
        for ledger in left_behind(self.data_folder):
            try:
                uri = self._reachable(ledger.run.address)
                if uri is None:
                    continue
                try:
                    self._send(ledger, uri, last=True, thorough=True)
                except Exception as error:
                    if getattr(error, "error_code", "") not in _REFUSALS:
                        raise
                    logger.warning(
                        "MLflow at %s does not know an earlier run of %s any more (%s); its "
                        "results are on disk.",
                        public_address(uri), self.data_folder, reason(error, uri),
                    )  # fmt: skip
                    ledger.remove()
            finally:
                ledger.release()

    def _reachable(self, address: str) -> str | None:
        """Address, with secrets, of the place that a ledger is for; None if it is not at hand."""
        if address == public_address(self.uri):
            return self.uri
        file = sqlite_file(address)
        return address if file is not None and file.is_file() else None

    def _send(self, ledger: Ledger, uri: str, *, last: bool, thorough: bool) -> None:
        """Send what is missing of a run; with `last` it is ended and forgotten."""
        from mlflow.tracking import MlflowClient

        self._go_on()
        client = MlflowClient(tracking_uri=uri)
        run = open_run(client, ledger)
        for name, path in ledger.unsent(thorough=thorough):
            self._go_on()
            self._send_one(client, ledger, run, name, path)
        if not last:
            return
        self._go_on()
        status, ended = ledger.end
        report = ledger.report
        if report is not None:
            log_report(client, run, report, ended)
        self._go_on()
        end_run(client, run, status, ended)
        ledger.remove()

    def _send_one(self, client: Any, ledger: Ledger, run: LedgerRun, name: str, path: Path) -> None:
        """Send a cell, unless what is wrong is the cell and not MLflow."""
        try:
            row = read_row(run, path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._leave_out(ledger, name, path, f"{type(error).__name__}: {error}")
            return
        try:
            send_row(client, ledger, run, name, row)
        except Exception as error:
            if getattr(error, "error_code", "") != "INVALID_PARAMETER_VALUE":
                raise
            self._leave_out(ledger, name, path, reason(error, self.uri))

    def _leave_out(self, ledger: Ledger, name: str, path: Path, why: str) -> None:
        ledger.add_row(name, "none")
        logger.warning(
            "%s is on disk (%s) but cannot be sent to MLflow (%s).", name, path.parent, why
        )

    def _go_on(self) -> None:
        self._beat = time.monotonic()
        if self._abandoned.is_set():
            raise _Abandoned
