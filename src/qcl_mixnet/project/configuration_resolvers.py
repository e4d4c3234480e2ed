"""Values that YAML files may ask for by name."""

import os
from collections.abc import Callable

from qcl_mixnet.project.configuration import expanded, project_root
from qcl_mixnet.project.tracking_databases import sqlite_file


def mlflow_uri() -> str:
    """Tracking server: `MLFLOW_TRACKING_URI`, else a SQLite file in the project folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root() / 'mlflow.db'}"


def artifact_folder() -> str | None:
    """Artifacts beside the SQLite file; a server keeps its own."""
    file = sqlite_file(mlflow_uri())
    return None if file is None else (file.resolve().parent / "mlartifacts").as_uri()


RESOLVERS: dict[str, Callable[..., str | None]] = {
    "expanded": expanded,
    "mlflow_uri": mlflow_uri,
    "artifact_folder": artifact_folder,
}
