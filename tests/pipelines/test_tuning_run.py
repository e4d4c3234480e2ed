"""The pipeline `tuning` in the test environment."""

import mlflow
import pandas as pd
import pytest
import yaml

from qcl_mixnet.evaluation.specs import ModelSpec, ModelSpecError
from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.tuning.errors import TuningError

GLASS = {"grid": {"datasets": "glass", "models": "qcl_mixnet+knn"}}
OF_DATASET = {
    "trials.csv", "importances.csv", "best.yml", "scores.parquet", "history.png", "history.svg",
    "importances.png", "importances.svg",
}  # fmt: skip
KNN = {
    "model": "knn",
    "space": {
        **dict.fromkeys(
            ("loss_weight", "variance_weight", "focal_gamma", "temperature", "triplet_margin",
             "mixup_alpha", "max_learning_rate")
        ),
        "n_neighbors": {"low": 1, "high": 9, "type": "int"},
    },
}  # fmt: skip


def tuned(**options):
    return {**GLASS, "tuning": options}


def test_tuning__then_more_trials__files_mlflow_and_terminal_agree(project, capsys):
    project.run(pipelines=("tuning",), params=GLASS)
    capsys.readouterr()
    project.run(pipelines=("tuning",), params=tuned(n_trials=4))

    folder = project.data / "08_reporting/tuning/latest"
    assert {path.name for path in folder.iterdir()} == {"glass", "tuning.csv", "run.json"}
    assert {path.name for path in (folder / "glass").iterdir()} == OF_DATASET
    trials = pd.read_csv(folder / "glass/trials.csv")
    assert trials["trial"].tolist() == [0, 1, 2, 3]
    assert trials["param_temperature"][0] == 0.2  # the class's default
    scores = pd.read_csv(folder / "tuning.csv")
    assert scores["model"].tolist() == ["default", "tuned"]
    complete = trials[trials["state"] == "complete"]
    assert scores["cv_macro_f1"].tolist() == [trials["score"][0], complete["score"].max()]
    best = complete.loc[complete["score"].idxmax()]
    entries = yaml.safe_load((folder / "glass/best.yml").read_text())["models"]
    spec = ModelSpec.model_validate(entries["tuned_glass_42"])
    assert spec.params["temperature"] == best["param_temperature"]
    assert spec.params["epochs"] == 2
    assert (project.data / "06_models/tuning/test-first/glass.db").is_file()
    assert project.cells() == []

    runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
    by_name = {}
    for run in runs:
        by_name.setdefault(run.data.tags.get("mlflow.runName"), []).append(run)
    trial_names = [name for name in by_name if ".trial_" in name]
    assert sorted(trial_names) == [f"glass.split_42.trial_{number}" for number in range(4)]
    own = by_name["glass.tuning"]
    parents = [by_name[name][0].data.tags["mlflow.parentRunId"] for name in sorted(trial_names)]
    assert parents[0] == parents[1] != parents[2] == parents[3]
    assert set(parents) == {run.info.run_id for run in own}
    top = {run.data.tags["mlflow.parentRunId"]: run for run in own}
    last = next(run for run in runs if run.info.run_id in top and "4" in run.data.params.values())
    assert last.data.metrics["macro_f1/glass/tuned"] == scores["macro_f1"][1]
    assert last.data.params["tuning.n_trials"] == "4"

    shown = capsys.readouterr().out
    assert "Macro F1 of the test part, before and after" in shown
    assert f"{scores['macro_f1'][1]:.3f}" in shown


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"model": "knm"}, ConfigurationError, "Unknown model 'knm' (did you mean 'knn'?)"),
        ({"n_trials": 0}, ConfigurationError, "Parameter 'tuning.n_trials': Input should be"),
        ({"trials": 9}, ConfigurationError, "'tuning.trials' (did you mean 'n_trials'?)"),
        (
            {"space": {"temperature": {"low": 2}}},
            ConfigurationError,
            "Parameter 'tuning.space.temperature': low must be below high, got low 2 and high 1",
        ),
        ({"metric": "f1"}, ConfigurationError, "'tuning.metric': there is no such metric"),
        ({"model": "knn"}, ModelSpecError, "Unknown parameter 'loss_weight'"),
    ],
)
def test_tuning__bad_options__end_the_run_with_a_sentence(project, options, error, sentence):
    with pytest.raises(error) as caught:
        project.run(pipelines=("tuning",), params=tuned(**options))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tuning__unknown_data_set__is_told(project):
    with pytest.raises(ConfigurationError, match=r"Unknown data set 'glas' \(did you mean 'glass"):
        project.run(pipelines=("tuning",), params={"grid": {"datasets": "glas"}})


def test_tuning__other_space_and_damaged_file__end_the_run_with_a_sentence(project):
    project.run(pipelines=("tuning",), params={**GLASS, "tuning": {**KNN, "n_trials": 1}})
    wider = {**KNN, "space": {**KNN["space"], "weights": {"choices": ["uniform", "distance"]}}}
    with pytest.raises(
        TuningError, match=r"was begun with other settings: tuning\.space\.weights was"
    ):
        project.run(pipelines=("tuning",), params={**GLASS, "tuning": wider})
    path = project.data / "06_models/tuning/test-first/glass.db"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(TuningError, match=r"glass\.db cannot be read or written \(") as caught:
        project.run(pipelines=("tuning",), params={**GLASS, "tuning": KNN})
    assert "\n" not in str(caught.value)


def test_tuning__is_no_part_of_full(project):
    from kedro.framework.project import pipelines

    pipelines.configure("qcl_mixnet.pipeline_registry")  # forget the parameters of other tests

    names = {node.name for node in pipelines["full"].nodes}
    own = {node.name for node in pipelines["tuning"].nodes}
    assert {"gather_tuning", "glass.tune", "glass.score_tuned", "glass.draw_tuning"} <= own
    assert not names & own
