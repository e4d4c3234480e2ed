"""The example of docs/explain.md runs, and shows what the page says."""

import matplotlib as mpl
import pytest
from tests.pages import run_python

mpl.use("Agg")


def test_python_blocks__run_and_show_what_the_page_says(capsys):
    names = run_python("docs/explain.md")
    import matplotlib.pyplot as plt

    plt.close("all")
    falls = names["display"].importances["importance"]
    assert falls.index[0] == "country"
    assert falls["country"] > 2 * falls.iloc[1]
    assert abs(falls["age"]) < falls["country"] / 5
    total, probability = map(float, capsys.readouterr().out.splitlines()[-1].split())
    assert total == pytest.approx(probability, abs=1e-5)
    assert names["reasons"].data[0].tolist() == names["X"].iloc[600].tolist()
