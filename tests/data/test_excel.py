"""Spreadsheets: one sheet, numbers in cells of text, gaps and labels."""

import io
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

openpyxl = pytest.importorskip("openpyxl")

FRAME = pd.DataFrame({"a": [1, 2.5, None, 4], "k": ["u", None, "v", "u"], "y": ["p", "q"] * 2})


def excel(frame, **options):
    return lambda path: frame.to_excel(path, index=False, **options)


def sheets(path, **frames):
    with pd.ExcelWriter(path) as writer:
        for name, frame in frames.items():
            frame.to_excel(writer, sheet_name=name, index=False)


def test_load__one_sheet__same_values(load_file):
    table = load_file(excel(FRAME), "t.xlsx")
    np.testing.assert_array_equal(table["a"], FRAME["a"])
    assert table["k"].isna().tolist() == [False, True, False, False]
    assert table["target"].tolist() == ["p", "q", "p", "q"]


def test_load__numbers_in_cells_of_text__are_numbers(load_file, refusal):
    frame = FRAME.assign(a=["1,5", 2, "3,25", "NA"], zip=["007", "08", 9, " 1 "])
    table = load_file(excel(frame), "t.xlsx", decimal=",")
    np.testing.assert_array_equal(table["a"], [1.5, 2, 3.25, np.nan])
    assert table["zip"].tolist() == [7, 8, 9, 1]
    assert "`decimal: ','`" in refusal(excel(frame), "t.xlsx")


def test_load__mixed_cells__are_text(load_file):
    frame = FRAME.assign(k=[1, "x", 2.0, None])
    assert load_file(excel(frame), "t.xlsx")["k"].fillna("").tolist() == ["1", "x", "2", ""]


def test_load__codes__are_gaps_in_features_and_refused_in_the_target(load_file, refusal):
    frame = FRAME.assign(a=[1, "?", "#N/A", -999], y=["p", "None", "p", "None"])
    assert "is 'None' in 2 rows, first in row 1" in refusal(excel(frame), "t.xlsx")
    table = load_file(excel(frame), "t.xlsx", na_values={"a": ["?", -999], "y": []})
    np.testing.assert_array_equal(table["a"], [1, np.nan, np.nan, np.nan])
    assert table["target"].tolist() == ["p", "None"] * 2
    assert "`na_values: ['?']`" in refusal(excel(FRAME.assign(a=[1, "?", "#N/A", -999])), "t.xlsx")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["007", "008"], ["007", "008"]), (["01", "1"], ["01", "1"]), ([1, 2], [1, 2]),
        ([1.0, 2.0], [1, 2]), (["1", 2], [1, 2]), ([True, False], [1, 0]),
    ],
)  # fmt: skip
def test_load__labels__are_those_of_the_sheet(load_file, labels, expected):
    table = load_file(excel(FRAME.assign(y=pd.Series(labels * 2, dtype=object))), "t.xlsx")
    assert table["target"].tolist() == expected * 2


def test_load__several_sheets__which_must_be_told(load_file, refusal):
    def write(path):
        sheets(path, May=FRAME, June=FRAME.assign(a=7), Notes=pd.DataFrame())

    assert "2 sheets with something in them ('May', 'June')" in refusal(write, "t.xlsx")
    assert load_file(write, "t.xlsx", sheet="June")["a"].tolist() == [7] * 4
    assert "no sheet 'Juni'" in refusal(write, "t.xlsx", sheet="Juni")
    assert load_file(lambda path: sheets(path, A=FRAME, B=pd.DataFrame()), "t.xlsx").shape == (4, 3)


def test_load__title_above_the_names__needs_header(load_file, refusal):
    rows = [["Title", None, None], [None] * 3, list(FRAME), *FRAME.itertuples(index=False)]
    write = excel(pd.DataFrame(rows), header=False)
    assert "has values and no name" in refusal(write, "t.xlsx")
    np.testing.assert_array_equal(load_file(write, "t.xlsx", header=1)["a"], FRAME["a"])
    assert "no row number 9" in refusal(write, "t.xlsx", header=9)


def test_load__names_of_columns__as_in_csv(load_file, refusal):
    table = load_file(excel(FRAME.rename(columns={"k": 2020})), "t.xlsx")
    assert table.columns.tolist() == ["a", "2020", "target"]
    write = excel(FRAME.assign(b=1).set_axis(["a", "a", "y", "b"], axis=1))
    assert "two columns named 'a'" in refusal(write, "t.xlsx")
    named = load_file(excel(FRAME, header=False), "t.xlsx", columns=("u", "v", "y"))
    assert named.columns.tolist() == ["u", "v", "target"]
    assert "has 3 columns, and `columns` of the source names 2" in refusal(
        excel(FRAME), "t.xlsx", header=0, columns=("u", "y")
    )


def test_load__dates__are_left_for_the_check_to_refuse(refusal):
    frame = FRAME.assign(a=pd.date_range("2024-01-01", periods=4))
    assert "column 'a' of data set 'tiny' holds dates or times" in refusal(excel(frame), "t.xlsx")


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.xlsx", b"a,y\n1,p\n"), ("t.xlsx", b"PK\x03\x04junk"), ("t.xls", b"junk"), ("t.xlsx", b"")],
)
def test_load__no_spreadsheet__is_one_sentence(refusal, name, content):
    if name == "t.xls":
        pytest.importorskip("python_calamine")
    assert "cannot be read as an Excel file" in refusal(content, name)


def test_load__archive_that_is_no_workbook__is_one_sentence(refusal):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "a,y\n1,p\n")
    assert "cannot be read as an Excel file" in refusal(buffer.getvalue(), "t.xlsx")


def test_load__workbook_named_csv__names_the_format(refusal, tmp_path):
    FRAME.to_excel(tmp_path / "t.xlsx", index=False)
    message = refusal((tmp_path / "t.xlsx").read_bytes(), "t.csv")
    assert "`format: excel`" in message


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [("t.xlsx", "openpyxl", "openpyxl"), ("t.ods", "python_calamine", "python-calamine")],
)
def test_load__library_is_not_installed__names_package_and_extra(
    refusal, monkeypatch, name, module, package
):
    monkeypatch.setitem(sys.modules, module, None)
    message = refusal(b"PK\x03\x04", name)
    assert f"needs the package {package}" in message
    assert "pip install 'qcl-mixnet[files]'" in message


ODS = """<?xml version="1.0"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>
 <table:table table:name="A">{rows}</table:table></office:spreadsheet></office:body>
</office:document-content>"""

MANIFEST = (
    '<?xml version="1.0"?><manifest:manifest '
    'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
)


def test_load__open_document__same_values(load_file):
    pytest.importorskip("python_calamine")

    def cell(value):
        if isinstance(value, str):
            return (
                f'<table:table-cell office:value-type="string"><text:p>{value}</text:p>'
                "</table:table-cell>"
            )
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'

    rows = [["a", "y"], [1.5, "p"], [2, "q"], [3.5, "p"], [4, "q"]]
    xml = "".join(f"<table:table-row>{''.join(map(cell, r))}</table:table-row>" for r in rows)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        archive.writestr("content.xml", ODS.format(rows=xml))
    table = load_file(buffer.getvalue(), "t.ods")
    assert table.to_dict("list") == {"a": [1.5, 2, 3.5, 4], "target": ["p", "q", "p", "q"]}
