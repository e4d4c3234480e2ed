"""What `docs/keeping.md` tells its readers to type."""

import re
from pathlib import Path

import pandas as pd
from kedro.framework.cli.utils import _split_params
from tests.pages import ROOT, run_python

from qcl_mixnet import load_fitted

PAGE = (ROOT / "docs" / "keeping.md").read_text(encoding="utf-8")


def commands():
    """Pipeline and parameters of every command of the page."""
    found = re.findall(r"^kedro run --pipelines=(\w+) --params=(\S+)$", PAGE, re.MULTILINE)
    return {pipeline: _split_params(None, None, params) for pipeline, params in found}


def test_page__its_commands_and_its_python__do_what_they_say(project, tmp_path, monkeypatch):
    fit, scoring = commands()["fit"], commands()["inference"]["inference"]
    project.run(pipelines=("fit",), params=fit)
    folder = project.data / Path(scoring["model"]).relative_to("data")
    rows = pd.read_parquet(project.data / "01_raw" / "glass.parquet").drop(columns="target")
    rows.to_csv(tmp_path / scoring["table"], index=False)
    paths = {"model": folder} | {n: tmp_path / scoring[n] for n in ("table", "output")}
    given = {name: str(path) for name, path in paths.items()}
    project.run(pipelines=("inference",), params={"inference": given})
    kept = load_fitted(folder)
    assert pd.read_csv(paths["output"])["label"].tolist() == kept.predict(rows).tolist()

    monkeypatch.chdir(tmp_path)
    names = {"model": kept, "table": rows}
    names = run_python("docs/keeping.md", names)
    assert names["kept"].predict(rows).tolist() == kept.predict(rows).tolist()
    assert (tmp_path / "models" / "mine" / "kept.json").is_file()
