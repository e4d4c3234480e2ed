"""Options of the command line, read so that a name stays the word that was typed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import _split_params, _validate_config_file, split_string
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

# Parameters that hold names or paths: 2020, 1e5 and on are names there, not numbers or booleans.
NAME_OPTIONS = {
    "grid.datasets", "grid.models", "statistics.control", "data_root", "raw_root",
    "ingestion.downloads", "inference.model", "inference.table", "inference.output",
    "inference.id_columns", "inference.device",
    "fit.model", "fit.dataset", "fit.output",
}  # fmt: skip


def parameters_of_text(ctx: click.Context, option: click.Parameter, value: Any) -> dict[str, Any]:
    """Read `--params=a.b=1,c=2`.

    Raises
    ------
    click.UsageError
        When it is not so written.
    """
    if isinstance(value, Mapping):  # from a file that --config names
        return dict(value)
    items = split_string(ctx, option, value)
    for item in items:
        key, equals, text = item.partition("=")
        if not key.strip() or not equals:
            raise click.UsageError(
                f"--params has '{item}', which is no name=value; write "
                f"--params=grid.datasets=glass+ecoli,protocol.seed=1, where a comma begins the "
                f"next parameter and + joins the names of a list.",
                ctx,
            )
        try:
            OmegaConf.from_dotlist([item])
        except (YAMLError, OmegaConfBaseException) as error:
            raise click.UsageError(
                f"--params gives '{key.strip()}' the value '{text}', which cannot be read as YAML; "
                f"correct it (a comma begins the next parameter; + joins the names of a list).",
                ctx,
            ) from error
    parameters: dict[str, Any] = _split_params(ctx, option, value)
    for item in items:
        key, _, text = item.partition("=")
        _keep_text(parameters, key.strip(), text.strip())
    return parameters


def _keep_text(parameters: dict[str, Any], key: str, text: str) -> None:
    """Put a name back as it was typed, where YAML has made something else of it."""
    *sections, last = key.split(".")
    place: Any = parameters
    for section in sections:
        place = place.get(section) if isinstance(place, dict) else None
    if key not in NAME_OPTIONS or not isinstance(place, dict):
        return
    parsed = place.get(last)
    is_unset = parsed is None and (not text or not key.startswith(("grid.", "statistics.")))
    if not is_unset and not isinstance(parsed, str | list | dict):
        place[last] = text


def options_of_file(ctx: click.Context, option: click.Parameter, value: Any) -> Any:  # noqa: ARG001
    """Read the options of `kedro run` from a YAML file; those of the command line go before them.

    Raises
    ------
    click.ClickException
        When the file is not so written.
    """
    if not value:
        return value
    try:
        content = OmegaConf.to_container(OmegaConf.load(Path(value)))
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, OSError) as error:
        message = " ".join(str(error).split())
        raise click.UsageError(f"--config: {value} is no YAML ({message}).", ctx) from error
    options = content.get("run") if isinstance(content, dict) else None
    if not isinstance(options, dict):
        raise click.UsageError(
            f"--config: {value} has no section 'run' with the options of kedro run, such as "
            f"run: {{pipelines: full, params: {{protocol: {{seed: 1}}}}}}.",
            ctx,
        )
    for key in options:
        _validate_config_file(str(key))
    # Kedro splits texts at commas and knows no lists.
    joined = {k: ",".join(map(str, v)) if isinstance(v, list) else v for k, v in options.items()}
    ctx.default_map = {**(ctx.default_map or {}), **joined}
    return value
