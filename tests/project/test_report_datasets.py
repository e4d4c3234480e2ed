import json
import os

import pandas as pd
import pytest
from kedro.io import DatasetError
from matplotlib.figure import Figure

from qcl_mixnet.project.report_datasets import FigureDataset, ReportTableDataset
from qcl_mixnet.project.whole_files import (
    WholeCSVDataset,
    WholeJSONDataset,
    WholeTextDataset,
    WholeYAMLDataset,
)
from qcl_mixnet.reporting.rendering import Table


def draw():
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2], label="one")
    return figure


def make_table():
    frame = pd.DataFrame({"model": ["a&b", "c"], "score": [0.5, 0.25]})
    return Table("table9", "A caption.", ("A note.",), frame, frame.astype(str))


def test_figure__both_formats__equal_figures_are_equal_files(tmp_path):
    datasets = [FigureDataset(filepath=str(tmp_path / place / "f.png")) for place in "ab"]
    for dataset in datasets:
        dataset.save(draw())
        assert [path.name for path in dataset.paths] == ["f.png", "f.svg"]
    assert datasets[0].paths[0].read_bytes().startswith(b"\x89PNG")
    assert datasets[0].paths[1].read_text().startswith("<?xml")
    for one, other in zip(datasets[0].paths, datasets[1].paths, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert datasets[0].preview()
    assert datasets[0].exists()


def test_table__three_formats(tmp_path):
    dataset = ReportTableDataset(filepath=str(tmp_path / "new" / "table9.csv"))
    dataset.save(make_table())
    pd.testing.assert_frame_equal(dataset.load(), make_table().frame)
    assert [path.name for path in dataset.paths] == ["table9.csv", "table9.md", "table9.tex"]
    assert "| a&b | 0.5 |" in dataset.paths[1].read_text()
    assert r"a\&b" in dataset.paths[2].read_text()
    preview = dataset.preview(nrows=1)
    assert preview["data"] == [["a&b", 0.5]]
    json.dumps(preview)


@pytest.mark.parametrize(
    ("kind", "name", "before", "after"),
    [
        (WholeCSVDataset, "a.csv", pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})),
        (WholeJSONDataset, "a.json", {"a": 1}, {"a": 2}),
        (WholeTextDataset, "a.md", "one", "two"),
        (WholeYAMLDataset, "a.yml", {"a": 1}, {"a": 2}),
        (FigureDataset, "a.png", draw(), draw()),
    ],
)
def test_whole_file__written_again__a_reader_never_meets_a_part(
    tmp_path, monkeypatch, kind, name, before, after
):
    dataset = kind(filepath=str(tmp_path / "new" / name))
    dataset.save(before)
    path = tmp_path / "new" / name
    old, replace, seen = path.read_bytes(), os.replace, []

    def look_and_replace(part, target):
        seen.append(path.read_bytes())
        replace(part, target)

    monkeypatch.setattr("qcl_mixnet.writing.os.replace", look_and_replace)
    dataset.save(after)
    assert seen[0] == old
    if kind is not FigureDataset:
        assert path.read_bytes() != old
    assert not [left for left in path.parent.iterdir() if left.suffix == ".part"]
    assert dataset.exists()


def test_whole_file__write_fails__the_old_file_is_there(tmp_path):
    dataset = WholeJSONDataset(filepath=str(tmp_path / "a.json"))
    dataset.save({"a": 1})
    with pytest.raises(DatasetError):
        dataset.save({"a": object()})
    assert dataset.load() == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_table__cannot_be_written__no_half_file(tmp_path, monkeypatch):
    dataset = ReportTableDataset(filepath=str(tmp_path / "table9.csv"))
    monkeypatch.setattr(Table, "to_latex", lambda self: 1 / 0)
    with pytest.raises(Exception, match="division"):
        dataset.save(make_table())
    assert not list(tmp_path.glob("*.part"))
