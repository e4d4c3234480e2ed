"""The project's command line: Kedro's and its plugins' commands, with errors in one sentence.

Kedro looks for a command here before it takes its own. Nothing is added but what a mistyped option
needs to be told by its name.
"""

import copy
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.cli import project_commands
from kedro.framework.cli.project import ipython as kedro_ipython
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError, call, load_entry_points, validate_conf_source
from kedro.framework.project import settings
from kedro.runner import AbstractRunner
from kedro.utils import load_obj

from qcl_mixnet.project.command_options import options_of_file, parameters_of_text
from qcl_mixnet.project.configuration import check_environment, project_root
from qcl_mixnet.project.session import USER_ERRORS
from qcl_mixnet.project.terminal import take_any_text
from qcl_mixnet.suggestions import did_you_mean, listed

NO_NOTEBOOK = '{} is not installed; install what notebooks need with: pip install -e ".[notebook]"'


@contextmanager
def errors_in_one_sentence() -> Iterator[None]:
    """End a command with the message of what a user can mend, without a traceback."""
    try:
        yield
    except (*USER_ERRORS, MissingConfigException) as error:
        raise click.ClickException(str(error)) from error
    except KedroCliError as error:
        if KedroCliError.VERBOSE_ERROR:
            raise
        # Kedro would print what Python handles at the moment, which is "NoneType: None" by now.
        raise click.ClickException(
            _missing_package(error) or " ".join(error.message.split())
        ) from error


def _missing_package(error: KedroCliError) -> str | None:
    missing = error.__cause__
    return NO_NOTEBOOK.format(missing.name) if isinstance(missing, ModuleNotFoundError) else None


def in_one_sentence(command: click.Command) -> click.Command:
    """Give a copy of a command, and of those below it, that ends so when something is wrong."""
    told, kind = copy.copy(command), type(command)

    def invoke(ctx: click.Context) -> Any:
        take_any_text()
        # Not every command looks at its environment before it is too late.
        env = ctx.params.get("env") or os.environ.get("KEDRO_ENV")
        if env and not isinstance(command, click.Group):
            conf_source = ctx.params.get("conf_source") or project_root() / settings.CONF_SOURCE
            check_environment(str(conf_source), env)
        return kind.invoke(told, ctx)

    def get_command(ctx: click.Context, name: str) -> click.Command | None:
        below = kind.get_command(command, ctx, name)  # type: ignore[attr-defined]
        return None if below is None else in_one_sentence(below)

    changes = {
        "make_context": errors_in_one_sentence()(partial(kind.make_context, told)),
        "invoke": errors_in_one_sentence()(invoke),
        **({"get_command": get_command} if isinstance(command, click.Group) else {}),
    }
    vars(told).update(changes)
    return told


# Runners of the project, which Kedro would look for among its own.
OWN_RUNNERS = {"DaskRunner": "qcl_mixnet.project.dask_runner.DaskRunner"}


def _check_runner(name: str | None, options: dict[str, Any]) -> None:
    """Refuse a runner that there is not, and options that it does not take."""
    if not name:
        return
    try:
        runner = load_obj(name, "kedro.runner")
    except (ImportError, AttributeError, ValueError):
        runner = None
    if not (isinstance(runner, type) and issubclass(runner, AbstractRunner)):
        known = ("SequentialRunner", "ParallelRunner", "ThreadRunner", *OWN_RUNNERS)
        raise click.ClickException(
            f"Unknown runner '{name}'{did_you_mean(name, known)} in --runner; choose among "
            f"{listed(known)}, or give the path of a class of your own, such as package.MyRunner."
        )
    takes = set(inspect.signature(runner).parameters)
    for key in options:
        if key not in takes:
            raise click.ClickException(
                f"{name} takes no option '{key}'{did_you_mean(key, takes)} in --runner-params; "
                f"choose among {listed(takes)}."
            )


def _run(**given: Any) -> Any:
    given["runner"] = OWN_RUNNERS.get(given["runner"], given["runner"])
    _check_runner(given["runner"], given["runner_params"])
    return kedro_run.callback(**given)  # type: ignore[misc]


def _conf_source(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    return validate_conf_source(ctx, option, os.path.expanduser(value or ""))


def _run_command() -> click.Command:
    """Kedro's `run` with options that are checked by name."""
    callbacks = {
        "params": parameters_of_text,
        "config": options_of_file,
        "conf_source": _conf_source,
    }
    command = copy.copy(kedro_run)
    command.params = [copy.copy(option) for option in kedro_run.params]
    for option in command.params:
        option.callback = callbacks.get(str(option.name), option.callback)
    command.callback = _run
    return in_one_sentence(command)


def _ipython_command() -> click.Command:
    """Kedro's `ipython` with the IPython of this Python, not one that is found on the PATH."""

    def start(env: str | None, args: tuple[str, ...], **_: Any) -> None:
        if importlib.util.find_spec("IPython") is None:
            raise click.ClickException(NO_NOTEBOOK.format("IPython"))
        if env:
            os.environ["KEDRO_ENV"] = env
        call([sys.executable, "-m", "IPython", "--ext", "kedro.ipython", *args])

    command = copy.copy(kedro_ipython)
    command.callback = start
    return in_one_sentence(command)


run = _run_command()
ipython = _ipython_command()


class ProjectCommands(click.Group):
    """All commands that Kedro has in a project, each with its errors in one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Name none: Kedro lists them where they come from."""
        return []

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command as Kedro does, plugins first."""
        own = {"run": run, "ipython": ipython}
        if cmd_name in own:
            return own[cmd_name]
        for group in (*load_entry_points("project"), project_commands):
            command = group.get_command(ctx, cmd_name)
            if command is not None:
                return in_one_sentence(command)
        return None


cli = ProjectCommands(name="kedro")  # the name under which Kedro lists its own, too
