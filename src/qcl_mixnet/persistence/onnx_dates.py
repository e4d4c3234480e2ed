"""ONNX graphs: the numbers of a date from its microseconds since 1970, by integers alone."""

from __future__ import annotations

import numpy as np

from qcl_mixnet.persistence.onnx_graph import Graph
from qcl_mixnet.preprocessing.dates import DAY, FIRST_WEEKDAY, HOUR, Part

# What NumPy has for NaT.
GAP = np.iinfo(np.int64).min

# The calendar repeats after 400 years. From 1 March 0000 on, a leap day ends its year. So many
# cycles earlier no date that microseconds reach is negative.
_CYCLE, _CYCLE_YEARS, _CYCLES = 146_097, 400, 1000
_DAYS_TO_1970 = 719_468


def date_part_nodes(graph: Graph, moments: str, part: Part, first: np.datetime64) -> str:
    """Do what `date_part` does.

    Parameters
    ----------
    graph : Graph
    moments : str
        Name of the microseconds `(n_rows, 1)`, int64, with `GAP` for gaps.
    part : {"year", "month", "weekday", "hour", "elapsed"}
    first : datetime64[us]
        As of `date_part`.

    Returns
    -------
    str
        Name of the numbers `(n_rows, 1)`, float64, with NaN for gaps.
    """
    from onnx import TensorProto

    missing = graph.add("Equal", moments, graph.constant(GAP))
    moments = graph.add("Where", missing, graph.constant(np.int64(0)), moments)
    if part == "elapsed":
        exact = graph.add("Cast", moments, to=TensorProto.DOUBLE)
        start = graph.constant(first.astype(np.int64).astype(np.float64))
        numbers = graph.add("Div", graph.add("Sub", exact, start), graph.constant(np.float64(DAY)))
    else:
        numbers = graph.add("Cast", _whole(graph, moments, part), to=TensorProto.DOUBLE)
    return graph.add("Where", missing, graph.constant(np.float64(np.nan)), numbers)


def _whole(graph: Graph, moments: str, part: Part) -> str:
    """A part of a date that is a whole number."""
    # The rest of a division by `Mod` is not negative; `Div` rounds towards zero.
    of_day = _by(graph, "Mod", moments, DAY)
    if part == "hour":
        return _by(graph, "Div", of_day, HOUR)
    day = _by(graph, "Div", graph.add("Sub", moments, of_day), DAY)
    if part == "weekday":
        return _by(graph, "Mod", _by(graph, "Add", day, FIRST_WEEKDAY), 7)
    # Hinnant: "chrono-compatible low-level date algorithms", civil_from_days.
    day = _by(graph, "Add", day, _DAYS_TO_1970 + _CYCLES * _CYCLE)
    of_cycle = _by(graph, "Mod", day, _CYCLE)
    without_leaps = graph.add("Sub", of_cycle, _by(graph, "Div", of_cycle, 1460))
    without_leaps = graph.add("Add", without_leaps, _by(graph, "Div", of_cycle, 36_524))
    without_leaps = graph.add("Sub", without_leaps, _by(graph, "Div", of_cycle, 146_096))
    year = _by(graph, "Div", without_leaps, 365)  # of the cycle
    before = graph.add("Add", _by(graph, "Mul", year, 365), _by(graph, "Div", year, 4))
    before = graph.add("Sub", before, _by(graph, "Div", year, 100))
    of_year = graph.add("Sub", of_cycle, before)  # days since 1 March
    months = _by(graph, "Div", _by(graph, "Add", _by(graph, "Mul", of_year, 5), 2), 153)
    if part == "month":
        return _by(graph, "Add", _by(graph, "Mod", _by(graph, "Add", months, 2), 12), 1)
    cycles = _by(graph, "Add", _by(graph, "Div", day, _CYCLE), -_CYCLES)
    year = graph.add("Add", year, _by(graph, "Mul", cycles, _CYCLE_YEARS))
    return graph.add("Add", year, _by(graph, "Div", months, 10))  # January and February


def _by(graph: Graph, operator: str, x: str, number: int) -> str:
    return graph.add(operator, x, graph.constant(np.int64(number)))
