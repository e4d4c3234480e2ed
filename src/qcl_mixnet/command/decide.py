"""`qcl-mixnet decide`: another decision for the model of a trial."""

from __future__ import annotations

import json
from typing import Any

import click
import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.decisions.change import SCORES
from qcl_mixnet.decisions.spelling import read_decision
from qcl_mixnet.trial.decision import decide_trial
from qcl_mixnet.trial.folder import SavedTrial

_HEADS = {"precision": "precision", "recall": "recall", "f1": "F1",
          "alerts_per_1000": "per 1,000"}  # fmt: skip


@click.command("decide", short_help="Change what the saved model decides.")
@click.argument("trial")
@click.option("--recall", metavar="LABEL=SHARE", help="Find at least that share of the class.")
@click.option("--precision", metavar="LABEL=SHARE", help="Of the alerts, be right that often.")
@click.option("--alerts", metavar="LABEL=COUNT/ROWS", help="Raise no more alerts in so many rows.")
@click.option("--cost", "costs", multiple=True, metavar="LABEL=COST",
              help="What a missed row of the class costs, once for each class; or "
                   "TRUE/PREDICTED=COST for each mistake.")  # fmt: skip
@click.option("--decision", help="argmax, macro_f1, balanced_accuracy, or weights:LABEL=2+LABEL=1.")
@click.option("--confidence", type=float, help="How often a promise holds.  [default: 0.9]")
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the change as JSON and nothing else.")
def decide(trial: str, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Let the model in the folder TRIAL decide otherwise, and say what that changes.

    Nothing is trained: the decision is tuned on rows that the model had not seen. Predictions of
    `qcl-mixnet predict` follow it.
    """
    text = _spelled(**given)
    try:
        decision = read_decision(text)
    except ValueError as error:
        raise DataError(str(error)) from error
    done = decide_trial(SavedTrial.read(trial), decision, save=not dry_run)
    if as_json:
        change = json.loads(done.change.to_json(orient="index", double_precision=15))
        record = {"decision": text, "rule": done.rule, "notes": done.notes, "change": change}
        click.echo(json.dumps(record, indent=1, ensure_ascii=False))
        return
    for line in _lines(done.change):
        click.echo(line)
    click.echo()
    for note in done.notes:
        click.echo(f"Careful: {note}")
    verb = "would decide" if dry_run else "decides now"
    click.echo(f"The model {verb}: {done.rule}.")


def _spelled(
    costs: tuple[str, ...], decision: str | None, confidence: float | None, **constraints: Any
) -> str:
    """The one decision that the options ask for, as text."""
    asked = [f"{kind}:{said}" for kind, said in constraints.items() if said is not None]
    asked += [decision] if decision is not None else []
    asked += ["costs:" + "+".join(costs)] if costs else []
    if len(asked) != 1:
        raise click.UsageError(
            "Give one of --recall, --precision, --alerts, --cost and --decision; --cost may be "
            "repeated."
        )
    if confidence is None:
        return asked[0]
    if costs or decision is not None:
        raise click.UsageError("--confidence belongs to --recall, --precision or --alerts.")
    return f"{asked[0]}+confidence={confidence}"


def _lines(change: pd.DataFrame) -> list[str]:
    """The table as lines: before and after of each score, class by class."""
    labels = [str(label) for label in change.index]
    width = max(map(len, [*labels, "class"]))
    lines = ["  ".join(["class".ljust(width), *(f"{_HEADS[s]:>15}" for s in SCORES)])]
    for label, (_, row) in zip(labels, change.iterrows(), strict=True):
        cells = [
            f"{_cell(score, row[f'{score}_before'])} -> {_cell(score, row[f'{score}_after'])}"
            for score in SCORES
        ]
        lines.append("  ".join([label.ljust(width), *(f"{cell:>15}" for cell in cells)]))
    return lines


def _cell(score: str, value: float) -> str:
    if pd.isna(value):
        return "-"
    return f"{value:.1f}" if score == "alerts_per_1000" else f"{value:.3f}"
