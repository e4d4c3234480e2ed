"""`qcl-mixnet try`: what can be learnt from a file, by what, and how well."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from pydantic import ValidationError

from qcl_mixnet.command.exit_codes import INTERRUPTED
from qcl_mixnet.command.file_flags import file_flags, folder_or_file, told_of_file
from qcl_mixnet.command.progress import FitProgress
from qcl_mixnet.inspection.plan import parse_as
from qcl_mixnet.trial.opening import TableOptions
from qcl_mixnet.trial.plan import TrialOptions
from qcl_mixnet.trial.tables import stem_of
from qcl_mixnet.trial.whole import try_file

_FLAGS = {"n_jobs": "jobs", "models": "model", "readings": "columns"}


def _kinds(
    ctx: click.Context,  # noqa: ARG001
    option: click.Parameter,  # noqa: ARG001
    value: tuple[str, ...],
) -> dict[str, str]:
    """COLUMN=KIND, given any number of times."""
    names = [parse_as(text)[0] for text in value]
    return {name: text[len(name) + 1 :] for name, text in zip(names, value, strict=True)}


@click.command("try", short_help="Compare models on a table and save the best.")
@click.argument("file")
@click.option("--target", "-t", help="Column of the labels.")
@click.option("--output", "-o", help="Folder of the results.  [default: FILE's name with -trial]")
@click.option("--overwrite", is_flag=True, help="Replace an earlier trial there.")
@click.option("--as", "columns", multiple=True, callback=_kinds, metavar="COLUMN=KIND",
              help="Kind of a column: number, category, date, excluded, ...")  # fmt: skip
@file_flags
@click.option("--columns", "readings", metavar="YAML", help="A columns.yml of an earlier trial.")
@click.option("--dates", type=click.Choice(["day-first", "month-first"]),
              help="How dates are read that leave it open.")  # fmt: skip
@click.option("--drop-unlabelled", is_flag=True, help="Leave rows without a label out.")
@click.option("--groups", metavar="COLUMN", help="Rows of one value stay on one side of a split.")
@click.option("--time", "time_column", metavar="COLUMN",
              help="Test on later rows than are trained on.")  # fmt: skip
@click.option("--model", "models", multiple=True, help="Compare these alone; may be repeated.")
@click.option("--folds", type=int, help="Of the cross-validation.  [default: by rows]")
@click.option("--repeats", type=int, help="How often folds are drawn.  [default: by rows]")
@click.option("--time-limit", type=float, metavar="SECONDS", help="For all of it.")
@click.option("--seed", type=int, default=42, show_default=True)
@click.option("--jobs", "n_jobs", type=int, help="Threads.  [default: by rows]")
@click.option("--keep", is_flag=True, help="Save a model even if it does not beat a guess.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON and nothing else.")
def try_table(file: str, **given: Any) -> None:
    """Say what can be learnt from FILE, by what, and how well; save the best model.

    FILE is CSV, Parquet, Excel, Feather or ARFF. How it is written and what its columns are is
    found, said, and written to columns.yml, which can be edited and given back with --columns.
    """
    as_json = given["as_json"]
    options = _checked(
        TrialOptions,
        models=list(given["models"]) or None,
        **{name: given[name] for name in ("folds", "repeats", "time_limit", "seed", "n_jobs")},
    )
    table_options = _checked(
        TableOptions,
        file=told_of_file(given),
        time=given["time_column"],
        **{
            name: given[name]
            for name in ("target", "columns", "readings", "dates", "drop_unlabelled", "groups")
        },
    )
    with FitProgress() as progress:
        tried = try_file(
            file,
            folder_or_file(given["output"] or f"{stem_of(file)}-trial", "--output"),
            table_options,
            options,
            overwrite=given["overwrite"],
            keep=given["keep"],
            tell=(lambda text: None) if as_json else progress.write,  # noqa: ARG005
            on_fit=progress.begin,
        )
    if as_json:
        record = {**tried.record, "model": None if tried.model is None else str(tried.model)}
        click.echo(json.dumps(record, indent=1))
    if tried.interrupted:
        sys.exit(INTERRUPTED)


def _checked(kind: Any, **values: Any) -> Any:
    try:
        return kind(**values)
    except ValidationError as error:
        fault = error.errors()[0]
        field = str(fault["loc"][0])
        name = "--" + _FLAGS.get(field, field).replace("_", "-")
        raise click.UsageError(
            f"{name} is {fault['input']!r}, and {fault['msg'][:1].lower()}{fault['msg'][1:]}."
        ) from error
