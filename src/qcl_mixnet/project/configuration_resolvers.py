"""Values that YAML files may ask for by name."""

import os
from collections.abc import Callable
from pathlib import Path

from qcl_mixnet.project.configuration import expanded, project_root


def mlflow_uri() -> str:
    """Tracking server: `MLFLOW_TRACKING_URI`, else a SQLite file in the project folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root() / 'mlflow.db'}"


def artifact_folder() -> str | None:
    """Artifacts beside the SQLite file; a server keeps its own."""
    prefix, uri = "sqlite:///", mlflow_uri()
    if not uri.startswith(prefix):
        return None
    return (Path(uri.removeprefix(prefix)).resolve().parent / "mlartifacts").as_uri()


RESOLVERS: dict[str, Callable[..., str | None]] = {
    "expanded": expanded,
    "mlflow_uri": mlflow_uri,
    "artifact_folder": artifact_folder,
}
