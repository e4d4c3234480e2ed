"""Hours and cost of a run that is not made."""

import json

import pandas as pd
import pytest

from qcl_mixnet.project.parameters import ConfigurationError

KNN, TREE = {"models": "knn"}, {"models": "knn+decision_tree"}


def plan(project, **params):
    plan = {"price_per_hour": 1800, "overhead": 0, "workers": "1+2"}
    given = {"reports": {"plan": "mine"}, "plan": plan, **params}
    project.run(pipelines=("plan",), params=given)
    folder = project.data / "08_reporting/plan/mine"
    assert (folder / "run.json").is_file()
    return pd.read_csv(folder / "workers.csv"), pd.read_csv(folder / "cells.csv")


def test_plan__cells_are_measured_estimated_or_unknown_and_nothing_is_trained(project, capsys):
    datasets = {"datasets": "glass+lymph"}
    project.run(params={"grid": {"datasets": "glass", **KNN}}, pipelines=("training",))
    (path,) = project.data.glob("07_model_output/glass/knn/*/fit.json")
    record = json.loads(path.read_text())
    record["repeats"][0]["metrics"] |= {"fit_seconds": 107.0, "predict_seconds": 107.0}
    path.write_text(json.dumps(record))
    capsys.readouterr()

    workers, cells = plan(
        project, grid={**datasets, **TREE}, protocol={"repeats": 3}
    )  # fmt: skip

    found = {(c.dataset, c.model): (c.source, c.seconds) for c in cells.itertuples()}
    # One second a row of glass, which has 214, and lymph has 148.
    assert found["glass", "knn"] == ("measured", pytest.approx(3 * 214))
    assert found["lymph", "knn"] == ("estimated", pytest.approx(3 * 148))
    assert {found[d, "decision_tree"][0] for d in ("glass", "lymph")} == {"unknown"}
    assert (3600 * workers["hours"]).tolist() == pytest.approx([3 * 362, 3 * 214])
    assert workers["cost"].tolist() == pytest.approx([3 * 181, 3 * 214])
    assert [*workers["last_cell"]] == ["lymph.knn", "glass.knn"]
    assert project.cells() == ["glass.knn"]
    shown = " ".join(capsys.readouterr().out.split())
    assert "What a run of 4 cells will take" in shown
    assert "1 measured (10.7 min), 1 estimated (7.4 min), 2 unknown." in shown
    assert "Longest: glass.knn 10.7 min, lymph.knn 7.4 min." in shown

    _, cells = plan(project, grid={"datasets": "glass", **KNN})
    assert cells["source"].tolist() == ["up to date"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": [0]}, r"plan\.workers\.0'.*greater than or equal to 1"),
        ({"workers": []}, r"plan\.workers'"),
        ({"price_per_hour": -1}, r"plan\.price_per_hour'.*greater than or equal to 0"),
        ({"worker": 3}, r"Unknown parameter 'plan\.worker' \(did you mean 'workers'\?\)"),
    ],
)
def test_bad_options__are_one_sentence(project, options, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        project.run(pipelines=("plan",), params={"plan": options})
    assert "\n" not in str(caught.value)
