"""The main job in the test environment, as a user runs it."""

import html
import json
import re
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import yaml
from kedro.runner import ParallelRunner
from sklearn.metrics import f1_score

from qcl_mixnet.reporting.paper_figures import FIGURES
from qcl_mixnet.reporting.paper_tables import TABLES

ABLATIONS = ["no_attention", "no_mixup", "no_quantum"]
GRID = Path(__file__).parents[2] / "conf/test/parameters_grid.yml"
MODELS = sorted(yaml.safe_load(GRID.read_text(encoding="utf-8"))["grid"]["models"])
DATASETS = ("glass", "lymph")

TRAINING = ("training",)  # without the seconds that tables and figures take


@pytest.fixture(params=["sequential", pytest.param("parallel", marks=pytest.mark.slow)])
def runner(request):
    return ParallelRunner(max_workers=2) if request.param == "parallel" else None


def test_full__every_model__files_tables_and_mlflow_agree(project, runner, capsys):
    project.run(runner=runner)

    assert project.cells() == [f"{d}.{m}" for d in DATASETS for m in MODELS]
    record = json.loads((project.data / "07_model_output/glass/knn/fit.json").read_text())
    predictions = pd.read_parquet(project.data / "07_model_output/glass/knn/predictions.parquet")
    assert record["status"] == "ok"
    assert len(predictions) == 43  # a fifth of 214 rows
    assert record["metrics"]["macro_f1"] == pytest.approx(
        f1_score(predictions["y_true"], predictions["y_pred"], average="macro", zero_division=0)
    )

    metrics = pd.read_csv(project.data / "08_reporting/latest/metrics.csv")
    assert (metrics["status"] == "ok").all()
    n_cells, n_ranked = len(DATASETS) * len(MODELS), len(MODELS) - len(ABLATIONS)
    assert len(metrics) == n_cells
    board = pd.read_csv(project.data / "08_reporting/latest/leaderboard.csv")
    assert sorted([*board["model"], *ABLATIONS]) == MODELS
    assert board["mean_rank"].sum() == pytest.approx(n_ranked * (n_ranked + 1) / 2)  # 1 + 2 + ...
    expected = {
        "leaderboard.md", "macro_f1.csv", "per_class.csv", "comparison_with_control.csv",
        "control_confusion.csv", "control_calibration.csv", "provenance.csv", "report.html",
        *(f"tables/{name}.{form}" for name in TABLES for form in ("csv", "md", "tex")),
        *(f"figures/{name}.{form}" for name in FIGURES for form in ("png", "svg")),
    }  # fmt: skip
    for name in expected:
        assert (project.data / "08_reporting/latest" / name).stat().st_size > 0

    check_page(project.data / "08_reporting/latest", board)
    provenance = pd.read_csv(project.data / "08_reporting/latest/provenance.csv")
    assert len(provenance) == n_cells
    assert set(provenance["environment"]) == {"test"}
    confusion = pd.read_csv(project.data / "08_reporting/latest/control_confusion.csv")
    assert confusion.groupby("dataset")["rows"].sum().to_dict() == {"glass": 43, "lymph": 30}

    runs = mlflow.search_runs(search_all_experiments=True)
    is_parent = runs["tags.mlflow.runName"].str.startswith(f"full · test · 2x{len(MODELS)}")
    parent = runs[is_parent].iloc[0]
    children = runs[runs["tags.mlflow.parentRunId"] == parent["run_id"]]
    assert len(runs) == n_cells + 1
    assert len(children) == n_cells
    assert set(runs["status"]) == {"FINISHED"}
    child = children[
        (children["tags.dataset"] == "glass") & (children["tags.model"] == "qcl_mixnet")
    ].iloc[0]
    assert child["tags.family"] == "proposed"
    assert child["tags.checkpoint"] == "last"
    assert child["tags.test_selected"] == "false"
    assert len(child["tags.git_commit"]) >= 7
    assert child["params.model.epochs"] == "2"
    assert child["params.protocol.seed"] == "42"
    client = mlflow.MlflowClient()
    child_run = client.get_run(child["run_id"])
    curve = client.get_metric_history(child["run_id"], "training_0/loss")
    assert [point.step for point in curve] == [1, 2]
    attached = {item.path for item in client.list_artifacts(child["run_id"])}
    assert attached == {
        "predictions.parquet", "predictions.csv", "curves.svg", "history.parquet",
        "representation.parquet",
    }  # fmt: skip
    (used,) = child_run.inputs.dataset_inputs
    assert used.dataset.name == "glass"
    assert json.loads(used.dataset.profile)["rows"] == 214
    shown = client.get_run(parent["run_id"]).inputs.dataset_inputs
    assert {item.dataset.name for item in shown} == {"glass", "lymph"}
    (experiment,) = mlflow.search_experiments(filter_string="name = 'qcl-mixnet'")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert parent["tags.new_cells"] == str(n_cells)
    reports = {item.path for item in client.list_artifacts(parent["run_id"], "reports")}
    assert {f"reports/{Path(name).name}" for name in expected} <= reports
    assert "mean_rank/knn" in client.get_run(parent["run_id"]).data.metrics

    assert parent["params.protocol.seed"] == "42"
    assert parent["params.grid.datasets"] == "['lymph', 'glass']"

    shown = capsys.readouterr().out
    assert shown.count("macro F1 0.") >= n_cells - 3  # one line a cell
    assert f"Mean ranks by macro F1 over {len(DATASETS)} data sets" in shown
    assert f"Friedman chi2({n_ranked - 1})" in shown
    assert str(project.data / "08_reporting") in shown.replace("\n", "")
    *_, last = shown.strip().splitlines()
    assert Path(last.removeprefix("Report: ")).name == "report.html"
    assert Path(last.removeprefix("Report: ")).is_file()


def check_page(reports, board):
    """The page, the Markdown and the CSV files agree to the printed digit."""
    page = (reports / "report.html").read_text(encoding="utf-8")
    board_rows, heat_rows = (
        [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in re.findall("<tr.*?</tr>", part)]
        for part in (
            re.search(f'<table id="{table}".*?<tbody>(.*?)</tbody>', page, re.S)[1]
            for table in ("board", "heat")
        )
    )
    markdown = (reports / "leaderboard.md").read_text(encoding="utf-8").splitlines()
    printed = [line.strip("| ").split(" | ") for line in markdown if line.startswith("| ")][2:]
    assert board_rows == printed
    assert [[row[2], row[5], row[9]] for row in board_rows] == [
        [f"{row.mean_rank:.2f}", f"{row.macro_f1:.3f}", f"{row.fit_seconds:.1f}"]
        for row in board.itertuples()
    ]
    scores = pd.read_csv(reports / "macro_f1.csv", index_col="dataset")
    metrics = pd.read_csv(reports / "metrics.csv").drop_duplicates("model")
    labels = dict(zip(metrics["model"], metrics["label"], strict=True))
    shown = {row[0]: row[1:] for row in heat_rows}
    for model, column in scores.items():
        assert shown[labels[model]] == [f"{column[name]:.3f}" for name in ("lymph", "glass")]


@pytest.mark.slow
def test_full__workers_that_inherit_nothing__no_stray_runs(project, small, monkeypatch):
    monkeypatch.setenv("KEDRO_MP_CONTEXT", "spawn")  # macOS, Windows, Python 3.14
    project.run(params=small, pipelines=TRAINING, runner=ParallelRunner(max_workers=2))
    assert len(project.cells()) == 4
    runs = mlflow.search_runs(search_all_experiments=True)
    names = runs["tags.mlflow.runName"].str.partition(" · ")[0]
    assert sorted(names) == [*project.cells(), "training"]
    assert set(runs["status"]) == {"FINISHED"}


def test_full__again__computes_nothing_and_makes_the_same_tables(project, small, capsys):
    project.run(params=small)
    before = project.finished_at()
    reports = project.data / "08_reporting/latest"
    made = [(reports / name).read_bytes() for name in ("metrics.csv", "report.html")]
    capsys.readouterr()

    project.run(params=small)

    assert project.finished_at() == before
    assert [(reports / name).read_bytes() for name in ("metrics.csv", "report.html")] == made
    assert "4 cells are up to date, 0 to compute." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "recomputed"),
    [
        ({"models": {"knn": {"params": {"metric": "manhattan"}}}}, {"glass.knn", "lymph.knn"}),
        ({"models": {"knn": {"label": "Neighbours"}}}, set()),
        ({"resources": {"n_jobs": 2}}, set()),
        ({"protocol": {"seed": 7}}, "all"),
        ({"protocol": {"repeats": 2}}, "all"),
    ],
    ids=["parameter", "label", "threads", "seed", "repeats"],
)
def test_full__something_changed__recomputes_what_hangs_on_it(project, small, change, recomputed):
    project.run(params=small, pipelines=TRAINING)
    before = project.finished_at()

    project.run(params={**small, **change}, pipelines=TRAINING)

    after = project.finished_at()
    changed = {cell for cell in after if after[cell] != before[cell]}
    assert changed == (set(after) if recomputed == "all" else recomputed)


def test_statistics_alone__gather_anew_and_never_mix_protocols(project, small):
    project.run(params=small)
    other_seed = {**small, "protocol": {"seed": 7}}
    project.run(params=other_seed, namespaces=["lymph"])

    project.run(params=other_seed, pipelines=("statistics", "reporting"))

    metrics = pd.read_csv(project.data / "08_reporting/latest/metrics.csv").set_index("dataset")
    assert set(metrics.loc["lymph", "status"]) == {"ok"}
    assert set(metrics.loc["glass", "status"]) == {"not run"}
    per_class = pd.read_csv(project.data / "08_reporting/latest/per_class.csv")
    assert set(per_class["dataset"]) == {"lymph"}


def test_full__changed_table__recomputes_that_data_set(project, small):
    project.run(params=small, pipelines=TRAINING)
    before = project.finished_at()
    path = project.data / "01_raw/glass.parquet"
    table = pd.read_parquet(path)
    table.iloc[0, 0] += 0.5
    table.to_parquet(path)

    project.run(params=small, pipelines=TRAINING)

    after = project.finished_at()
    assert {c for c in after if after[c] != before[c]} == {"glass.knn", "glass.decision_tree"}


def test_full__damaged_cell__is_computed_again(project, small, caplog):
    project.run(params=small, pipelines=TRAINING)
    path = project.data / "07_model_output/glass/knn/predictions.parquet"
    path.write_bytes(path.read_bytes()[:100])

    project.run(params=small, pipelines=TRAINING)

    assert "predictions.parquet is not the file that it was written with" in caplog.text
    assert len(pd.read_parquet(path)) == 43


def test_full__failing_model__is_recorded_ranked_last_and_retried(project):
    # k-nearest neighbours have no precomputed distances here: fit raises.
    params = {
        "grid": {"datasets": "glass+lymph", "models": "knn+decision_tree+logistic_regression"},
        "models": {"knn": {"params": {"metric": "precomputed"}}},
    }
    project.run(params=params)

    record = json.loads((project.data / "07_model_output/glass/knn/fit.json").read_text())
    assert record["status"] == "failed"
    assert "Error" in record["error"]
    statistics = json.loads((project.data / "08_reporting/latest/statistics.json").read_text())
    assert statistics["failed"] == ["glass.knn", "lymph.knn"]
    board = pd.read_csv(project.data / "08_reporting/latest/leaderboard.csv").set_index("model")
    assert board.loc["knn", "mean_rank"] == 3
    assert board.loc["knn", "n_failed"] == 2
    page = (project.data / "08_reporting/latest/report.html").read_text(encoding="utf-8")
    assert html.escape(record["error"]) in page
    runs = mlflow.search_runs(search_all_experiments=True)
    assert (runs[runs["tags.model"] == "knn"]["status"] == "FAILED").all()

    before = project.finished_at()
    project.run(params=params)
    after = project.finished_at()
    assert {c for c in after if after[c] != before[c]} == {"glass.knn", "lymph.knn"}


def test_namespaces__run_one_data_set(project):
    project.run(params={"grid": {"models": "knn"}}, namespaces=["glass"])
    assert project.cells() == ["glass.knn"]


def test_nodes__fresh_folder__bring_their_data_along(project):
    project.run(node_names=["glass.svm_smote"])
    assert project.cells() == ["glass.svm_smote"]


def test_tags__run_one_family_and_rank_it(project):
    params = {"grid": {"datasets": "glass+lymph", "models": "qcl_mixnet+knn+decision_tree"}}
    project.run(params=params, tags=["ml"])
    assert "glass.qcl_mixnet" not in project.cells()
    assert len(project.cells()) == 4
    board = pd.read_csv(project.data / "08_reporting/latest/leaderboard.csv")
    assert sorted(board["model"]) == ["decision_tree", "knn"]
    statistics = json.loads((project.data / "08_reporting/latest/statistics.json").read_text())
    assert statistics["not_run"] == ["glass.qcl_mixnet", "lymph.qcl_mixnet"]


def test_paper__marks_what_was_chosen_on_the_test_part(project):
    params = {
        "grid": {"datasets": "glass+lymph", "models": "qcl_mixnet+knn"},
        "models": {"qcl_mixnet": {"params": {"epochs": 3}}},
    }
    project.run(env="paper", params=params)

    reports = project.data / "08_reporting/latest"
    metrics = pd.read_csv(reports / "metrics.csv")
    assert len(metrics) == 4
    assert metrics["test_selected"].tolist() == metrics["model"].eq("qcl_mixnet").tolist()
    assert set(metrics["checkpoint"]) == {"test"}
    scores = pd.read_csv(reports / "macro_f1.csv")
    assert list(scores.columns) == ["dataset", "qcl_mixnet*", "knn"]
    compared = pd.read_csv(reports / "comparison_with_control.csv")
    assert set(compared["model"]) == {"knn"}
    assert compared["control_test_selected"].all()
    assert not compared["test_selected"].any()
    starred = {
        path.stem
        for path in [reports / "leaderboard.md", *reports.glob("tables/*.md")]
        if "| QCL-MixNet*" in path.read_text().replace("\\*", "*")
    }
    # Both data sets have several classes: Tables 2 and 4 are empty.
    assert starred == {
        "leaderboard", "table3_multiclass_scores", "table5_multiclass_ablations", "table6_ranks",
        "published_comparison", "published_by_model",
    }  # fmt: skip
    runs = mlflow.search_runs(search_all_experiments=True)
    parent = runs[runs["tags.mlflow.runName"].str.startswith("full · paper · 2x2")].iloc[0]
    assert (parent["tags.test_selected"], parent["tags.checkpoint"]) == ("true", "test")
    marks = runs.dropna(subset="tags.model").groupby("tags.model")["tags.test_selected"].unique()
    assert marks.map(list).to_dict() == {"qcl_mixnet": ["true"], "knn": ["false"]}
    history = pd.read_parquet(project.data / "07_model_output/glass/qcl_mixnet/history.parquet")
    assert history["macro_f1"].notna().all()
    record = json.loads((project.data / "07_model_output/glass/qcl_mixnet/fit.json").read_text())
    best = history.loc[history["macro_f1"].idxmax()]
    assert record["repeats"][0]["best_epoch"] == best["epoch"]
    assert record["metrics"]["macro_f1"] == pytest.approx(best["macro_f1"])
