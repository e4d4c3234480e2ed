"""The pipeline ``fit``, and what it keeps on its way to ``inference`` and MLflow."""

import json

import mlflow
import numpy as np
import pandas as pd
import pytest
from tests.pipelines.conftest import own_table, table

from qcl_mixnet import load_fitted
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.project.parameters import ConfigurationError


@pytest.fixture
def mine(tmp_path):
    """A table of the user's own, with text labels, which the grid does not have."""
    table().to_csv(tmp_path / "mine.csv", index=False)
    return {"datasets": own_table(tmp_path / "mine.csv")}


def fit(project, params, **options):
    project.run(pipelines=("fit",), params={**params, "fit": options})


def test_fit__own_table__is_kept_logged_and_scores_a_file(project, mine, tmp_path, capsys):
    fit(project, mine, model="decision_tree", dataset="zz_mine")

    folder = project.data / "06_models" / "zz_mine.decision_tree"
    model = load_fitted(folder)
    rows = table().drop(columns="target")
    assert model.classes_.tolist() == ["x", "y", "z"]
    assert model.provenance.dataset["name"] == "zz_mine"
    assert model.provenance.dataset["rows"] == 30
    assert model.provenance.spec["class"] == "sklearn.tree.DecisionTreeClassifier"
    assert len(model.provenance.git_commit) >= 7
    assert not (project.data / "07_model_output").exists()
    report = json.loads((project.data / "08_reporting/fit/latest/fit.json").read_text())
    assert report["rows_by_label"] == {"x": 10, "y": 10, "z": 10}
    assert report["best_parameters"]["max_depth"] == 3
    assert "Fitted DT on all 30 rows of zz_mine in" in capsys.readouterr().out

    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert run.info.run_name == "decision_tree on zz_mine"
    assert run.data.params["fit.best.max_depth"] == "3"
    (logged,) = run.inputs.dataset_inputs
    assert logged.dataset.name == "zz_mine"
    assert logged.dataset.digest == report["fingerprint"][:8]
    (output,) = run.outputs.model_outputs
    pyfunc = mlflow.pyfunc.load_model(f"models:/{output.model_id}")
    assert pyfunc.metadata.signature.inputs.input_names() == ["a", "b"]
    assert pyfunc.input_example is not None
    served = pyfunc.predict(rows)
    assert served["label"].tolist() == model.predict(rows).tolist()

    rows.to_csv(tmp_path / "new.csv", index=False)
    scoring = {
        "model": str(folder), "table": str(tmp_path / "new.csv"), "output": str(tmp_path / "p.csv")
    }  # fmt: skip
    project.run(pipelines=("inference",), params={"inference": scoring})
    scored = pd.read_csv(tmp_path / "p.csv")
    assert scored["label"].tolist() == model.predict(rows).tolist()
    np.testing.assert_allclose(scored[["proba_x", "proba_y", "proba_z"]], model.predict_proba(rows))


def test_fit__second_time__needs_overwrite_or_another_folder(project, mine, tmp_path):
    fit(project, mine, model="decision_tree_tuned", dataset="zz_mine")
    folder = project.data / "06_models" / "zz_mine.decision_tree_tuned"
    before = (folder / "kept.json").read_bytes()
    assert load_fitted(folder).own_rule is not None
    with pytest.raises(ConfigurationError, match=r"fit\.output=/a/folder.*fit\.overwrite=true"):
        fit(project, mine, model="decision_tree_tuned", dataset="zz_mine")
    assert (folder / "kept.json").read_bytes() == before
    fit(project, mine, model="knn", dataset="zz_mine", output=str(tmp_path / "own"))
    fit(project, mine, model="knn", dataset="zz_mine", output=str(tmp_path / "own"), overwrite=True)
    assert load_fitted(tmp_path / "own").own_rule is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"'fit\.model' is not given.*--params=fit\.model="),
        ({"model": "knn"}, r"'fit\.dataset' is not given"),
        ({"model": "kn", "dataset": "glass"}, r"Unknown model 'kn' \(did you mean 'knn'\?\)"),
        ({"model": "knn", "dataset": "glas"}, r"Unknown data set 'glas' \(did you mean 'glass'"),
        ({"model": "gru_tuned", "dataset": "glass"}, r"Unknown model 'gru_tuned' \(did you mean"),
        ({"model": "tabm", "dataset": "glass"}, r"'tabm' of fit\.model is refused: .*by pickle"),
        ({"modell": "knn"}, r"Unknown parameter 'fit\.modell' \(did you mean 'model'"),
    ],
)
def test_fit__wrong_parameter__one_sentence_before_any_run(project, options, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        fit(project, {}, **options)
    assert "\n" not in str(caught.value)
    assert mlflow.search_runs(search_all_experiments=True).empty
    assert not project.data.exists() or not list(project.data.rglob("kept.json"))


def test_fit__server_dies__model_is_in_its_folder(project, mine, monkeypatch, caplog):
    def gone(*args, **kwargs):
        raise mlflow.MlflowException("the server is gone")

    monkeypatch.setattr("mlflow.tracking.MlflowClient.update_run", gone)
    fit(project, mine, model="decision_tree", dataset="zz_mine")
    folder = project.data / "06_models" / "zz_mine.decision_tree"
    assert load_fitted(folder).classes_.tolist() == ["x", "y", "z"]
    assert f"The model is in {folder} but not in MLflow" in caplog.text


def test_fit__checkpoint_chosen_on_a_test_part__is_refused(project, mine):
    with pytest.raises(EvaluationError, match="has no test part"):
        fit(project, mine | {"protocol": {"checkpoint": "test"}}, model="mlp", dataset="zz_mine")


def test_inference__model_that_is_not_trusted__one_sentence(project, mine, tmp_path):
    fit(project, mine, model="decision_tree", dataset="zz_mine", output=str(tmp_path / "own"))
    (tmp_path / "own" / "model.skops").write_bytes(b"gASVHQ==")
    table().to_csv(tmp_path / "new.csv", index=False)
    scoring = {
        "model": str(tmp_path / "own"), "table": str(tmp_path / "new.csv"), "output": "p.csv"
    }  # fmt: skip
    with pytest.raises(ConfigurationError, match=r"cannot be loaded \(.*model\.skops has 8 bytes"):
        project.run(pipelines=("inference",), params={"inference": scoring})
