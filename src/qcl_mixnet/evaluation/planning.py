"""How long a run will take on some workers, from what its cells took before."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

import pandas as pd

Source = Literal["measured", "estimated", "unknown"]


@dataclass(frozen=True)
class PlannedCell:
    """A cell that a run would compute.

    Attributes
    ----------
    dataset, model : str
    seconds : float
        Expected; NaN where nothing is known.
    source : {"measured", "estimated", "unknown"}
        From an earlier result of this cell, from its model's on other data sets, or from nothing.
    """

    dataset: str
    model: str
    seconds: float
    source: Source


@dataclass(frozen=True)
class Slot:
    """When and where a cell runs.

    Attributes
    ----------
    worker : int
    start, end : float
        Seconds after the start of the run.
    """

    worker: int
    start: float
    end: float


def seconds_of(record: Mapping[str, Any]) -> float | None:
    """Seconds that a finished cell took for one split, the tuning of its parameters included.

    Parameters
    ----------
    record : mapping
        Content of `fit.json`.

    Returns
    -------
    float or None
        None for a cell that failed.
    """
    repeats = record.get("repeats") or []
    if record.get("status") != "ok" or not repeats:
        return None
    each = [r["metrics"]["fit_seconds"] + r["metrics"]["predict_seconds"] for r in repeats]
    return float(sum(each) / len(each))


def expected_seconds(
    cells: Sequence[tuple[str, str]],
    measured: Mapping[tuple[str, str], float],
    n_rows: Mapping[str, int],
    repeats: int,
) -> list[PlannedCell]:
    """Give each cell the seconds that it will take, as far as earlier results tell.

    A cell that was computed before takes what it took. For another, the model's median seconds
    per row on the data sets that it was computed on are multiplied by the rows of this one: a rough
    guess, for few models cost in proportion to the rows.

    Parameters
    ----------
    cells : sequence of (str, str)
        Data set and model, in the order in which a run hands them out.
    measured : mapping of (str, str) to float
        Seconds per split of cells that were computed before.
    n_rows : mapping of str to int
        Rows of every data set in `cells` and `measured`.
    repeats : int
        Splits of the run.

    Returns
    -------
    list of PlannedCell
        In the order of `cells`.
    """
    rates: dict[str, list[float]] = {}
    for (dataset, model), seconds in measured.items():
        rates.setdefault(model, []).append(seconds / n_rows[dataset])
    planned = []
    for dataset, model in cells:
        source: Source = "unknown"
        seconds = float("nan")
        if (dataset, model) in measured:
            source, seconds = "measured", measured[dataset, model]
        elif model in rates:
            source, seconds = "estimated", median(rates[model]) * n_rows[dataset]
        planned.append(PlannedCell(dataset, model, repeats * seconds, source))
    return planned


def schedule(seconds: Sequence[float], n_workers: int, overhead: float = 0.0) -> list[Slot]:
    """Simulate a run: the next cell in order goes to the worker that is free first.

    This is what the runners do.

    Parameters
    ----------
    seconds : sequence of float
        What each cell takes, in the order in which they are handed out.
    n_workers : int
    overhead : float
        Seconds that a worker needs beside each cell.

    Returns
    -------
    list of Slot
        In the order of `seconds`.

    Raises
    ------
    ValueError
        When `n_workers` is below 1.
    """
    if n_workers < 1:
        raise ValueError(f"A run needs at least 1 worker, got {n_workers}; name 1 or more.")
    free = [(0.0, worker) for worker in range(n_workers)]
    slots = []
    for own in seconds:
        start, worker = heapq.heappop(free)
        end = start + own + overhead
        slots.append(Slot(worker, start, end))
        heapq.heappush(free, (end, worker))
    return slots


def worker_table(
    planned: Sequence[PlannedCell],
    workers: Sequence[int],
    overhead: float = 0.0,
    price_per_hour: float | None = None,
) -> pd.DataFrame:
    """Tell how long a run takes, and what it costs, by the number of its workers.

    Parameters
    ----------
    planned : sequence of PlannedCell
        In the order in which they are handed out. Cells of which nothing is known are left out.
    workers : sequence of int
    overhead : float
        Seconds that a worker needs beside each cell.
    price_per_hour : float or None
        Of one worker.

    Returns
    -------
    DataFrame
        A row for each number: `workers`, `hours` until the last cell ends, `busy` (share of the
        workers' time in which they compute), `cost` of all workers until then (not a number without
        a price) and `last_cell`, which ends last.

    Examples
    --------
    >>> cells = [PlannedCell("glass", "knn", 3600.0, "measured")] * 3
    >>> worker_table(cells, [1, 2], price_per_hour=0.5)[["workers", "hours", "busy", "cost"]]
       workers  hours  busy  cost
    0        1    3.0  1.00   1.5
    1        2    2.0  0.75   2.0
    """
    known = [cell for cell in planned if not math.isnan(cell.seconds)]
    rows = []
    for n_workers in workers:
        slots = schedule([cell.seconds for cell in known], n_workers, overhead)
        last = max(range(len(slots)), key=lambda i: slots[i].end, default=None)
        total = 0.0 if last is None else slots[last].end
        work = sum(slot.end - slot.start for slot in slots)
        rows.append(
            {
                "workers": n_workers,
                "hours": total / 3600,
                "busy": work / (n_workers * total) if total else float("nan"),
                "cost": float("nan")
                if price_per_hour is None
                else price_per_hour * n_workers * total / 3600,
                "last_cell": "" if last is None else f"{known[last].dataset}.{known[last].model}",
            }
        )
    return pd.DataFrame(rows)
