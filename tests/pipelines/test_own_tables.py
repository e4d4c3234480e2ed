"""Tables of the user: good ones are used, bad ones are refused and do not stop the others."""

import datetime
import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kedro.runner import ParallelRunner
from tests.pipelines.conftest import own_table, table

from qcl_mixnet.data.errors import DataError

BAD_TABLES = {
    "missing target": (lambda: table().drop(columns="target"), "target"),
    "target with gaps": (lambda: table(target=[None, *["x", "y"] * 14, "x"]), "missing in 1 row"),
    "one class": (lambda: table(target="x"), "one class only, 'x'"),
    "class of one row": (lambda: table(target=["x", "y"] * 14 + ["x", "rare"]), "class 'rare'"),
    "no rows": (lambda: table().iloc[:0], "no rows"),
    "no features": (lambda: table()[["target"]], "no feature columns"),
    "junk in numbers": (lambda: table(a=["1.5"] * 29 + ["oops"]), "column 'a'.*'oops' in row 29"),
    "infinite": (lambda: table(a=[np.inf] + [1.0] * 29), "column 'a'.*infinite"),
}


def own_tables(**paths):
    """Roster entries of files."""
    return {
        name: {"label": name, "sources": [{"type": "file", "path": str(path)}]}
        for name, path in paths.items()
    }


def refusals(text):
    """Reasons in the summary by data set; the terminal breaks lines."""
    _, _, listed = text.partition("Data sets refused (")
    lines = re.split(r"\n  (?=zz_\w+: )", listed.partition("\nMLflow run")[0])
    return {name: " ".join(reason.split()) for name, reason in (
        line.split(": ", maxsplit=1) for line in lines[1:]
    )}  # fmt: skip


def test_bad_tables__are_refused_in_one_sentence_each_and_the_others_run(
    project, tmp_path, caplog, capsys
):
    bad = {f"zz_{name.replace(' ', '_')}": case for name, case in BAD_TABLES.items()}
    paths = {}
    for name, (make, _) in bad.items():
        paths[name] = tmp_path / f"{name}.csv"
        make().to_csv(paths[name], index=False)
    for kind, column in UNREADABLE.items():
        name = f"zz_{kind}"
        paths[name] = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"tags": column, "target": ["x", "y", "z"] * 10}), paths[name])
        bad[name] = (None, "'tags'")
    params = {
        "grid": {"datasets": "+".join(["glass", *bad]), "models": "decision_tree+knn"},
        "datasets": own_tables(**paths),
    }
    project.run(params=params)
    assert project.cells() == ["glass.decision_tree", "glass.knn"]
    messages = [record.getMessage() for record in caplog.records]
    told = [message for message in messages if message.startswith("Refused: ")]
    summary = capsys.readouterr().out
    assert "not available" not in summary
    reasons = refusals(summary)
    assert set(reasons) == set(bad)
    for name, (_, words) in bad.items():
        (message,) = [message for message in told if f"'{name}'" in message]
        assert re.search(words, message)
        assert "\n" not in message
    metrics = pd.read_csv(project.data / "08_reporting/latest/metrics.csv")
    assert set(metrics["dataset"]) == {"glass"}


@pytest.mark.parametrize("bad", [{"target": "x"}, {"target": None}], ids=["check", "ingestion"])
def test_bad_table__alone__ends_the_run_with_its_sentence(project, tmp_path, bad):
    table(**bad).dropna(axis=1).to_csv(tmp_path / "mine.csv", index=False)
    params = {
        "grid": {"datasets": "zz_mine", "models": "knn"},
        "datasets": own_tables(zz_mine=tmp_path / "mine.csv"),
    }
    with pytest.raises(DataError, match=r"^data set 'zz_mine' ") as caught:
        project.run(params=params)
    assert "\n" not in str(caught.value)
    assert project.cells() == []


UNREADABLE = {
    "list": pa.array([[1, 2]] * 30),
    "struct": pa.array([{"a": 1}] * 30),
    "map": pa.array([[("a", 1)]] * 30, type=pa.map_(pa.string(), pa.int64())),
    "date": pa.array([datetime.date(2020, 1, 1 + i % 28) for i in range(30)]),
    "time": pa.array([datetime.time(i % 24) for i in range(30)]),
    "timestamp": pa.array([datetime.datetime(2020, 1, 1 + i % 28) for i in range(30)]),
    "duration": pa.array([datetime.timedelta(hours=i) for i in range(30)]),
    "large": pa.array([1e200 * (-1) ** i * (i + 1) for i in range(30)]),
}


@pytest.mark.slow
def test_bad_tables__parallel_runner__are_refused_there_too(project, tmp_path, capsys):
    pq.write_table(
        pa.table({"tags": UNREADABLE["list"], "target": ["x", "y"] * 15}), tmp_path / "list.parquet"
    )
    table(target="x").to_csv(tmp_path / "class.csv", index=False)
    paths = {"zz_list": tmp_path / "list.parquet", "zz_class": tmp_path / "class.csv"}
    params = {
        "grid": {"datasets": "glass+zz_list+zz_class", "models": "decision_tree+knn"},
        "datasets": own_tables(**paths),
    }
    project.run(params=params, runner=ParallelRunner(max_workers=1))
    assert project.cells() == ["glass.decision_tree", "glass.knn"]
    assert set(refusals(capsys.readouterr().out)) == set(paths)


def test_refused_after_a_good_run__its_results_stay_and_its_rows_go(project, tmp_path, capsys):
    path = tmp_path / "mine.csv"
    params = {
        "grid": {"datasets": "glass+zz_mine", "models": "decision_tree+knn"},
        "datasets": own_tables(zz_mine=path),
    }

    def run(mine):
        mine.to_csv(path, index=False)
        project.run(params=params)
        metrics = pd.read_csv(project.data / "08_reporting/latest/metrics.csv")
        return set(metrics["dataset"]), refusals(capsys.readouterr().out)

    assert run(table()) == ({"glass", "zz_mine"}, {})
    datasets, reasons = run(table(target=[f"c{i % 15}" for i in range(30)]))
    assert datasets == {"glass"}
    assert re.search(
        r"^data set 'zz_mine' cannot be split: .* 6 test row\(s\) for 15 classes",
        reasons["zz_mine"],
    )
    assert "zz_mine.knn" in project.cells()  # nothing computed is lost
    assert run(table()) == ({"glass", "zz_mine"}, {})


def test_good_own_table__one_entry_is_enough(project, tmp_path):
    table().to_parquet(tmp_path / "mine.parquet")
    params = {
        "grid": {"datasets": "zz_mine", "models": "decision_tree+knn"},
        "datasets": own_table(tmp_path / "mine.parquet"),
    }
    project.run(params=params)
    assert project.cells() == ["zz_mine.decision_tree", "zz_mine.knn"]


def test_own_table_changed__is_ingested_again(project, tmp_path):
    path = tmp_path / "mine.csv"
    table().to_csv(path, index=False)
    params = {
        "grid": {"datasets": "zz_mine", "models": "decision_tree"},
        "datasets": own_table(path),
    }
    project.run(params=params)
    before = project.finished_at()
    table(a=1.0).to_csv(path, index=False)
    project.run(params=params)
    assert project.finished_at() != before
    assert (pd.read_parquet(project.data / "01_raw/zz_mine.parquet")["a"] == 1.0).all()


def test_missing_file__is_left_out_with_its_remedy(project, tmp_path, caplog, capsys):
    params = {
        "grid": {"datasets": "glass+zz_mine", "models": "decision_tree+knn"},
        "datasets": own_table(tmp_path / "nowhere.csv"),
    }
    project.run(params=params)
    assert project.cells() == ["glass.decision_tree", "glass.knn"]
    assert "data set 'zz_mine' is not available" in caplog.text
    assert "nowhere.csv" in caplog.text
    assert "Data sets not available, see above (1): zz_mine" in capsys.readouterr().out


def test_source_taken_away__old_table_does_not_stand_in(project, tmp_path, capsys):
    table().to_csv(tmp_path / "mine.csv", index=False)
    params = {"grid": {"datasets": "glass+zz_mine", "models": "decision_tree+knn"}}
    project.run(params={**params, "datasets": own_table(tmp_path / "mine.csv")})
    capsys.readouterr()

    project.run(params={**params, "datasets": own_table(tmp_path / "elsewhere.csv")})

    assert "Data sets not available, see above (1): zz_mine" in capsys.readouterr().out
    metrics = pd.read_csv(project.data / "08_reporting/latest/metrics.csv")
    assert set(metrics["dataset"]) == {"glass"}
    assert "zz_mine.knn" in project.cells()  # nothing computed is lost


def test_class_named_none_in_a_csv__is_a_class_when_told(project, tmp_path):
    table(target=["None", "01", "1"] * 10).to_csv(tmp_path / "mine.csv", index=False)
    params = {
        "grid": {"datasets": "zz_mine", "models": "decision_tree"},
        "datasets": own_table(tmp_path / "mine.csv"),
    }
    with pytest.raises(DataError, match="data set 'zz_mine' is 'None' in 10 rows"):
        project.run(params=params)
    (source,) = params["datasets"]["zz_mine"]["sources"]
    source["na_values"] = {"target": []}
    project.run(params=params)
    schema = json.loads((project.data / "05_model_input/zz_mine/schema.json").read_text())
    assert schema["class_names"] == ["01", "1", "None"]
