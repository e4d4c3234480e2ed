"""The project's configuration, read when the pipelines are registered.

Which nodes there are depends on the roster and on the grid. These are read for the environment and
runtime parameters of the session that runs; for commands without one (``kedro viz``,
``kedro registry list``) from the command line, else from ``KEDRO_ENV``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from kedro.framework.project import settings
from kedro.utils import find_kedro_project
from omegaconf import OmegaConf
from yaml import MarkedYAMLError, YAMLError

from qcl_mixnet.parameters import Configuration, ConfigurationError, parse_configuration


def project_root() -> Path:
    """Folder with ``conf/`` and ``data/``: around this source tree, else the current project."""
    here = Path(__file__).resolve().parents[2]
    if (here / "conf").is_dir():
        return here
    return Path(find_kedro_project(Path.cwd()) or Path.cwd()).resolve()


def expanded(path: str | int | float | Path) -> str:
    """Give a path of the configuration as an absolute one: the same place from every folder.

    ``~`` is the user's home, and a relative path is relative to the project folder, not to the
    working directory. A number names a folder, too (YAML reads ``2020`` as one); an address such as
    ``s3://bucket/data`` is left as it is.

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
    home = os.path.expanduser(text)
    if home.startswith("~"):
        user = Path(home).parts[0]
        raise ConfigurationError(
            f"The path {text} begins with '{user}', which is the home of no user of this machine; "
            f"correct it, or write ./{text} for a folder of that name."
        )
    return str(project_root() / home)


def check_environment(conf_source: str, env: str | None) -> None:
    """Refuse an environment without a folder.

    Raises
    ------
    ConfigurationError
        With the environments that there are.
    """
    if env and not (Path(conf_source) / env).is_dir():
        known = sorted(path.name for path in Path(conf_source).iterdir() if path.is_dir())
        raise ConfigurationError(
            f"Unknown environment '{env}'; choose among {', '.join(known)}, or make the folder "
            f"{Path(conf_source) / env}."
        )


@dataclass(frozen=True)
class SessionOptions:
    """What a session was created with, as far as it decides the configuration."""

    env: str | None
    runtime_params: dict[str, Any] | None
    conf_source: str | None


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


def _current_options() -> SessionOptions:
    options = _session_options.get()
    if options is not None:
        return options
    context = click.get_current_context(silent=True)
    given: dict[str, Any] = context.params if context else {}
    return SessionOptions(given.get("env"), given.get("params"), given.get("conf_source"))


def load_configuration() -> Configuration:
    """Read and check ``conf/`` for the session or command that is running.

    Raises
    ------
    ConfigurationError
        When something in it cannot be used.
    """
    options = _current_options()
    conf_source = options.conf_source or str(project_root() / settings.CONF_SOURCE)
    loader = settings.CONFIG_LOADER_CLASS(
        conf_source=conf_source,
        env=options.env or os.environ.get("KEDRO_ENV"),
        runtime_params=options.runtime_params or None,
        **settings.CONFIG_LOADER_ARGS,
    )
    try:
        parameters = loader["parameters"]
    except (YAMLError, ValueError) as error:
        problem = _unreadable_file(Path(conf_source)) or " ".join(str(error).split())
        raise ConfigurationError(f"{problem}; correct it.") from error
    return parse_configuration(parameters)


def _unreadable_file(conf_source: Path) -> str | None:
    """Name the first file that is no YAML, which the loader's errors do not always do."""
    for path in sorted(conf_source.rglob("*.yml")):
        try:
            OmegaConf.load(path)
        except MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else "?"
            return f"{path}, line {line}: {error.problem}"
    return None
