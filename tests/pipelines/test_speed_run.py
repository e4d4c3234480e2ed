"""The pipeline ``speed`` in the test environment."""

import json
from pathlib import Path

import mlflow
import pandas as pd
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession

ROOT = Path(__file__).parents[2]
FILES = {"speed.csv", "speed.json", "speed.png", "speed.svg"}


def test_speed__alone__files_mlflow_and_terminal_agree(project, capsys):
    project.run(pipelines=("speed",))

    folder = project.data / "08_reporting/speed/latest"
    assert {path.name for path in folder.iterdir()} == FILES | {"run.json"}
    table = pd.read_csv(folder / "speed.csv")
    assert len(table) == 8  # two shapes, two sizes of groups, two implementations
    measured = json.loads((folder / "speed.json").read_text())
    assert measured["options"]["members"] == [1, 2]
    assert measured["machine"]["threads"] == 1
    assert [row["ms"] for row in measured["results"]] == table["ms"].tolist()
    assert not (project.data / "07_model_output").exists()
    assert not (project.data / "01_raw").exists()

    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert run.info.status == "FINISHED"
    assert run.data.params["speed.repeats"] == "2"
    engine = table[table["implementation"] == "engine"].set_index(["dataset", "members"])
    assert run.data.metrics["speed_ratio/wide_2_members"] == engine.loc[("wide", 2), "ratio"]
    assert run.data.metrics["speed_ms/small_1_members"] == engine.loc[("small", 1), "ms"]
    attached = mlflow.MlflowClient().list_artifacts(run.info.run_id, "reports")
    assert {item.path.removeprefix("reports/") for item in attached} == FILES

    shown = capsys.readouterr().out
    assert "The training engine beside the reference" in shown
    assert str(folder.resolve()) in shown.replace("\n", "")


def test_speed__is_no_part_of_full():
    # Pipelines are those of the context that was loaded last, which may be another test's.
    with KedroSession.create(project_path=ROOT, env="test") as session:
        session.load_context()
    names = {node.name for node in pipelines["full"].nodes}
    assert {node.name for node in pipelines["speed"].nodes} == {"measure_speed", "draw_speed"}
    assert not names & {"measure_speed", "draw_speed"}
