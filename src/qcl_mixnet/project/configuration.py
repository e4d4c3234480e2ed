"""The project's configuration, read when the pipelines are registered.

Which nodes there are depends on the roster and on the grid. These are read for the environment and
runtime parameters of the session that runs; for commands without one (`kedro viz`,
`kedro registry list`) from the command line, else from `KEDRO_ENV`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.project import settings
from kedro.utils import find_kedro_project
from omegaconf import OmegaConf

from qcl_mixnet.project.parameters import Configuration, ConfigurationError, parse_configuration
from qcl_mixnet.project.suggestions import did_you_mean, listed
from qcl_mixnet.writing import user_path

if TYPE_CHECKING:
    from qcl_mixnet.project.configuration_loader import ProjectConfigLoader


def project_root() -> Path:
    """Folder with `conf/` and `data/`: around this source tree, else the current project."""
    here = Path(__file__).resolve().parents[3]
    if (here / "conf").is_dir():
        return here
    return Path(find_kedro_project(Path.cwd()) or Path.cwd()).resolve()


def expanded(path: str | int | float | Path) -> str:
    """Give a path of the configuration as an absolute one: the same place from every folder.

    `~` is the user's home, and a relative path is relative to the project folder, not to the
    working directory. A number names a folder, too (YAML reads `2020` as one); an address such as
    `s3://bucket/data` is left as it is.

    Raises
    ------
    ConfigurationError
        When nothing is given, or the home folder of a user whom this machine does not know.
    """
    if isinstance(path, bool) or not isinstance(path, (str, int, float, Path)) or path == "":
        raise ConfigurationError(
            f"A path in the configuration is {path!r}, which names no folder or file; give one, "
            f"such as data, ~/data or /a/folder."
        )
    text = str(path)
    if "://" in text:
        return text
    try:
        return str(project_root() / user_path(text))
    except ValueError as error:
        raise ConfigurationError(f"A path in the configuration: {error}") from error


def check_environment(conf_source: str, env: str | None) -> None:
    """Refuse a folder of configuration that is not there, and an environment without a folder.

    Addresses and archives, which Kedro takes as well, are left to Kedro.

    Raises
    ------
    ConfigurationError
        With the environments that there are.
    """
    folder = Path(conf_source)
    if "://" in conf_source or folder.is_file():
        return
    if not (folder / "base").is_dir():
        raise ConfigurationError(
            f"There is no configuration in {folder}: run this in the project's folder, or name "
            f"the folder that holds conf/base with --conf-source=/a/project/conf (a package "
            f"brings none; take it from the project's repository)."
        )
    if env and not (folder / env).is_dir():
        known = [path.name for path in folder.iterdir() if path.is_dir()]
        raise ConfigurationError(
            f"Unknown environment '{env}'{did_you_mean(env, known)} in --env or KEDRO_ENV; choose "
            f"among {listed(known)}, or make the folder {folder / env}."
        )


@dataclass(frozen=True)
class SessionOptions:
    """What a session was created with, as far as it decides the configuration."""

    env: str | None
    runtime_params: dict[str, Any] | None
    conf_source: str | None
    loader: "ProjectConfigLoader | None" = None


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


def load_configuration() -> Configuration:
    """Read and check `conf/` for the session or command that is running.

    Raises
    ------
    ConfigurationError
        When something in it cannot be used.
    """
    return check_configuration(configuration_loader())


def configuration_loader() -> "ProjectConfigLoader":
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


def check_configuration(loader: "ProjectConfigLoader") -> Configuration:
    """Check everything that a loader finds in `conf/` and in the runtime parameters.

    Raises
    ------
    ConfigurationError
        When something in it cannot be used. An entry of the roster that is not in the grid and not
        in the runtime parameters is left out with a warning instead.
    """
    parameters = loader["parameters"]
    for problem in loader.unreadable.values():
        raise ConfigurationError(f"{problem}; correct it.")

    files = [
        (str(path), OmegaConf.to_container(OmegaConf.load(path)))
        for path in loader.files(loader.config_patterns["parameters"])
    ]

    def place(section: str, name: object) -> str:
        """The file that an entry stands in: the last that has it wins."""
        for path, entries in reversed(files):
            if isinstance(entries, dict) and name in (entries.get(section) or {}):
                return path
        return "conf/"

    return parse_configuration(parameters, loader.runtime_params, place)
