"""The pipeline `replay` on tables of the user's own."""

import mlflow
import pandas as pd
import pytest
from tests.pipelines.conftest import table

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.pipelines.replay.nodes import TrainCandidates

REPORTS = {
    "scores.csv", "designs.csv", "designs.md", "designs.tex", "parts.csv", "parts.md", "parts.tex",
    "parts.png", "parts.svg",
}  # fmt: skip


@pytest.fixture
def params(tmp_path):
    """Two tables of 60 rows, one that is not there, and two candidates."""
    entries = {}
    for i, name in enumerate(("one", "two", "three")):
        path = tmp_path / f"{name}.csv"
        if name != "three":
            frame = pd.concat([table(), table()])
            frame.assign(a=frame["a"] + i).to_csv(path, index=False)
        entries[name] = {"label": name, "sources": [{"type": "file", "path": str(path)}]}
    replay = {"datasets": "one+two+three", "only": "periodic+bins", "max_steps": 1}
    return {"datasets": entries, "replay": replay}


def test_replay__twice__trains_once_and_reports_agree(project, params, capsys, caplog):
    project.run(pipelines=("replay",), params=params)

    folder = project.data / "08_reporting/replay/latest"
    assert {path.name for path in folder.iterdir()} == REPORTS | {"run.json"}
    scores = pd.read_csv(folder / "scores.csv")
    assert set(scores["dataset"]) == {"one", "two"}
    designs = pd.read_csv(folder / "designs.csv").set_index("design")
    mean = scores[scores["design"] == "greedy"]["macro_f1_tuned"].mean()
    assert designs.loc["greedy", "macro_f1_tuned"] == pytest.approx(mean)
    files = {p: p.stat().st_mtime_ns for p in project.data.glob("07_model_output/replay/*/*/*.npz")}
    assert len(files) == 2 * 2
    shown = capsys.readouterr().out
    assert "Designs of the replay" in shown
    assert "three" in caplog.text

    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert run.info.status == "FINISHED"
    assert run.data.params["replay.max_steps"] == "1"
    assert "waves" in run.data.params["replay.candidates"]
    found = run.data.metrics["replay_macro_f1_tuned/greedy"]
    assert found == pytest.approx(designs.loc["greedy", "macro_f1_tuned"])
    attached = mlflow.MlflowClient().list_artifacts(run.info.run_id, "reports")
    assert {item.path.removeprefix("reports/") for item in attached} == REPORTS

    project.run(pipelines=("replay",), params=params)
    assert {path: path.stat().st_mtime_ns for path in files} == files
    pd.testing.assert_frame_equal(pd.read_csv(folder / "scores.csv"), scores)


def test_train_candidates__unknown_design_is_chosen__ends_before_anything_is_read():
    results = TrainCandidates("one").train_candidates(*[None] * 3, {"chosen": "gredy"}, *[None] * 3)
    with pytest.raises(EvaluationError, match=r"replay\.chosen is 'gredy'"):
        next(results)


def test_replay__is_no_part_of_full():
    from kedro.framework.project import pipelines

    assert not any("replay" in node.tags for node in pipelines["full"].nodes)
    assert {"collect_replay_scores", "report_replay"} <= {n.name for n in pipelines["replay"].nodes}
