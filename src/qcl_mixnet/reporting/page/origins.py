"""Where the numbers of a page come from: code, machine, time, versions and settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.wording import count

_NOTHING = "unknown: no cell was run"


def origin_facts(provenance: pd.DataFrame) -> list[tuple[str, str]]:
    """Sum up the provenance of all cells.

    Parameters
    ----------
    provenance : DataFrame
        Rows of `gather_provenance` for all data sets; it may be empty.

    Returns
    -------
    list of (str, str)
        Name and text. Where cells differ every value is named with its number of cells: they may
        come from several runs.
    """
    if provenance.empty:
        return [("Results", _NOTHING)]
    cells = count(len(provenance), "cell")
    finished = sorted(provenance["finished_at"].astype(str))
    facts = [
        ("Results", f"{cells}, computed from {finished[0]} to {finished[-1]}"),
        ("Computing time", f"{_duration(provenance['seconds'].sum())}, added up over all cells"),
        ("Environment", _values(provenance["environment"])),
        ("Commit", _values(provenance["git_commit"])),
        ("Machine", _values(provenance["machine"])),
        ("Device", _values(provenance["devices"])),
    ]
    versions = [name for name in provenance.columns if name.startswith("version_")]
    texts = (f"{name.removeprefix('version_')} {_values(provenance[name])}" for name in versions)
    return [*facts, ("Versions", ", ".join(texts))]


def _values(values: pd.Series) -> str:
    """The one value of all cells, or each with its number of cells, the commonest first."""
    counts = values.astype(str).replace("", "unknown").value_counts()
    if len(counts) == 1:
        return str(counts.index[0])
    return "; ".join(f"{value} ({count(int(n), 'cell')})" for value, n in counts.items())


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} seconds"
    if seconds < 3600:
        return f"{seconds / 60:.1f} minutes"
    return f"{seconds / 3600:.1f} hours"


def setting_rows(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the settings of the run but its models, one line each.

    Parameters
    ----------
    settings : mapping
        Sections by name, such as "protocol".

    Returns
    -------
    list of (str, str)
        Dotted name and value.
    """
    return [
        (f"{section}.{name}", _text(value))
        for section, values in settings.items()
        for name, value in values.items()
    ]


def model_rows(models: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """List the models with their classes and what their entries set.

    Parameters
    ----------
    models : mapping
        Dumped `ModelSpec` by name.

    Returns
    -------
    list of (str, str, str)
        Name, class, and all other settings but label and family.
    """
    left_out = {"class", "label", "family"}
    return [
        (
            name,
            str(spec["class"]),
            "; ".join(
                f"{key}: {_text(value)}" for key, value in spec.items()
                if key not in left_out and value not in ({}, None)
            ),
        )
        for name, spec in models.items()
    ]  # fmt: skip


def _text(value: Any) -> str:
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
