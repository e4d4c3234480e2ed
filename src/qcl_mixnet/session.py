"""The Kedro session of this project: incremental runners, and errors in one sentence."""

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import DatasetError
from kedro.runner import SequentialRunner

from qcl_mixnet.baselines.specs import ModelSpecError
from qcl_mixnet.configuration import (
    SessionOptions,
    check_environment,
    expanded,
    load_configuration,
    registering_for,
)
from qcl_mixnet.data.errors import DataError
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.folder_lock import folder_lock
from qcl_mixnet.parameters import ConfigurationError
from qcl_mixnet.runners import make_incremental
from qcl_mixnet.tracking import end_runs_opened_since, open_run_id

logger = logging.getLogger(__name__)

# What a user can mend: the message says how, a traceback would hide it.
USER_ERRORS = (ConfigurationError, DataError, DatasetError, EvaluationError, ModelSpecError)

# Pipelines that neither read nor write cells and their tables.
OWN_FILES_ONLY = {"speed", "inference"}


class BenchmarkSession(KedroSession):
    """A session that runs only what is not up to date."""

    def run(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run pipelines; see ``kedro.framework.session.KedroSession.run``.

        On the command line an error that the user can mend ends the run with its message; called
        from Python it is raised as it is.
        """
        kwargs["runner"] = make_incremental(kwargs.get("runner") or SequentialRunner())
        options = SessionOptions(
            self.store.get("env"), self.store.get("runtime_params"), self._conf_source
        )
        before, status = open_run_id(), "FAILED"
        try:
            check_environment(self._conf_source, options.env)
            with registering_for(options), self._data_folder(kwargs):
                pipelines.configure("qcl_mixnet.pipeline_registry")  # forget those of before
                outputs = super().run(*args, **kwargs)
            status = "FINISHED"
            return outputs
        except USER_ERRORS as error:
            if click.get_current_context(silent=True) is None:
                raise
            logger.debug("The run ended with an error.", exc_info=True)
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            status = "KILLED"
            logger.warning("Stopped. Finished cells are kept: the same command goes on from here.")
            raise
        finally:
            end_runs_opened_since(before, status)

    def _data_folder(self, run_options: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Keep other runs out of the data folder, unless this one writes nothing that they read."""
        names = run_options.get("pipeline_names") or [run_options.get("pipeline_name")]
        if set(names) <= OWN_FILES_ONLY:
            return nullcontext()
        loader = self._get_config_loader()
        given = self.store.get("runtime_params") or {}
        folder = expanded(given.get("data_root") or loader["globals"]["data_root"])
        return folder_lock(Path(folder), load_configuration().resources.wait_seconds)
