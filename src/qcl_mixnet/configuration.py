"""The project's configuration, read when the pipelines are registered.

Which nodes there are depends on the roster and on the grid, so these are read before Kedro makes a
session: from the command line's ``--env``, ``--params`` and ``--conf-source`` where there is one,
else from ``KEDRO_ENV``.
"""

import os
from pathlib import Path
from typing import Any

import click
from kedro.framework.project import settings
from kedro.utils import find_kedro_project

from qcl_mixnet.parameters import Configuration, parse_configuration


def project_root() -> Path:
    """Folder with ``conf/`` and ``data/``: around this source tree, else the current project."""
    here = Path(__file__).resolve().parents[2]
    if (here / "conf").is_dir():
        return here
    return Path(find_kedro_project(Path.cwd()) or Path.cwd()).resolve()


def load_configuration() -> Configuration:
    """Read and check ``conf/`` for the command that is running.

    Raises
    ------
    ConfigurationError
        When something in it cannot be used.
    """
    context = click.get_current_context(silent=True)
    options: dict[str, Any] = context.params if context else {}
    loader = settings.CONFIG_LOADER_CLASS(
        conf_source=options.get("conf_source") or str(project_root() / settings.CONF_SOURCE),
        env=options.get("env") or os.environ.get("KEDRO_ENV"),
        runtime_params=options.get("params") or None,
        **settings.CONFIG_LOADER_ARGS,
    )
    return parse_configuration(loader["parameters"])
