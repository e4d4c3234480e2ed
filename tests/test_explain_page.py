"""The example of docs/explain.md runs, and shows what the page says."""

import re
from pathlib import Path

import matplotlib as mpl
import pytest

mpl.use("Agg")

PAGE = (Path(__file__).parents[1] / "docs" / "explain.md").read_text(encoding="utf-8")


def test_python_blocks__run_and_show_what_the_page_says(capsys):
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(block, "explain.md", "exec"), names)
    import matplotlib.pyplot as plt

    plt.close("all")
    falls = names["display"].importances["importance"]
    assert falls.index[0] == "country"
    assert falls["country"] > 2 * falls.iloc[1]
    assert abs(falls["age"]) < falls["country"] / 5
    total, probability = map(float, capsys.readouterr().out.splitlines()[-1].split())
    assert total == pytest.approx(probability, abs=1e-5)
    assert names["reasons"].data[0].tolist() == names["X"].iloc[600].tolist()
