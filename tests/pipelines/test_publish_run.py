"""Scores of runs that are kept with the project."""

import json

import pandas as pd
import pytest
from kedro.io import DatasetError

STAGES = ("training", "evaluation", "statistics", "publish")


@pytest.fixture
def publish(project, tmp_path):
    folder = tmp_path / "results"

    def run(models, *, datasets="glass", pipelines=STAGES, **params):
        given = {"grid": {"datasets": datasets, "models": models}}
        options = {"publish": {"folder": str(folder), "name": "mine"}}
        project.run(pipelines=pipelines, params={**given, **options, **params})
        return folder / "mine"

    return run


def test_publish__runs_add_up_and_another_protocol_is_refused(publish):
    publish("knn")
    folder = publish("decision_tree", datasets="glass+lymph")

    cells = pd.read_csv(folder / "cells.csv")
    assert cells[["dataset", "model"]].apply(".".join, axis=1).tolist() == [
        "glass.decision_tree", "glass.knn", "lymph.decision_tree",
    ]  # fmt: skip
    assert cells["macro_f1"].between(0, 1).all()
    sources = pd.read_csv(folder / "sources.csv", dtype=str)
    assert set(cells["source"].astype(str)) == set(sources["source"])
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["cells"], summary["datasets"], summary["models"]) == (3, 2, 2)
    statistics = json.loads((folder / "statistics.json").read_text())
    assert statistics["not_run"] == ["lymph.knn"]
    assert pd.read_csv(folder / "leaderboard.csv")["model"].tolist() == ["decision_tree"]
    assert (folder / "ranks.png").stat().st_size > 1000
    before = {path: path.read_bytes() for path in folder.iterdir()}

    with pytest.raises(DatasetError, match=r"holds results of seed 42.*have 7"):
        publish("knn", protocol={"seed": 7})
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_publish__before_any_run_says_what_to_run(publish):
    with pytest.raises(DatasetError, match=r"There is no .*metrics\.csv; run") as error:
        publish("knn", pipelines=("publish",))
    assert "\n" not in str(error.value)
