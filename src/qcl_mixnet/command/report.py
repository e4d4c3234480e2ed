"""`qcl-mixnet report`: a trial told again from its records."""

from __future__ import annotations

import json

import click

from qcl_mixnet.inspection.readings import MOST_LINES
from qcl_mixnet.trial.folder import MODEL_FOLDER, READINGS_FILE, SavedTrial
from qcl_mixnet.trial.tables import board_lines


@click.command("report", short_help="Tell the results of a trial again.")
@click.argument("trial")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
def report(trial: str, as_json: bool) -> None:
    """Tell what the trial in the folder TRIAL found: columns, leaderboard and its meaning."""
    saved = SavedTrial.read(trial)
    record = saved.record
    if as_json:
        click.echo(json.dumps(record, indent=1))
        return
    click.echo(record["file"])
    columns = list(record["columns"].items())[:MOST_LINES]
    width = max(len(name) for name, _ in columns)
    for name, words in columns:
        click.echo(f"  {name:<{width}}  {words}")
    if len(columns) < len(record["columns"]):
        more = len(record["columns"]) - len(columns)
        click.echo(f"  ... and {more:,} more, which are in {saved.folder / READINGS_FILE}")
    click.echo()
    for line in (*board_lines(record["leaderboard"]), "", *record["verdict"]["sentences"]):
        click.echo(line)
    model = saved.folder / MODEL_FOLDER
    click.echo(f"\nModel: {model}" if model.is_dir() else "\nNo model was saved.")
