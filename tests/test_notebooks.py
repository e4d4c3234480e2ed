"""The notebooks run from top to bottom, and are kept without what they printed."""

import contextlib
import json
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
# Starts a run of the pipeline, which takes seconds.
SLOW = {"5_compare_runs_with_mlflow"}


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def test_notebooks__are_there():
    assert len(NOTEBOOKS) == 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook__is_kept_without_outputs(path):
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert code
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert cells(path)[0]["source"][0].startswith("# ")


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[pytest.mark.slow] * (p.stem in SLOW), id=p.stem) for p in NOTEBOOKS],
)
def test_notebook__runs(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if path.stem in SLOW:
        monkeypatch.chdir(path.parent)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # a notebook may set it: put back afterwards
    used = matplotlib.get_backend()
    matplotlib.use("agg")
    names = {"__name__": "__main__"}
    with contextlib.ExitStack() as stack:
        stack.callback(matplotlib.use, used)
        stack.callback(plt.close, "all")
        for number, cell in enumerate(cells(path)):
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), f"{path.name}, cell {number}", "exec"), names)
