"""Nodes of the pipeline `plan`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.cell_folder import CellFolder
from qcl_mixnet.evaluation.keys import cell_key
from qcl_mixnet.evaluation.planning import expected_seconds, seconds_of, worker_table
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.project.plan_options import PlanOptions


@dataclass(frozen=True)
class KnownCells:
    """Look up what is known of the cells of one data set.

    A class for the reason that `IngestTable` is one.

    Parameters
    ----------
    dataset : str
        Name on the roster.
    """

    dataset: str

    def known_cells(
        self,
        schema: dict[str, Any],
        protocol: EvaluationProtocol,
        models: dict[str, Any],
        **cells: CellFolder,
    ) -> pd.DataFrame:
        """Look up what is known of each model's cell, a row for each.

        Columns are `dataset`, `model`, `rows`, `seconds` for one split, of the newest result
        whatever its key (missing where there is none), and `up_to_date`.
        """
        protocol = EvaluationProtocol.model_validate(protocol)
        rows = []
        for model, folder in cells.items():
            spec = ModelSpec.model_validate(models[model])
            current = folder.record(cell_key(schema["fingerprint"], spec, protocol))
            newest = folder.newest_record()
            rows.append(
                {
                    "dataset": self.dataset,
                    "model": model,
                    "rows": schema["rows"],
                    "seconds": None if newest is None else seconds_of(newest),
                    "up_to_date": current is not None and current["status"] != "failed",
                }
            )
        return pd.DataFrame(rows).astype({"seconds": float})


def plan_run(
    known: pd.DataFrame, protocol: EvaluationProtocol, options: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give hours and cost for each number of workers, and what each cell will take.

    Cells that are up to date take nothing; they tell what their models take on other data sets.
    """
    protocol = EvaluationProtocol.model_validate(protocol)
    checked = PlanOptions.model_validate(options)
    known = known.assign(node=known["dataset"] + "." + known["model"])
    known = known.sort_values("node")  # as runners hand them out
    measured = known[known["seconds"].notna()]
    stale = known[~known["up_to_date"]]
    planned = expected_seconds(
        [(row["dataset"], row["model"]) for row in stale.to_dict("records")],
        {(row["dataset"], row["model"]): row["seconds"] for row in measured.to_dict("records")},
        {row["dataset"]: row["rows"] for row in known.to_dict("records")},
        protocol.repeats,
    )
    columns = ["dataset", "model", "seconds", "source"]
    expected = pd.DataFrame([vars(cell) for cell in planned], columns=columns)
    cells = known[["dataset", "model"]].merge(expected, how="left")
    cells["source"] = cells["source"].fillna("up to date")
    workers = worker_table(planned, checked.workers, checked.overhead, checked.price_per_hour)
    return workers, cells.sort_values("seconds", ascending=False, kind="stable")
