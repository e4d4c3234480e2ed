import math

import pytest

from qcl_mixnet.evaluation.planning import (
    PlannedCell,
    expected_seconds,
    schedule,
    seconds_of,
    worker_table,
)


def ends(seconds, n_workers, **options):
    """When the last cell ends."""
    return max(slot.end for slot in schedule(seconds, n_workers, **options))


def record(*seconds, status="ok"):
    repeats = [{"metrics": {"fit_seconds": s, "predict_seconds": 0.5}} for s in seconds]
    return {"status": status, "repeats": repeats}


def test_seconds_of__mean_over_the_splits():
    assert seconds_of(record(1.5, 3.5)) == 3.0


@pytest.mark.parametrize("failed", [{"status": "failed"}, record(status="ok"), {}])
def test_seconds_of__nothing_finished__none(failed):
    assert seconds_of(failed) is None


def test_expected_seconds__measured_estimated_unknown():
    cells = [("small", "knn"), ("large", "knn"), ("small", "new")]
    planned = expected_seconds(
        cells,
        {("small", "knn"): 2.0, ("other", "knn"): 8.0},
        {"small": 10, "other": 20, "large": 100},
        3,
    )
    assert [p.source for p in planned] == ["measured", "estimated", "unknown"]
    # Rates of .2 and .4 seconds a row: their median is .3, for 100 rows and three splits.
    assert [p.seconds for p in planned][:2] == pytest.approx([6.0, 90.0])
    assert math.isnan(planned[2].seconds)


def test_schedule__two_workers__by_hand():
    slots = schedule([4, 1, 1, 5], 2)
    assert [(s.worker, s.start, s.end) for s in slots] == [
        (0, 0, 4), (1, 0, 1), (1, 1, 2), (1, 2, 7),
    ]  # fmt: skip
    assert ends([4, 1, 1, 5], 2) == 7
    assert ends([4, 1, 1, 5], 1) == 11
    assert ends([4, 1, 1, 5], 9) == 5


def test_schedule__overhead__counts_for_each_cell():
    assert ends([1, 1], 1, overhead=0.25) == 2.5


def test_schedule__no_cells__takes_no_time():
    assert schedule([], 3) == []


def test_schedule__no_worker__one_sentence():
    with pytest.raises(ValueError, match="at least 1 worker, got 0"):
        schedule([1], 0)


def test_worker_table__by_hand():
    hours = [4, 1, 1, 5, math.nan]
    cells = [PlannedCell("d", f"m{i}", 3600 * h, "measured") for i, h in enumerate(hours)]
    table = worker_table(cells, [1, 2, 9], overhead=0.0, price_per_hour=0.5)
    assert table["workers"].tolist() == [1, 2, 9]
    assert table["hours"].tolist() == [11, 7, 5]
    assert table["busy"].tolist() == pytest.approx([1, 11 / 14, 11 / 45])
    assert table["cost"].tolist() == [5.5, 7, 22.5]
    assert table["last_cell"].tolist() == ["d.m3"] * 3


def test_worker_table__overhead_and_no_price():
    cells = [PlannedCell("d", "m", 3000.0, "measured")] * 2
    table = worker_table(cells, [1], overhead=600.0)
    assert table["hours"].tolist() == [2]
    assert math.isnan(table["cost"][0])


@pytest.mark.parametrize("cells", [[], [PlannedCell("d", "m", math.nan, "unknown")]])
def test_worker_table__nothing_to_compute__takes_no_time(cells):
    row = worker_table(cells, [3], price_per_hour=2.0).iloc[0]
    assert (row["hours"], row["cost"], row["last_cell"]) == (0, 0, "")
    assert math.isnan(row["busy"])
