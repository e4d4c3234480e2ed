"""The example of docs/tuned_decision.md runs, and prints what the page says."""

import re

import numpy as np
import pytest
from tests.pages import ROOT, run_python

PAGE = (ROOT / "docs" / "tuned_decision.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_example__prints_the_scores_and_has_the_weights_of_the_page(capsys):
    names = run_python("docs/tuned_decision.md", quick=False)
    printed = [float(line) for line in capsys.readouterr().out.split()]
    said = re.search(
        r"It prints (\S+) and (\S+) for the random forest, (\S+) and (\S+) for XGBoost", PAGE
    )
    assert printed == pytest.approx([float(score) for score in said.groups()], abs=0.005)
    shares = np.bincount(names["y"]) / len(names["y"])
    assert "classes, of 79 % to 3 % of the rows" in PAGE.replace("\n", " ")
    assert (shares.max().round(2), shares.min().round(2)) == (0.79, 0.03)
