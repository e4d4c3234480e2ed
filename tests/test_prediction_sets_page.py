"""The worked case of docs/prediction-sets.md runs, and gives the numbers that the page says."""

import re

import numpy as np
import pytest
from tests.pages import ROOT, run_python

PAGE = (ROOT / "docs" / "prediction-sets.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def names():
    """What the page's code leaves behind."""
    return run_python("docs/prediction-sets.md", {"print": lambda *_: None})


def counted(sets):
    """How many sets hold fine alone, fraud alone, both and neither."""
    kinds = ([True, False], [False, True], [True, True], [False, False])
    return [int((sets == kind).all(axis=1).sum()) for kind in kinds]


@pytest.mark.filterwarnings("error")
def test_sets__of_the_page__are_as_many_as_it_says(names):
    assert counted(names["sets"]) == [3099, 445, 2456, 0]
    assert "6,000 new rows 3,099 are" in PAGE
    assert '445 "fraud"\nalone, and 2,456 may be either' in PAGE
    assert counted(names["model"].predict_set(names["X_new"], coverage=0.9))[3] == 59
    assert "At a coverage of .9, 59 of the 6,000 rows are" in PAGE


def test_report__table_of_the_page__is_what_it_gives(names):
    rows = re.findall(r"^\| (fine|fraud|overall) \| (.*) \|$", PAGE, flags=re.MULTILINE)
    assert len(rows) == 3
    columns = ["rows", "coverage", "coverage_low", "coverage_high", "mean_size", "full"]
    for label, cells in rows:
        found = names["report"].loc[label, columns].astype(float).round(3).tolist()
        assert found == [float(cell) for cell in cells.split(" | ")]


def test_one_threshold_for_all_classes__holds_few_of_the_frauds(names):
    model, y_new = names["model"], names["y_new"]
    own = model.out_of_fold_proba_[np.arange(6000), model.out_of_fold_labels_]
    sets = model.predict_proba(names["X_new"]) >= np.sort(own)[600 - 1]
    held = sets[np.arange(6000), np.searchsorted(model.classes_, y_new)]
    assert held.mean().round(2) == 0.90
    assert held[y_new == "fraud"].mean().round(2) == 0.10
    assert "Here it holds 90 % of the new rows, and 10 % of the frauds" in PAGE
