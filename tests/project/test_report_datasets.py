import json

import pandas as pd
import pytest
from matplotlib.figure import Figure

from qcl_mixnet.project.report_datasets import FigureDataset, ReportTableDataset
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


def test_table__cannot_be_written__no_half_file(tmp_path, monkeypatch):
    dataset = ReportTableDataset(filepath=str(tmp_path / "table9.csv"))
    monkeypatch.setattr(Table, "to_latex", lambda self: 1 / 0)
    with pytest.raises(Exception, match="division"):
        dataset.save(make_table())
    assert not list(tmp_path.glob("*.part"))
