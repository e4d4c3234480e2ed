"""The pipeline ``inference``, and a model's way through MLflow."""

import json
import logging

import mlflow
import numpy as np
import pandas as pd
import pytest

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.data.errors import DataError
from qcl_mixnet.estimators.predictions import prediction_table
from qcl_mixnet.mlflow_model import log_model, model_signature
from qcl_mixnet.pipelines.inference import nodes
from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.scoring import score_file


def make_table(n=50, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "key": [f"{i:05d}" for i in range(n)],
            "size": rng.integers(0, 9, n),
            "weight": np.where(np.arange(n) % 7, rng.normal(size=n), np.nan),
            "colour": rng.choice(["red", "blue", None], n),
        }
    )


@pytest.fixture(scope="module")
def model():
    table = make_table().drop(columns="key")
    labels = np.arange(len(table)) % 3 == 0
    weights = {"common": 1.0, "rare [r]": 1.4}
    labels = np.where(labels, "rare [r]", "common")
    return QCLMixNetClassifier(epochs=1, random_state=0, decision=weights).fit(table, labels)


@pytest.fixture
def options(tmp_path, model):
    """Parameters of a run that works: a table of 11 rows in chunks of four."""
    model.save(tmp_path / "model")
    make_table(11, seed=1).to_csv(tmp_path / "new.csv", index=False)
    return {
        "model": str(tmp_path / "model"),
        "table": str(tmp_path / "new.csv"),
        "output": str(tmp_path / "out" / "scored.csv"),
        "id_columns": ["key"],
        "chunk_rows": 4,
    }


def test_inference__alone__files_mlflow_and_terminal_agree(project, options, tmp_path, capsys):
    project.run(
        pipelines=("inference",),
        params={"inference": {**options, "id_columns": "key", "device": "cpu"}},
    )

    scored = pd.read_csv(tmp_path / "out/scored.csv", dtype={"key": str})
    counts = scored["label"].value_counts()
    report = json.loads((project.data / "08_reporting/inference/latest/inference.json").read_text())
    assert report["rows"] == len(scored) == 11
    assert {n: c for n, c in report["rows_by_label"].items() if c} == counts.to_dict()
    assert not (project.data / "07_model_output").exists()

    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert run.info.status == "FINISHED"
    assert run.data.params["inference.table"] == options["table"]
    assert run.data.params["inference.chunk_rows"] == "4"
    assert run.data.metrics["rows"] == 11
    assert run.data.metrics["rows/rare _r_"] == report["rows_by_label"]["rare [r]"]
    attached = mlflow.MlflowClient().list_artifacts(run.info.run_id, "reports")
    assert [item.path for item in attached] == ["reports/inference.json"]

    shown = " ".join(capsys.readouterr().out.replace("\n", "").split())
    assert "Scored 11 rows of " in shown
    assert f"rare [r] {report['rows_by_label']['rare [r]']}" in shown
    assert f"Predictions: {options['output']}" in shown


def test_inference__is_no_part_of_full(project):
    from kedro.framework.project import pipelines

    assert {node.name for node in pipelines["inference"].nodes} == {"score_table"}
    assert "score_table" not in {node.name for node in pipelines["full"].nodes}


def test_inference__server_dies__predictions_are_on_disk(
    project, options, tmp_path, monkeypatch, caplog
):
    def gone(*args, **kwargs):
        raise mlflow.MlflowException("the server is gone")

    def predict_and_lose_the_server(*args):
        for method in ("get_run", "log_batch", "log_artifact", "set_terminated"):
            monkeypatch.setattr(f"mlflow.tracking.MlflowClient.{method}", gone)
        return prediction_table(*args)

    monkeypatch.setattr(score_file, "prediction_table", predict_and_lose_the_server)
    project.run(pipelines=("inference",), params={"inference": options})
    assert len(pd.read_csv(tmp_path / "out/scored.csv")) == 11
    assert "does not take this run now (the server is gone)" in caplog.text


def test_inference__no_table_given__one_sentence_and_a_failed_run(project):
    with pytest.raises(ConfigurationError, match=r"'inference.model' is not given.*--params="):
        project.run(pipelines=("inference",))


def test_inference__bad_parameter__is_told_before_any_run(project, options):
    with pytest.raises(ConfigurationError, match=r"inference.column_order.*'reorder' or 'strict'"):
        project.run(pipelines=("inference",), params={"inference": {"column_order": "any"}})
    assert mlflow.search_runs(search_all_experiments=True).empty


@pytest.mark.parametrize("table_suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("output_suffix", [".csv", ".pq", ".PARQUET"])
def test_score_table__either_kind__is_what_the_model_says(
    model, options, tmp_path, table_suffix, output_suffix
):
    table = make_table(11, seed=1)
    source, output = tmp_path / f"new{table_suffix}", tmp_path / f"scored{output_suffix}"
    table.to_csv(source, index=False) if table_suffix == ".csv" else table.to_parquet(source)

    report = nodes.score_table({**options, "table": str(source), "output": str(output)})

    is_csv = output_suffix == ".csv"
    scored = pd.read_csv(output, dtype={"key": str}) if is_csv else pd.read_parquet(output)
    features = table.drop(columns="key")
    assert list(scored) == ["key", "label", "proba_common", "proba_rare [r]"]
    assert scored["key"].tolist() == table["key"].tolist()
    assert scored["label"].tolist() == model.predict(features).tolist()
    np.testing.assert_allclose(scored.iloc[:, 2:], model.predict_proba(features), rtol=1e-5)
    assert report["rows"] == 11
    assert sum(report["rows_by_label"].values()) == 11
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_score_table__chunk_size__does_not_matter(options, tmp_path):
    outputs = []
    for rows in (1, 5, 100):
        nodes.score_table({**options, "chunk_rows": rows})
        outputs.append(pd.read_csv(options["output"]))
    for other in outputs[1:]:
        pd.testing.assert_frame_equal(other, outputs[0], rtol=1e-5)


def test_score_table__no_ids__predictions_alone_and_extra_columns_are_told(options, caplog):
    caplog.set_level(logging.WARNING, "qcl_mixnet")
    report = nodes.score_table({**options, "id_columns": []})
    assert list(pd.read_csv(options["output"])) == ["label", "proba_common", "proba_rare [r]"]
    assert report["ignored_columns"] == ["key"]
    assert "they are ignored: 'key'" in caplog.text


def refusal(options, error=ConfigurationError):
    with pytest.raises(error) as caught:
        nodes.score_table(options)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["model", "table", "output"])
def test_score_table__path_is_not_given__is_asked_for(options, name):
    message = refusal({**options, name: None})
    assert f"--params=inference.{name}=/a/path" in message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "/no/model"}, "inference.model is /no/model, and there is no such folder"),
        ({"table": "/no/table.csv"}, "inference.table is /no/table.csv, and there is no such file"),
        ({"table": "/a/table.xlsx"}, "whose suffix is none of .csv, .parquet, .pq"),
        ({"output": "/a/scored"}, "inference.output is /a/scored, whose suffix is none of"),
        ({"output": "/proc/no/scored.csv"}, "cannot be written to /proc/no/scored.csv ("),
        ({"device": "abacus"}, "abacus"),
    ],
)
def test_score_table__unusable_path_or_device__is_told(options, changes, told):
    assert told in refusal({**options, **changes})


def test_score_table__output_is_the_table_or_a_folder__is_refused(options, tmp_path):
    link = tmp_path / "link.csv"
    link.symlink_to(options["table"])
    (tmp_path / "folder.csv").mkdir()
    for output in (options["table"], link, tmp_path / "folder.csv"):
        assert "is the table itself or a folder" in refusal({**options, "output": str(output)})
    assert len(pd.read_csv(options["table"])) == 11


def test_score_table__damaged_model__is_told(options, tmp_path):
    (tmp_path / "model/model.json").write_text("{}")
    assert "cannot be loaded (" in refusal(options)


def test_score_table__id_named_as_a_prediction__is_refused(options):
    message = refusal({**options, "id_columns": ["label", "key"]})
    assert "id_columns holds 'label'" in message


@pytest.mark.parametrize("bad", ["heavy", "inf"])
def test_score_table__bad_value_in_a_late_chunk__old_output_stays_and_nothing_else(
    options, tmp_path, bad
):
    nodes.score_table(options)
    before = (tmp_path / "out/scored.csv").read_bytes()
    table = make_table(11).astype({"weight": object})
    table.loc[9, "weight"] = bad
    table.to_csv(options["table"], index=False)

    message = refusal(options, DataError)

    assert "'weight'" in message
    assert "row 9 (from 0)" in message or "rows 8 to 10 (from 0)" in message
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["scored.csv"]
    assert (tmp_path / "out/scored.csv").read_bytes() == before


def test_score_table__interrupted__leaves_no_file(options, tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(score_file, "prediction_table", interrupt)
    with pytest.raises(KeyboardInterrupt):
        nodes.score_table(options)
    assert list((tmp_path / "out").iterdir()) == []


def test_score_table__relative_paths__are_those_of_the_project(options, tmp_path, monkeypatch):
    monkeypatch.setattr("qcl_mixnet.project.configuration.project_root", lambda: tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    report = nodes.score_table({**options, "model": "model", "table": "~/new.csv"})
    assert report["model"] == options["model"]
    assert report["table"] == options["table"]


def test_log_model__in_a_run__is_loaded_by_its_uri(model, tmp_path):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = mlflow.create_experiment("models", (tmp_path / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment) as run:
        info = log_model(model, name="net", params={"epochs": 1})
    assert info.run_id == run.info.run_id
    assert info.signature == model_signature(model)
    features = make_table().drop(columns="key").astype({"size": float})
    found = mlflow.pyfunc.load_model(info.model_uri).predict(features)
    np.testing.assert_array_equal(found.iloc[:, 1:], model.predict_proba(features))


def test_inference__another_decision__scores_by_it_and_leaves_the_files(
    project, options, tmp_path, model
):
    files = {path: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    said = "weights:common=1000+rare [r]=1"
    project.run(pipelines=("inference",), params={"inference": {**options, "decision": said}})
    scored = pd.read_csv(tmp_path / "out/scored.csv")
    assert set(scored["label"]) == {"common"}
    assert set(model.predict(make_table(11, seed=1).drop(columns="key"))) != {"common"}
    assert {path: path.read_bytes() for path in (tmp_path / "model").iterdir()} == files


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        ("recall:rare [r]=0.9", "the model has none"),  # its weights were given
        ("recall:odd=2", "recall=2"),
        ("f2", "none of 'argmax'"),
    ],
)
def test_score_table__unusable_decision__is_told_before_any_scoring(options, decision, message):
    with pytest.raises(ConfigurationError, match=rf"inference.decision cannot be used.*{message}"):
        nodes.score_table({**options, "decision": decision})
