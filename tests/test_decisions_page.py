"""The worked case of docs/decisions.md runs, and prints what the page says."""

import re

import matplotlib as mpl
import pytest
from tests.pages import ROOT, run_python

mpl.use("Agg")

PAGE = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("error")
def test_python_blocks__run_and_print_what_the_page_says(capsys):
    names = run_python("docs/decisions.md")
    import matplotlib.pyplot as plt

    plt.close("all")
    printed = capsys.readouterr().out
    numbers = [float(word) for word in re.findall(r"\d+\.?\d*", printed)]
    for said in (19350, 6115, 0.968, 6930, 0.903, 116, 0.570, 0.88, 0.96):
        assert any(number == pytest.approx(said, rel=2e-3) for number in numbers), said
        assert f"{said:,}".removeprefix("0") in PAGE
    fraud = names["model"].predict_proba(names["X_new"])[:, 1]
    where = names["np"].where
    near = [t for t in set(fraud) if 0.01 < t < 0.1]  # where the best one is
    bills = [names["bill"](where(fraud >= t, "fraud", "fine")) for t in near]
    assert min(bills) == 5645
    display, points = names["display"], names["points"].sort_values("alerts_per_1000")
    assert display.lines_["cost_per_1000"].get_ydata().tolist() == points["cost_per_1000"].tolist()
