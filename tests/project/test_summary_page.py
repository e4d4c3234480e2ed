import io

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from rich.console import Console

from qcl_mixnet.project import summary
from qcl_mixnet.project.report_datasets import PageDataset
from qcl_mixnet.project.summary import print_summary, report_paths
from qcl_mixnet.project.tracking import RunBinding


@pytest.mark.parametrize("binding", [RunBinding(), RunBinding({}, "sqlite:///x.db", "0", "run7")])
def test_print_summary__page__its_whole_path_is_the_last_line(tmp_path, monkeypatch, binding):
    console = Console(file=io.StringIO(), width=40)
    monkeypatch.setattr(summary, "get_console", lambda: console)
    path = tmp_path / "08_reporting" / ("a long name, " * 10) / "[bold]report.html"
    page = PageDataset(filepath=str(path))
    pipeline = Pipeline([Node(lambda models: "", "models", "report", name="write")])

    print_summary(DataCatalog({"report": page}), pipeline, binding)

    assert console.file.getvalue().splitlines()[-1] == f"Report: {path}"
    assert report_paths(page) == [path]
