"""Files of a data folder that are not what they were: a sentence, or a new computation."""

import hashlib
import json
import logging
import shutil

import pandas as pd
import pytest

from qcl_mixnet.project.session import USER_ERRORS

GRID = {"grid": {"datasets": "glass", "models": "knn+decision_tree"}}


@pytest.fixture(scope="module")
def computed(tmp_path_factory, _project):
    """A data folder with the results of a run."""
    from tests.pipelines.conftest import Project

    folder = tmp_path_factory.mktemp("computed")
    Project(folder).run(params=GRID)
    return folder / "data"


def key_folder(data):
    return next((data / "07_model_output/glass/knn").glob("*/fit.json")).parent


def find(data, name):
    return next(path for path in data.rglob(name) if "latest" not in path.parts)


def as_folder(path):
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "a file of the user").write_text("x")


def as_file(path):
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("x")


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_repeat(data, **changes):
    file = key_folder(data) / "fit.json"
    first, *others = json.loads(file.read_text())["repeats"]
    edit(file, repeats=[{**first, **changes}, *others])


def edit_predictions(data, change):
    """Change the predictions and what their record says of them: by hand, and with care."""
    folder = key_folder(data)
    file = folder / "predictions.parquet"
    change(pd.read_parquet(file)).to_parquet(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    files = json.loads((folder / "fit.json").read_text())["files"]
    edit(folder / "fit.json", files={**files, file.name: digest})


def edit_table(data, change):
    file = data / "01_raw/glass.parquet"
    table = pd.read_parquet(file)
    changed = change(table)
    changed.attrs = table.attrs
    changed.to_parquet(file)


ODD = {
    "folder of a cell is a file": lambda d: as_file(d / "07_model_output/glass/knn"),
    "folder of a result is a file": lambda d: as_file(key_folder(d)),
    "record is a folder": lambda d: as_folder(key_folder(d) / "fit.json"),
    "record that is shown is a folder": lambda d: as_folder(
        d / "07_model_output/glass/knn/fit.json"
    ),
    "predictions are a folder": lambda d: as_folder(key_folder(d) / "predictions.parquet"),
    "tracking is a file": lambda d: as_file(d / ".tracking"),
    "run in tracking is a folder": lambda d: (d / ".tracking/1-x/run.json").mkdir(parents=True),
    "schema": lambda d: find(d, "*schema*.json").write_text("{"),
    "splits": lambda d: find(d, "*splits*.parquet").write_bytes(b"PAR1x"),
    "table": lambda d: (d / "01_raw/glass.parquet").write_bytes(b"PAR1x"),
    "table is a folder": lambda d: as_folder(d / "01_raw/glass.parquet"),
    "note of gathered tables is a folder": lambda d: as_folder(find(d, "gathered.json")),
    "gathered tables": lambda d: [
        path.write_bytes(b"x") for path in find(d, "gathered.json").parent.glob("*.parquet")
    ],
    "metrics.csv is a folder": lambda d: as_folder(find(d, "metrics.csv")),
    "latest is a folder": lambda d: as_folder(d / "08_reporting/latest"),
    "time of a record": lambda d: edit(key_folder(d) / "fit.json", finished_at="yesterday"),
    "scores are null": lambda d: edit(key_folder(d) / "fit.json", metrics={"macro_f1": None}),
    "a repeat lacks its scores": lambda d: edit_repeat(d, metrics={}),
    "repeats are gone": lambda d: edit(key_folder(d) / "fit.json", repeats=[]),
    "predictions lack a column": lambda d: edit_predictions(d, lambda t: t.drop(columns="proba_0")),
    "predictions lack rows": lambda d: edit_predictions(d, lambda t: t.head(3)),
    "predictions are of other classes": lambda d: edit_predictions(
        d, lambda t: t.assign(y_pred=99)
    ),
    "predictions are text": lambda d: edit_predictions(d, lambda t: t.assign(proba_0="x")),
    "table has no target": lambda d: edit_table(d, lambda t: t.drop(columns="target")),
    "table has no rows": lambda d: edit_table(d, lambda t: t.head(0)),
    "table has other values": lambda d: edit_table(d, lambda t: t.assign(RI=t["RI"] + 1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD)
def test_odd_file__is_one_sentence_or_computed_again(odd, computed, project, capfd, caplog):
    shutil.copytree(computed, project.data, symlinks=True)
    ODD[odd](project.data)
    refused = None
    try:
        project.run(params=GRID)
    except USER_ERRORS as error:
        refused = str(error)
    if refused is None:
        told = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
        status = set(pd.read_csv(find(project.data / "08_reporting", "metrics.csv"))["status"])
        assert status == {"ok"} or any("delete it" in line for line in told)
    else:
        assert "\n" not in refused or "Failed while" in refused  # the latter are Kedro's
    assert "Traceback" not in capfd.readouterr().err
