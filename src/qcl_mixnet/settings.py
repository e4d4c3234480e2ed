"""Settings that Kedro reads: hooks, session and configuration loader."""

import os

from qcl_mixnet.configuration_resolvers import RESOLVERS
from qcl_mixnet.hooks import BenchmarkHooks
from qcl_mixnet.report_folders import BenchmarkConfigLoader
from qcl_mixnet.session import BenchmarkContext, BenchmarkSession, SessionHooks

# kedro-telemetry comes with Kedro; this project sends nothing.
os.environ.setdefault("DO_NOT_TRACK", "1")

HOOKS = (BenchmarkHooks(), SessionHooks())
# Kedro-Viz would note down runs, but only of its own idea of a sequential runner.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro-viz")
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
