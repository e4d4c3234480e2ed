"""Kedro's own processes, for data and tables: they end when their driver does."""

import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from types import TracebackType

from kedro.framework.project import settings
from kedro.runner.parallel_runner import ParallelRunnerManager

# The names in these plugins' metadata; some versions spell them with a hyphen.
WORKER_DISABLED_PLUGINS = ("kedro_mlflow", "kedro-mlflow", "kedro-telemetry", "kedro-viz")


def prepare_worker() -> None:
    """Keep plugins out of a worker process, whether it inherits all of the driver or nothing.

    Without the driver's run kedro-mlflow would open runs of its own.
    """
    settings.set("DISABLE_HOOKS_FOR_PLUGINS", WORKER_DISABLED_PLUGINS)
    follow_driver()


def follow_driver() -> None:
    """Leave it to the driver what Ctrl-C ends, and end when the driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a fork has the driver's
    driver = parent_process()
    if driver is None:
        return

    def wait_for_its_end() -> None:
        driver.join()
        os._exit(1)

    threading.Thread(target=wait_for_its_end, daemon=True, name="follow_driver").start()


class NodeExecutor(ProcessPoolExecutor):
    """Processes for the nodes of a stage; an error or an interruption ends them at once.

    Parameters
    ----------
    max_workers : int
    """

    def __init__(self, max_workers: int):
        context = get_context(os.environ.get("KEDRO_MP_CONTEXT") or None)
        super().__init__(max_workers, mp_context=context, initializer=prepare_worker)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Drop what is queued and end what runs, unless all went well."""
        if kind is not None:
            # Python has a public name for it from 3.14 on.
            for process in list((self._processes or {}).values()):
                process.terminate()
            self.shutdown(wait=False, cancel_futures=True)
        return super().__exit__(kind, error, traceback)


def manager_of_driver() -> ParallelRunnerManager:
    """Start the process that holds what nodes hand one another in memory."""
    manager = ParallelRunnerManager()
    manager.start(initializer=follow_driver)
    return manager
