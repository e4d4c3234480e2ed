"""Whose configuration the pipelines are registered for.

Which nodes there are depends on the roster and on the grid. These are read for the environment and
runtime parameters of the session that runs; for commands without one (`kedro viz`,
`kedro registry list`) from the command line, else from `KEDRO_ENV`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import click
from kedro.framework.project import settings

from qcl_mixnet.project.configuration import project_root
from qcl_mixnet.project.configuration_loader import ProjectConfigLoader


@dataclass(frozen=True)
class SessionOptions:
    """What a session was created with, as far as it decides the configuration."""

    env: str | None
    runtime_params: dict[str, Any] | None
    conf_source: str | None
    loader: ProjectConfigLoader | None = None


# Registration has no argument by which Kedro could hand these over.
_session_options: ContextVar[SessionOptions | None] = ContextVar("session_options", default=None)


@contextmanager
def registering_for(options: SessionOptions) -> Iterator[None]:
    """Register pipelines for a session while the context lasts."""
    token = _session_options.set(options)
    try:
        yield
    finally:
        _session_options.reset(token)


# A run that was refused says so itself; what is registered for a look at it warns instead.
_running: ContextVar[bool] = ContextVar("running", default=False)


@contextmanager
def running() -> Iterator[None]:
    """Mark that a session of the project runs a pipeline while the context lasts."""
    token = _running.set(True)
    try:
        yield
    finally:
        _running.reset(token)


def run_in_progress() -> bool:
    """Whether a session of the project runs a pipeline."""
    return _running.get()


def _current_options() -> SessionOptions:
    options = _session_options.get()
    if options is not None:
        return options
    context = click.get_current_context(silent=True)
    given: dict[str, Any] = context.params if context else {}
    return SessionOptions(given.get("env"), given.get("params"), given.get("conf_source"))


def configuration_loader() -> ProjectConfigLoader:
    """Give the loader of `conf/` for the session or command that is running.

    Raises
    ------
    ConfigurationError
        When there is no such folder or environment.
    """
    options = _current_options()
    if options.loader is not None:
        return options.loader
    loader: ProjectConfigLoader = settings.CONFIG_LOADER_CLASS(
        conf_source=options.conf_source or str(project_root() / settings.CONF_SOURCE),
        env=options.env or os.environ.get("KEDRO_ENV"),
        runtime_params=options.runtime_params or None,
        **settings.CONFIG_LOADER_ARGS,
    )
    return loader
