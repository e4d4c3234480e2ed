"""`qcl-mixnet try`: what can be learnt from a file, by what, and how well."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import click
import yaml

from qcl_mixnet.command.exit_codes import INTERRUPTED
from qcl_mixnet.command.progress import FitProgress
from qcl_mixnet.command.tables import board_lines
from qcl_mixnet.trial.folder import check_output, keep_winner, write_records
from qcl_mixnet.trial.opening import TableOptions, open_table
from qcl_mixnet.trial.plan import TrialOptions
from qcl_mixnet.trial.trial import Trial, run_trial
from qcl_mixnet.writing import user_path


def _pairs(ctx: click.Context, option: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE, given any number of times."""
    pairs = {}
    for one in value:
        name, sign, said = one.partition("=")
        if not sign or not name or not said:
            raise click.BadParameter(f"{one!r} is not of the form NAME=VALUE.", ctx, option)
        pairs[name] = said
    return pairs


def _file_options(
    ctx: click.Context, option: click.Parameter, value: tuple[str, ...]
) -> dict[str, Any]:
    """Options of the file as YAML reads their values, so that `header=2` is a number."""
    options = {}
    for name, said in _pairs(ctx, option, value).items():
        try:
            options[name] = yaml.safe_load(said)
        except yaml.YAMLError:
            options[name] = said  # a lone comma, say, is no YAML
    return options


@click.command("try", short_help="Compare models on a table and save the best.")
@click.argument("file")
@click.option("--target", "-t", help="Column of the labels.")
@click.option("--output", "-o", help="Folder of the results.  [default: FILE's name with -trial]")
@click.option("--overwrite", is_flag=True, help="Replace an earlier trial there.")
@click.option("--as", "columns", multiple=True, callback=_pairs, metavar="COLUMN=KIND",
              help="Kind of a column: number, category, date, excluded, ...")  # fmt: skip
@click.option("--read", "file_options", multiple=True, callback=_file_options,
              metavar="NAME=VALUE",
              help="How the file is written: separator=;, decimal=',', ...")  # fmt: skip
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

    def tell(text: str = "") -> None:
        if not as_json:
            click.echo(text)

    folder = user_path(given["output"] or f"{_stem(file)}-trial")
    check_output(folder, overwrite=given["overwrite"])
    options = _checked(TrialOptions, models=list(given["models"]) or None, **{
        name: given[name] for name in ("folds", "repeats", "time_limit", "seed", "n_jobs")
    })  # fmt: skip
    table_options = _checked(
        TableOptions,
        target=given["target"],
        file=given["file_options"],
        columns=given["columns"],
        readings=given["readings"],
        dates=given["dates"],
        drop_unlabelled=given["drop_unlabelled"],
        groups=given["groups"],
        time=given["time_column"],
    )
    table = open_table(file, table_options, tell)
    tell()
    with warnings.catch_warnings(), FitProgress() as progress:
        warnings.simplefilter("ignore")  # those of models are in their records
        trial = run_trial(table, options, tell=tell, on_fit=progress.begin)
    record = write_records(trial, folder)
    tell()
    for line in (*board_lines(record["leaderboard"]), "", *trial.verdict.sentences):
        tell(line)
    if trial.comparison.interrupted:
        tell(f"\nInterrupted: what was done is in {folder}; no model was saved.")
        _print_json(record, as_json)
        sys.exit(INTERRUPTED)
    saved = _keep(trial, folder, given, tell)
    _print_json({**record, "model": saved}, as_json)


def _keep(trial: Trial, folder: Path, given: dict[str, Any], tell: Any) -> str | None:
    """Save the winner, unless it is worth nothing."""
    winner = trial.verdict.winner
    if winner is None or not (trial.verdict.learnable or given["keep"]):
        tell(f"\nNo model is saved (--keep saves one all the same); the records are in {folder}.")
        return None
    label = trial.plan.specs[winner].label
    tell(f"\nTraining {label} on all {len(trial.table.X):,} rows ...")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = keep_winner(trial, folder, seed=given["seed"])
    tell(f"Saved in {folder}. Predict with: qcl-mixnet predict {folder} NEW_FILE")
    return str(path)


def _print_json(record: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(record, indent=1, ensure_ascii=False, default=str))


def _stem(file: str) -> str:
    """Name of a file without folders, addresses and suffixes."""
    name = file.rstrip("/").rsplit("/", 1)[-1]
    return name.split(".", 1)[0] or "table"


def _checked(kind: Any, **values: Any) -> Any:
    from pydantic import ValidationError

    try:
        return kind(**values)
    except ValidationError as error:
        fault = error.errors()[0]
        name = "--" + str(fault["loc"][0]).replace("_", "-")
        raise click.UsageError(
            f"{name} is {fault['input']!r}, and {fault['msg'][:1].lower()}{fault['msg'][1:]}."
        ) from error
