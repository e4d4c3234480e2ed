"""Settings that Kedro reads: hooks, session and configuration loader."""

from qcl_mixnet.project.configuration_resolvers import RESOLVERS
from qcl_mixnet.project.hooks import BenchmarkHooks
from qcl_mixnet.project.kedro_mlflow_hooks import TrackingHooks
from qcl_mixnet.project.report_folders import BenchmarkConfigLoader
from qcl_mixnet.project.session import BenchmarkContext, BenchmarkSession, SessionHooks
from qcl_mixnet.project.update_check import switch_off_update_check
from qcl_mixnet.project.viz_workflow import WorkflowHooks
from qcl_mixnet.telemetry import switch_off_telemetry

switch_off_telemetry()
switch_off_update_check()

HOOKS = (BenchmarkHooks(), TrackingHooks(), WorkflowHooks(), SessionHooks())
# kedro-telemetry comes with Kedro. Kedro-Viz would note down runs, but only of its own idea of a
# sequential runner: WorkflowHooks does it. TrackingHooks calls kedro-mlflow, whose name is spelt
# either way.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro-viz", "kedro-mlflow", "kedro_mlflow")
SESSION_CLASS = BenchmarkSession
CONTEXT_CLASS = BenchmarkContext
CONFIG_LOADER_CLASS = BenchmarkConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {
        "parameters": ["parameters*", "datasets*", "models/*"],
        "mlflow": ["mlflow*"],
    },
    "merge_strategy": {"parameters": "soft"},
    "custom_resolvers": RESOLVERS,
}
