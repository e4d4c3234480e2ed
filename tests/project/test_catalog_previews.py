"""What Kedro-Viz shows of the catalog's data sets, as it arrives in the browser."""

import base64
import inspect
import json
import warnings
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kedro.io import DatasetError
from matplotlib.figure import Figure
from tests.project.records import make_record

from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.project.datasets import CellDataset, TableDataset
from qcl_mixnet.project.report_datasets import (
    FigureDataset,
    PictureDataset,
    ReportTableDataset,
    ResultTableDataset,
)
from qcl_mixnet.project.whole_files import WholeCSVDataset
from qcl_mixnet.reporting.rendering import Table

CONF = Path(__file__).resolve().parents[2] / "conf"


def shown(dataset, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own: FastAPI deprecates what it imports
        from kedro_viz.api.rest.responses.utils import get_encoded_response

    return json.loads(get_encoded_response(dataset.preview(**arguments)))


def catalog():
    """Entries of all catalogs by their files and names."""
    return {
        f"{file.relative_to(CONF)}: {name}": entry
        for file in sorted(CONF.glob("*/catalog*.yml"))
        for name, entry in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).items()
        if not name.startswith("_")
    }


def class_of(entry):
    module, _, name = entry["type"].rpartition(".")
    return getattr(import_module(module if "." in module else f"kedro_datasets.{module}"), name)


def test_catalog__arguments_of_previews__are_those_that_the_dataset_takes():
    entries = {
        name: (class_of(entry), entry["metadata"]["kedro-viz"]["preview_args"])
        for name, entry in catalog().items()
        if "preview_args" in entry.get("metadata", {}).get("kedro-viz", {})
    }
    assert len(entries) > 30
    for name, (kind, arguments) in entries.items():
        assert hasattr(kind, "preview"), name  # or Kedro-Viz shows nothing, and says nothing
        inspect.signature(kind.preview).bind(None, **arguments)
        assert arguments["nrows"] > 0, name


@pytest.fixture
def cell(tmp_path):
    return CellDataset(path=str(tmp_path / "glass" / "knn"), dataset="glass", model="knn")


def preview_of(cell):
    """A cell's preview is JSON within the JSON that the browser gets."""
    return json.loads(shown(cell))


def test_cell__its_scores_and_settings_in_short(cell):
    cell.save(CellResult(make_record(), pd.DataFrame({"repeat": [0], "y_true": [1]})))
    assert preview_of(cell) == {
        "label": "KNN",
        "status": "ok",
        "metrics": {
            "macro_f1": 0.5, "g_mean": 0.4, "mcc": 0.3, "fit_seconds": 0.1, "roc_auc_ovr": None
        },
        "seconds": 2.5,
        "finished_at": "2026-11-01T12:00:00+00:00",
        "parameters": {"weights": "uniform", "p": None},
    }  # fmt: skip


def test_cell__failed__why_and_no_scores(cell):
    record = make_record(status="failed", error="MemoryError: no room", metrics={}, repeats=[])
    cell.save(CellResult(record))
    assert preview_of(cell) == {
        "label": "KNN", "status": "failed", "error": "MemoryError: no room", "seconds": 2.5,
        "finished_at": "2026-11-01T12:00:00+00:00",
        "parameters": {"weights": "uniform", "p": None},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "preview"),
    [
        (b"", {}), (b"{", {}), (b"[]", {}), (b"null", {}), (b"3", {}), (b'"text"', {}),
        (b"\xff\xfe", {}), (b"[" * 100_000, {}), (b"{}", {}),
        (b'{"status": "ok", "other": 1}', {"status": "ok"}),
    ],
    ids=lambda value: repr(value)[:12],
)  # fmt: skip
def test_cell__damaged_record__what_it_still_says(cell, content, preview):
    cell.path.mkdir(parents=True)
    (cell.path / "fit.json").write_bytes(content)
    assert preview_of(cell) == preview


def test_cell__never_run__is_empty(cell):
    assert preview_of(cell) == {}


def test_table__dates_and_gaps__arrive(tmp_path):
    dataset = TableDataset(filepath=str(tmp_path / "table.parquet"))
    dates = pd.DatetimeIndex(["2024-01-31", None, "2024-02-29"])
    dataset.save(pd.DataFrame({"a": [1.5, None, 3.0], "b": ["x", None, "y"], "c": dates}))
    preview = shown(dataset, nrows=2)
    assert preview["columns"] == ["a", "b", "c"]
    assert preview["data"][0] == [1.5, "x", "2024-01-31T00:00:00"]
    assert preview["data"][1][:2] == [None, None]
    assert len(preview["data"]) == 2


def test_csv__first_rows_and_names_as_they_are__and_the_table_stays_whole(tmp_path):
    dataset = WholeCSVDataset(
        filepath=str(tmp_path / "metrics.csv"),
        load_args={"dtype": {"dataset": "str"}}, save_args={"index": False},
    )  # fmt: skip
    dataset.save(pd.DataFrame({"dataset": ["007", "008", "009"], "macro_f1": [0.5, None, 1.0]}))
    preview = shown(dataset, nrows=2)
    assert preview["columns"] == ["dataset", "macro_f1"]
    assert preview["data"] == [["007", 0.5], ["008", None]]
    assert len(dataset.load()) == 3


@pytest.fixture
def results(tmp_path):
    return ResultTableDataset(filepath=str(tmp_path / "r.csv"), names=["class", "dataset"])


def test_result_table__four_decimals_and_names_as_they_are(results):
    names = {"class": ["NA", "null", "x"], "dataset": ["007", "2020", "1.50"]}
    results.save(pd.DataFrame({**names, "score": [2 / 3, None, 0.00004]}))
    preview = shown(results)
    assert preview["columns"] == ["class", "dataset", "score"]
    assert preview["data"] == [["NA", "007", 0.6667], ["null", "2020", None], ["x", "1.50", 0.0]]


def test_result_table__no_rows_and_no_columns__is_empty(results):
    results.save(pd.DataFrame())
    assert shown(results) == {"index": [], "columns": [], "data": []}


@pytest.mark.parametrize(("arguments", "rows"), [({}, 24), ({"nrows": 3}, 3), ({"nrows": 99}, 30)])
def test_result_table__many_rows__the_first(results, arguments, rows):
    results.save(pd.DataFrame({"class": [f"c{i}" for i in range(30)]}))
    assert shown(results, **arguments)["data"] == [[f"c{i}"] for i in range(rows)]


def report_table(folder, frame, *notes):
    dataset = ReportTableDataset(filepath=str(folder / "table9.csv"))
    dataset.save(Table("table9", "A caption.", notes, frame, frame.astype("str")))
    return dataset


@pytest.mark.parametrize(("arguments", "rows"), [({}, 24), ({"nrows": 2}, 2)])
def test_report_table__many_rows__the_first_to_four_decimals(tmp_path, arguments, rows):
    frame = pd.DataFrame({"model": [f"m{i}" for i in range(30)], "rank": 1 / 3})
    dataset = report_table(tmp_path, frame, "A note.")
    assert shown(dataset, **arguments)["data"] == [[f"m{i}", 0.3333] for i in range(rows)]


def test_report_table__no_rows__the_last_sentence_below_it_says_why(tmp_path):
    dataset = report_table(tmp_path, pd.DataFrame(columns=["model"]), "A note.", "No model ran.")
    preview = shown(dataset, nrows=24)
    assert preview["columns"] == ["This table is empty"]
    assert preview["data"] == [["No model ran."]]


def test_report_table__not_there__says_what_makes_it(tmp_path):
    dataset = ReportTableDataset(filepath=str(tmp_path / "table9.csv"))
    with pytest.raises(DatasetError, match=r"There is no .*table9\.csv; run the pipeline that"):
        dataset.preview()


@pytest.mark.parametrize("kind", [PictureDataset, FigureDataset])
def test_figure__its_png(tmp_path, kind):
    dataset = kind(filepath=str(tmp_path / "f.png"))
    dataset.save(Figure(figsize=(2, 1)))
    picture = base64.b64decode(shown(dataset), validate=True)
    assert picture.startswith(b"\x89PNG")
    assert picture == (tmp_path / "f.png").read_bytes()
