"""The Kedro session of this project: incremental runners, and errors in one sentence."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any, cast

import click
from kedro.config import AbstractConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import DatasetError
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.sources.files import LOCAL_FOLDER_VARIABLE
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.specs import ModelSpecError
from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.project.cell_progress import sweep_progress
from qcl_mixnet.project.configuration import expanded
from qcl_mixnet.project.configuration_loader import ProjectConfigLoader
from qcl_mixnet.project.folder_lock import folder_lock
from qcl_mixnet.project.full_disk import told_when_full
from qcl_mixnet.project.interruption import interruptible
from qcl_mixnet.project.kedro_mlflow_hooks import data_folder
from qcl_mixnet.project.parameters import ConfigurationError, parse_section
from qcl_mixnet.project.registration import SessionOptions, registering_for, running
from qcl_mixnet.project.resources import Resources
from qcl_mixnet.project.runners import make_incremental
from qcl_mixnet.project.selection import FILTERS, check_selection
from qcl_mixnet.project.tracked_run import end_tracking
from qcl_mixnet.project.tracking import open_run_id
from qcl_mixnet.tuning.errors import TuningError
from qcl_mixnet.writing import sweep_parts

logger = logging.getLogger(__name__)

# What a user can mend: the message says how, a traceback would hide it.
USER_ERRORS = (
    ConfigurationError, DataError, DatasetError, EvaluationError, ModelSpecError, TuningError,
)  # fmt: skip

# Pipelines that neither read nor write cells and their tables.
OWN_FILES_ONLY = {"speed", "inference", "try"}


# Arguments of a run that are lists of names; one name is as good as a list of one.
LISTS = {"pipeline_names", *FILTERS}


class BenchmarkContext(KedroContext):
    """A context whose pipelines are those of its own environment and runtime parameters.

    Kedro registers pipelines once for a process, without a word of the session that they are for.
    Every session makes a context before it looks for a pipeline: `kedro run`, a notebook's,
    Kedro-Viz's, and Kedro's own `KedroSession` in a program.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if folder := os.environ.get(LOCAL_FOLDER_VARIABLE):
            # Absolute once and for all, worker processes included.
            os.environ[LOCAL_FOLDER_VARIABLE] = expanded(folder)
        loader = cast(ProjectConfigLoader, self.config_loader)  # as the settings say
        options = SessionOptions(self.env, self._runtime_params, None, loader)
        pipelines.configure("qcl_mixnet.pipeline_registry")  # forget those of before
        with registering_for(options):
            len(pipelines)  # registers them: Kedro does so when they are first looked at


class SessionHooks:
    """What `BenchmarkSession` does around a run, for Kedro's own session."""

    @hook_impl(tryfirst=True)
    def after_context_created(self) -> None:
        """Note which run was open before."""
        self.open_before = open_run_id()

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Say that a plain session plans nothing."""
        planned = "kedro.runner." not in run_params["runner"] and run_params["runner"] != "None"
        if not planned and any("cell" in node.tags for node in pipeline.nodes):
            logger.warning(
                "This session computes every cell anew, also those up to date; create it with "
                "qcl_mixnet.project.session.BenchmarkSession.create(...) to compute only the "
                "others."
            )

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """End the MLflow run, or the next session of this process would log into it."""
        end_tracking(self.open_before, "FINISHED")

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        """End the MLflow run as failed."""
        end_tracking(self.open_before, "FAILED")


class BenchmarkSession(KedroSession):
    """A session that runs only what is not up to date."""

    _given: dict[str, Any] | None = None
    _loader: AbstractConfigLoader | None = None

    def _get_config_loader(self) -> AbstractConfigLoader:
        # Kedro makes one each time it is asked, which reads all files of conf/ anew.
        if self._loader is None:
            self._loader = super()._get_config_loader()
        return self._loader

    def run(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run pipelines, and compute only what is not up to date.

        On the command line an error that the user can mend ends the run with its message; called
        from Python it is raised as it is.

        Parameters
        ----------
        *args, **kwargs
            As of `kedro.framework.session.KedroSession.run`. `pipeline_name` works as well as
            `pipeline_names`, and one name as well as a list of one.

        Returns
        -------
        dict
            Kedro's: what the run made and no dataset of the catalog keeps.
        """
        given = signature(super().run).bind(*args, **kwargs).arguments
        given = {key: [v] if key in LISTS and isinstance(v, str) else v for key, v in given.items()}
        if given.get("pipeline_name"):
            given["pipeline_names"] = [given.pop("pipeline_name")]
        given["runner"] = make_incremental(given.get("runner") or SequentialRunner())
        self._given = given
        before, status = open_run_id(), "FAILED"
        try:
            with (
                told_when_full(self._results),
                interruptible(),
                running(),
                self._data_folder(given),
            ):
                outputs = super().run(**given)
            status = "FINISHED"
            return outputs
        except USER_ERRORS as error:
            if click.get_current_context(silent=True) is None:
                raise
            logger.debug("The run ended with an error.", exc_info=True)
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            status = "KILLED"
            logger.warning(
                "Stopped. Finished cells and trials are kept: the same command goes on from here."
            )
            raise
        finally:
            end_tracking(before, status)

    def _results(self) -> Path:
        return data_folder(self._get_config_loader())

    def load_context(self) -> KedroContext:
        """Make the context, and check what a run was asked for before it looks for that."""
        context = super().load_context()
        if self._given is not None:
            check_selection(pipelines, self._given)
        return context

    @contextmanager
    def _data_folder(self, given: Mapping[str, Any]) -> Iterator[None]:
        """Keep other runs out of the data folder, unless this one writes nothing that they read."""
        if set(given.get("pipeline_names") or [None]) <= OWN_FILES_ONLY:
            yield
            return
        loader = self._get_config_loader()
        resources = parse_section(loader["parameters"], Resources, "resources")
        with folder_lock(data_folder(loader), resources.wait_seconds):
            for folder in {data_folder(loader), data_folder(loader, "raw_root")}:
                if removed := sweep_parts(folder):
                    logger.info("Removed %s of a run that was ended.", count(removed, "half file"))
            if removed := sweep_progress(data_folder(loader)):
                logger.info(
                    "Removed what was saved of %s that nobody needs.", count(removed, "cell")
                )
            yield
