"""`kedro run --pipelines=try`: the console's trial, tracked in MLflow."""

import json

import mlflow
import pandas as pd
import pytest
from tests.inspection import own_tables

from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.trial.folder import SavedTrial


@pytest.fixture
def asked(tmp_path):
    table = own_tables.dates_and_ids(tmp_path)
    return table, {
        "table": str(table.path),
        "target": table.target,
        "models": "logistic_regression_tuned",
        "folds": 3,
        "repeats": 1,
    }


def test_try__folder_report_and_mlflow_agree(project, asked, capsys):
    _, options = asked
    project.run(pipelines=["try"], params={"try": options})
    told = capsys.readouterr().out
    assert "LR, tuned decision is first with macro F1" in told
    folder = project.data / "06_models" / "trials" / "churn"
    record = SavedTrial.read(folder).record
    (report,) = project.data.glob("08_reporting/try/test-*/trial.json")
    assert json.loads(report.read_text())["leaderboard"] == record["leaderboard"]
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert run.info.run_name == "try churn"
    score = record["leaderboard"][0]["macro_f1"]
    assert run.data.metrics["macro_f1/logistic_regression_tuned"] == pytest.approx(score)
    assert run.data.params["try.target"] == "churned"
    files = mlflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path="reports")
    names = {file.path.rsplit("/")[-1] for file in files}
    assert {"leaderboard.csv", "columns.yml", "trial.json"} <= names


def test_try__model_in_mlflow__gives_the_labels_of_the_folder_s(project, asked):
    table, options = asked
    project.run(pipelines=["try"], params={"try": options})
    folder = project.data / "06_models" / "trials" / "churn"
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    (model,) = mlflow.search_logged_models(
        filter_string=f"source_run_id='{run.info.run_id}'", output_format="list"
    )
    served = mlflow.pyfunc.load_model(model.model_uri)
    from qcl_mixnet.inspection.applying import apply_to_new
    from qcl_mixnet.inspection.sniffing import read_source

    trial = SavedTrial.read(folder)
    X = apply_to_new(read_source(trial.readings.source(str(table.path))), trial.readings)
    expected = trial.load_model("cpu").predict(X)
    assert served.predict(X)["label"].tolist() == expected.tolist()
    as_text = X.assign(since=X["since"].dt.strftime("%Y-%m-%d"))
    assert served.predict(as_text)["label"].tolist() == expected.tolist()


def test_try__again__is_refused_unless_told(project, asked):
    _, options = asked
    project.run(pipelines=["try"], params={"try": options})
    with pytest.raises(ConfigurationError, match=r"try\.overwrite=true"):
        project.run(pipelines=["try"], params={"try": options})
    project.run(pipelines=["try"], params={"try": {**options, "overwrite": True}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"table": None}, "'try.table' is not given"),
        ({"targt": "y"}, r"'try.targt' \(did you mean 'target'\?\)"),
        ({"folds": 1}, "'try.folds': Input should be greater than or equal to 2"),
        ({"target": "churn"}, "no column 'churn'"),
        ({"models": "forest"}, "no model 'forest'"),
    ],
)
def test_try__bad_parameters__one_sentence(project, asked, change, message):
    _, options = asked
    with pytest.raises(Exception, match=message) as caught:
        project.run(pipelines=["try"], params={"try": {**options, **change}})
    assert isinstance(caught.value, ValueError)


def test_report__has_what_pandas_reads(project, asked):
    _, options = asked
    project.run(pipelines=["try"], params={"try": options})
    board = pd.read_csv(project.data / "06_models" / "trials" / "churn" / "leaderboard.csv")
    assert board["label"].tolist() == ["LR, tuned decision", "Dummy"]
