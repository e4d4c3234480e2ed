"""Values that YAML files may ask for by name."""

import os
from collections.abc import Callable

from qcl_mixnet.configuration import project_root


def mlflow_uri() -> str:
    """Tracking server: ``MLFLOW_TRACKING_URI``, else a SQLite file in the project folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root() / 'mlflow.db'}"


def artifact_folder() -> str | None:
    """Artifacts beside the SQLite file; a server keeps its own."""
    if "MLFLOW_TRACKING_URI" in os.environ:
        return None
    return (project_root() / "mlartifacts").as_uri()


RESOLVERS: dict[str, Callable[[], str | None]] = {
    "mlflow_uri": mlflow_uri,
    "artifact_folder": artifact_folder,
}
