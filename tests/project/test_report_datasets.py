import json
import os

import pandas as pd
import pytest
from kedro.io import DatasetError
from matplotlib.figure import Figure

from qcl_mixnet.project.report_datasets import (
    FigureDataset,
    PageDataset,
    ReportTableDataset,
    ResultTableDataset,
)
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
    assert datasets[0].load().png == datasets[0].paths[0].read_bytes()
    assert datasets[0].load().svg == datasets[0].paths[1].read_bytes()
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


NAMES = ["class", "dataset", "version_*"]


def test_result_table__names_that_look_like_something_else__are_names(tmp_path):
    dataset = ResultTableDataset(filepath=str(tmp_path / "new" / "r.csv"), names=NAMES)
    frame = pd.DataFrame(
        {
            "class": ["NA", "2020", "null", ""], "version_x": ["3.10"] * 4, "rows": [1, 2, 3, 4],
            "score": [0.1, None, 1 / 3, 1],
        }
    )  # fmt: skip
    dataset.save(frame)
    pd.testing.assert_frame_equal(dataset.load(), frame)


def test_result_table__no_rows_and_no_columns__is_read_as_such(tmp_path):
    dataset = ResultTableDataset(filepath=str(tmp_path / "r.csv"), names=NAMES)
    dataset.save(pd.DataFrame())
    assert dataset.load().empty


def test_page__any_letters__whole_or_not_at_all(tmp_path, monkeypatch):
    dataset = PageDataset(filepath=str(tmp_path / "new" / "report.html"))
    dataset.save("<p>Ωß</p>")
    assert dataset.paths[0].read_bytes() == "<p>Ωß</p>".encode()
    with pytest.raises(Exception, match="surrogates"):
        dataset.save("half \ud800")
    assert dataset.paths[0].read_text(encoding="utf-8") == "<p>Ωß</p>"
    assert [path.name for path in dataset.paths[0].parent.iterdir()] == ["report.html"]
