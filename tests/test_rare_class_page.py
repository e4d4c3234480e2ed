"""The numbers of docs/rare-class-rows.md are those that were measured, and those of the bounds."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.decisions.bounds import lower_bound, upper_bound

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "rare-class-rows.md").read_text(encoding="utf-8")
RESULTS = pd.read_csv(DOCS / "measured" / "rare_class_rows.csv")
SIZES = (5, 20, 80, 320)


def lines(pattern):
    return re.findall(pattern, PAGE, flags=re.MULTILINE)


def test_learning_curves__every_cell__is_the_mean_and_range_of_the_samples():
    rows = lines(r"^\| ([\w ]+) \| `?([\w ]+)`? \| (.* to .*) \|$")
    assert len(rows) == 12
    groups = RESULTS.groupby(["table", "model", "rare"])["average_precision"]
    for table, model, cells in rows:
        for size, cell in zip(SIZES, cells.split(" | "), strict=True):
            said = [float(number) for number in re.findall(r"\d*\.\d+", cell)]
            of = groups.get_group((table, model, size))
            assert said == pytest.approx([of.mean(), of.min(), of.max()], abs=0.0051)


def test_recall_with_100_alerts__of_the_networks__is_what_the_page_says():
    recall = RESULTS[RESULTS["model"] == "QCLMixNetClassifier"].groupby("rare")["recall_at_100"]
    said = "is .58 with 5 rare rows, .70 with 20, .77 with 80 and .82 with 320"
    assert said in PAGE.replace("\n", " ").replace("  ", " ")
    assert recall.mean()[list(SIZES)].tolist() == pytest.approx([0.58, 0.70, 0.77, 0.82], abs=0.006)


def test_widest_range__up_to_40_rows__is_what_the_page_says():
    few = RESULTS[RESULTS["rare"] <= 40]
    spread = few.groupby(["table", "model", "rare"])["average_precision"].agg(np.ptp)
    assert spread.max() == pytest.approx(0.25, abs=0.005)


def test_bounds__rows_of_a_test_part_and_rows_to_promise__are_those_of_the_code():
    rows = lines(r"^\| (\d+) \| (\d+) \| (\.\d+) \| (\.\d+) \|$")
    assert len(rows) == 7
    for n, found, low, high in rows:
        interval = [float(b(int(found), int(n), 0.975)) for b in (lower_bound, upper_bound)]
        assert [float(low), float(high)] == pytest.approx(interval, abs=0.0051)
    needed = lines(r"^\| a recall of (\.\d+).* \| (\d+) \|$")
    assert len(needed) == 4
    for recall, n in needed:
        assert (
            lower_bound(int(n), int(n), 0.9)
            >= float(recall)
            > lower_bound(int(n) - 1, int(n) - 1, 0.9)
        )
