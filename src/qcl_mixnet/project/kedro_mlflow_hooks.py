"""kedro-mlflow, called where runs can be tracked; elsewhere a run goes on without it."""

import logging
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from qcl_mixnet.project.configuration import expanded, project_root
from qcl_mixnet.project.datasets import CellDataset
from qcl_mixnet.project.git import git_commit
from qcl_mixnet.project.tracked_run import Place, begin_tracking
from qcl_mixnet.project.tracking import open_run_id, quick_calls, tracking_problem
from qcl_mixnet.project.tracking_addresses import is_server, public_address, public_values, reason
from qcl_mixnet.project.tracking_databases import setting_up, sqlite_file
from qcl_mixnet.project.tracking_extras import SEPARATOR

logger = logging.getLogger(__name__)

COMMIT_DIGITS = 7
ATTEMPTS = 2  # two runs may both find no experiment; the slower one finds it the second time
SLOW_SECONDS = 1.0  # for one answer, from which on nothing waits for a server


class TrackingHooks:
    """The hooks of kedro-mlflow that set tracking up and open the run.

    Its others ask the server before every node, so a server that dies would end the run. The
    session closes the run, and cells and tables are sent beside it.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Set tracking up; in the project's own database, or not at all, where that fails."""
        self.context, self.loader = context, context.config_loader
        self.uri, self.slow = "", False
        self.away: list[str] = []
        self.open_before = open_run_id()
        while not self.uri and (uri := tracking_address(self.loader)):
            problem = None
            if self.open_before is None:  # else kedro-mlflow uses the caller's run as it is
                import_module("mlflow.utils.rest_utils")  # takes seconds, not of the server's
                begun = time.monotonic()
                problem = tracking_problem(uri)
                self.slow = is_server(uri) and time.monotonic() - begun > SLOW_SECONDS
            if problem is None and not self.slow:
                problem = set_up(context, uri)
            if problem is None:
                self.uri = uri
            else:
                self.slow = False
                self.away += [uri] * is_server(uri)
                fall_back(self.loader, problem)

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol) -> None:
        """Let kedro-mlflow name its datasets, of which a user's own catalog may have some."""
        from kedro_mlflow.framework.hooks.mlflow_hook import mlflow_hook

        mlflow_hook.after_catalog_created(catalog, {}, {}, {}, "", {})

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Open the run, or see that it is opened beside the training."""
        from kedro_mlflow.framework.hooks.mlflow_hook import mlflow_hook

        if not self.uri and not self.away:
            return
        run_params = public_values(run_params)  # they become tags
        names = run_params.get("pipeline_names") or ["__default__"]
        if set(names) & set(self._configured("disable_tracking", "pipelines") or []):
            return
        outputs = [catalog.get(name) for name in sorted(pipeline.all_outputs())]
        cells = [dataset for dataset in outputs if isinstance(dataset, CellDataset)]
        if self.slow and not cells:
            self.slow = set_up(self.context, self.uri) is not None  # it has the time
        if self.slow:
            logger.warning(
                "MLflow at %s is slow: this run is sent to it beside the training.",
                public_address(self.uri),
            )
        origin = provenance(run_params)
        name = self._configured("run", "name") or run_name(names, origin, cells)
        run = begin_tracking(
            self._place(), name, run_params, origin, [cell.path for cell in cells],
            self.open_before, tables=tables_of(pipeline, catalog),
        )  # fmt: skip
        if self.slow or not run.run_id:
            return
        try:
            with quick_calls():
                mlflow_hook.mlflow_config.tracking.run.id = run.run_id
                mlflow_hook.mlflow_config.tracking.run.name = name  # else it gives it another
                mlflow_hook.before_pipeline_run(run_params, pipeline, catalog)
        except Exception:  # the sender meets the same, and tells it
            logger.debug("kedro-mlflow could not enter the run.", exc_info=True)

    def _place(self) -> Place:
        return Place(
            uri=self.uri,
            away=tuple(self.away),
            slow=self.slow,
            data_folder=data_folder(self.loader),
            experiment=self._configured("experiment", "name") or "qcl-mixnet",
            artifact_location=self._configured("experiment", "create_experiment_kwargs").get(
                "artifact_location"
            ),
            run_id=self._configured("run", "id"),
        )

    def _configured(self, section: str, name: str) -> Any:
        return (self.loader["mlflow"].get("tracking", {}).get(section) or {}).get(name)


def run_name(
    pipelines: Sequence[str], origin: Mapping[str, str], cells: Sequence[CellDataset]
) -> str:
    """Name a run by what tells it from others: pipelines, environment, grid and commit.

    Parameters
    ----------
    pipelines : sequence of str
    origin : mapping of str to str
        Of `provenance`.
    cells : sequence of CellDataset
        That it may compute. Where it is one, it is named; else their number is, as data sets by
        models.

    Examples
    --------
    >>> run_name(["fit"], {"environment": "base", "git_commit": "unknown"}, [])
    'fit · base'
    """
    names = [f"{cell.dataset}.{cell.model}" for cell in cells[:1]]
    if len(cells) > 1:
        names = [f"{len({c.dataset for c in cells})}x{len({c.model for c in cells})}"]
    commit, _, dirty = origin["git_commit"].partition("-")
    known = [] if commit == "unknown" else [commit[:COMMIT_DIGITS] + "+" * bool(dirty)]
    return SEPARATOR.join(["+".join(pipelines), origin["environment"], *names, *known])


def tables_of(pipeline: Pipeline, catalog: CatalogProtocol) -> dict[str, dict[str, str]]:
    """Find the files of the data sets that a pipeline reads or makes."""
    present = pipeline.datasets()
    return {
        name: {part: _file(catalog.get(f"{name}.{part}")) for part in ("table", "schema")}
        for name in sorted(entry.removesuffix(".table") for entry in present)
        if {f"{name}.table", f"{name}.schema"} <= present
    }


def _file(dataset: Any) -> str:
    return str(getattr(dataset, "_filepath", ""))  # Kedro has no public name for it


def tracking_address(config_loader: Any) -> str:
    """Where runs are to be tracked; empty where they are not."""
    return config_loader["mlflow"]["server"]["mlflow_tracking_uri"] or ""


def data_folder(config_loader: Any, parameter: str = "data_root") -> Path:
    """Folder of a run's results, or with "raw_root" of its raw tables."""
    given = (config_loader.runtime_params or {}).get(parameter)
    return Path(expanded(given or config_loader["globals"][parameter]))


def provenance(run_params: dict[str, Any]) -> dict[str, str]:
    """Say where a run's results come from."""
    return {
        "environment": run_params.get("env") or "base",
        "git_commit": git_commit(project_root()),
    }


def fall_back(config_loader: Any, problem: str) -> None:
    """Track runs in the project's own database or, where that is the problem, not at all.

    Parameters
    ----------
    config_loader : mapping
        Kedro's; its entry "mlflow" gets the other address.
    problem : str
        Why the present one cannot be used.
    """
    config = config_loader["mlflow"]
    uri = config["server"]["mlflow_tracking_uri"]
    local = project_root() / "mlflow.db"
    file = sqlite_file(uri)
    is_local = file is not None and file.resolve() == local.resolve()
    other = "" if is_local else f"sqlite:///{local}"
    logger.warning(
        "The MLflow %s %s cannot be used (%s): this run is %s. Its results are in data/ either "
        "way; mend this%s, or name another place in MLFLOW_TRACKING_URI.",
        "server" if is_server(uri) else "database", public_address(uri), problem,
        f"tracked in {public_address(other)} instead" if other else "not tracked",
        ", and the next run sends it there" * is_server(uri),
    )  # fmt: skip
    config["server"]["mlflow_tracking_uri"] = other
    config_loader["mlflow"] = config


def set_up(context: KedroContext, uri: str) -> str | None:
    """Let kedro-mlflow make the experiment ready; say why it cannot, None when it can.

    Parameters
    ----------
    context : KedroContext
        With the address in its configuration.
    uri : str
        This address.
    """
    from kedro_mlflow.framework.hooks.mlflow_hook import mlflow_hook

    problem = None
    for _ in range(ATTEMPTS):
        try:
            with setting_up(uri), quick_calls():
                mlflow_hook.after_context_created(context)
            return None
        except Exception as error:  # a server that answers with nonsense confuses MLflow at will
            problem = reason(error, uri)
            if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
                break
    return problem
