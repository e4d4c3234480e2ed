"""`qcl-mixnet predict`: labels and probabilities for a later file."""

from __future__ import annotations

import json
import re
from typing import Any

import click
from tqdm import tqdm

from qcl_mixnet.command.file_flags import file_flags, folder_or_file, told_of_file
from qcl_mixnet.data.errors import DataError
from qcl_mixnet.engine.devices import resolve_device
from qcl_mixnet.inspection.readings import rows_of
from qcl_mixnet.trial.folder import SavedTrial
from qcl_mixnet.trial.prediction import predict_file
from qcl_mixnet.trial.tables import stem_of


@click.command("predict", short_help="Predict the rows of a new file.")
@click.argument("trial")
@click.argument("file")
@click.option("--output", "-o", help="CSV or Parquet.  [default: FILE's name with -predicted.csv]")
@click.option("--overwrite", is_flag=True, help="Replace that file.")
@click.option("--id", "ids", multiple=True, metavar="COLUMN",
              help="Columns to write in front.  [default: the identifiers]")  # fmt: skip
@file_flags
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def predict(trial: str, file: str, **given: Any) -> None:
    """Write a label and the probability of every class for each row of FILE.

    TRIAL is the folder that `qcl-mixnet try` wrote. FILE is read as the first file was, unless you
    say otherwise, needs no target, and may have other columns beside those of the model.
    """
    output = folder_or_file(given["output"] or f"{stem_of(file)}-predicted.csv", "--output")
    device = _device(given["device"])
    if output.exists() and not given["overwrite"]:
        raise DataError(
            f"the output {output} is there already; replace it with --overwrite, or name another "
            "file with --output"
        )
    with tqdm(total=0, unit="rows", leave=False, disable=None) as bar:

        def reach(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        counts = predict_file(
            SavedTrial.read(trial),
            file,
            output,
            ids=list(given["ids"]) or None,
            device=device,
            options=told_of_file(given),
            on_rows=reach,
        )
    if given["as_json"]:
        click.echo(json.dumps({"output": str(output), "rows_by_label": counts}))
        return
    width = max(map(len, counts))
    n_rows = sum(counts.values())
    click.echo(f"{rows_of(n_rows)} {'is' if n_rows == 1 else 'are'} in {output}:")
    for label, n in counts.items():
        click.echo(f"  {label:<{width}}  {n:>9,}")


def _device(name: str) -> str:
    """A device of PyTorch that is there."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise click.UsageError(f"--device is {name!r}; it can be auto, cpu, cuda, cuda:1 or mps.")
    try:
        return resolve_device(name)
    except ValueError as error:
        raise click.UsageError(f"--{error}") from error
