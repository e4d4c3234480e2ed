"""kedro-mlflow, called where runs can be tracked; elsewhere a run goes on without it."""

import logging
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from qcl_mixnet.project.hooks import fall_back, tracking_address
from qcl_mixnet.project.tracking import tracking_errors
from qcl_mixnet.project.tracking_addresses import public_address, reason
from qcl_mixnet.project.tracking_databases import setting_up

logger = logging.getLogger(__name__)

ATTEMPTS = 2  # two runs may both find no experiment; the slower one finds it the second time


class TrackingHooks:
    """The hooks of kedro-mlflow that set tracking up and open the run.

    Its others ask the server before every node, so a server that dies would end the run. The
    session closes the run, and cells and tables are logged where a failure costs the view only.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Set tracking up; in the project's own database, or not at all, where that fails."""
        self.uri = ""
        while not self.uri and (uri := tracking_address(context.config_loader)):
            problem = set_up(context, uri)
            if problem is None:
                self.uri = uri
            else:
                fall_back(context.config_loader, problem)

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol) -> None:
        """Let kedro-mlflow name its datasets, of which a user's own catalog may have some."""
        from kedro_mlflow.framework.hooks.mlflow_hook import mlflow_hook

        mlflow_hook.after_catalog_created(catalog, {}, {}, {}, "", {})

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Open the run."""
        from kedro_mlflow.framework.hooks.mlflow_hook import mlflow_hook

        if not self.uri:
            return
        try:
            mlflow_hook.before_pipeline_run(run_params, pipeline, catalog)
        except tracking_errors() as error:
            logger.warning(
                "MLflow at %s cannot open a run (%s): this run is not tracked. Its results are in "
                "data/ all the same.",
                public_address(self.uri), reason(error, self.uri),
            )  # fmt: skip


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
            with setting_up(uri):
                mlflow_hook.after_context_created(context)
            return None
        except tracking_errors() as error:
            problem = reason(error, uri)
            if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
                break
    return problem
