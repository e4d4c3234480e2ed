"""Where the results of a data set come from: one row a cell."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from qcl_mixnet.evaluation.cells import CellResult

# Versions are columns of their own, behind these.
PROVENANCE_COLUMNS = (
    "dataset", "model", "status", "seconds", "finished_at", "environment", "git_commit",
    "machine", "devices",
)  # fmt: skip


def gather_provenance(dataset: str, results: Mapping[str, CellResult | None]) -> pd.DataFrame:
    """Collect when, where and with what the cells of a data set were computed.

    Parameters
    ----------
    dataset : str
    results : mapping of str to CellResult or None
        Results by model, those of `current_results`; those not run have no rows.

    Returns
    -------
    DataFrame
        `dataset`, `model`, `status`, `seconds` (of the whole cell), `finished_at`,
        `environment` and `git_commit` ("unknown" where the record has none), `machine`,
        `devices`, and a column `version_<library>` for each library of the record.
    """
    rows = [
        {
            "dataset": dataset,
            "model": model,
            "environment": "unknown",
            "git_commit": "unknown",
            **{name: result.record[name] for name in PROVENANCE_COLUMNS if name in result.record},
            "devices": ", ".join(sorted({repeat["device"] for repeat in result.record["repeats"]})),
            **{f"version_{k}": version for k, version in result.record["versions"].items()},
        }
        for model, result in results.items()
        if result is not None
    ]
    if not rows:
        return pd.DataFrame()
    frame = pd.DataFrame(rows)
    versions = [name for name in frame.columns if name.startswith("version_")]
    return frame[[*PROVENANCE_COLUMNS, *versions]]
