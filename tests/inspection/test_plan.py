import pandas as pd
import pytest
import yaml

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.inspection.applying import apply_readings, apply_to_new
from qcl_mixnet.inspection.columns import read_columns
from qcl_mixnet.inspection.plan import as_flag, parse_as, read_plan
from qcl_mixnet.inspection.sniffing import read_source, sniff_source


@pytest.mark.parametrize(
    "name", ["semicolons", "question_marks", "dates_and_ids", "four_classes", "fraud"]
)
def test_yaml__round_trip__reads_the_same_table(own_tables, tmp_path, name):
    table = getattr(own_tables, name)(tmp_path, n=200)
    sniffed = sniff_source(table.path, table.target)
    readings = read_columns(sniffed.table, table.target, source=sniffed.source)
    readings.to_yaml(tmp_path / "readings.yml")
    plan = read_plan(tmp_path / "readings.yml")
    assert plan == readings.plan
    X, _ = apply_readings(sniffed.table, readings)
    later = read_source(plan.source(str(table.path)))
    pd.testing.assert_frame_equal(apply_to_new(later, plan), X)
    again = read_columns(later, plan.target, plan.columns, source=plan.source(str(table.path)))
    assert again.plan == plan


def test_yaml__odd_names__come_back(tmp_path):
    names = ["a: b", "#", "yes", "2020", "é ü", "-", "x" * 200, "two\nlines"]
    frame = pd.DataFrame({name: [0.5, 1.5, 2.5, 3.5] for name in names} | {"y": [0, 1] * 2})
    readings = read_columns(frame, "y")
    readings.to_yaml(tmp_path / "readings.yml")
    assert list(read_plan(tmp_path / "readings.yml").columns) == [*names, "y"]


def test_yaml__file__is_for_people(own_tables, tmp_path):
    table = own_tables.dates_and_ids(tmp_path)
    sniffed = sniff_source(table.path, table.target)
    read_columns(sniffed.table, table.target, source=sniffed.source).to_yaml(tmp_path / "r.yml")
    text = (tmp_path / "r.yml").read_text(encoding="utf-8")
    assert "  amount: number  # 0 gaps, " in text
    assert "  since: {kind: date, format: '%d/%m/%Y'}  # " in text
    assert yaml.safe_load(text)["target"] == "churned"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("target: y\ncolumns: {a: numbr}", "column 'a' of .*kind 'numbr' .did you mean 'number'"),
        ("target: y\ncolums: {a: number}", "entry 'colums', which nothing reads.*'columns'"),
        ("target: y\nfile: {seperator: ';'}", "entry 'seperator', which.*did you mean 'separator'"),
        ("target: y\nfile: {decimal: ';'}", "has decimal ';' .Input should be"),
        ("target: y\nunlabelled: forget", "unlabelled 'forget'.*refuse, drop"),
        ("columns: {a: number}", "has no entry 'target'"),
        ("a: [", "is no YAML"),
        ("", "has no entries"),
    ],
)
def test_read_plan__mistaken__is_one_sentence(write, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read_plan(write(text, "readings.yml"))
    assert "\n" not in str(caught.value)


def test_read_plan__no_such_file__is_said(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read \(No such file"):
        read_plan(tmp_path / "none.yml")


def test_parse_as__what_as_flag_writes__comes_back():
    assert as_flag("zip", "category") == "--as zip=category"
    name, plan = parse_as("a=b=date:%d/%m/%Y")
    assert (name, plan.kind, plan.format) == ("a=b", "date", "%d/%m/%Y")


@pytest.mark.parametrize("text", ["zip", "=category", "zip=catgory"])
def test_parse_as__mistaken__is_one_sentence(text):
    with pytest.raises(DataError, match=r"COLUMN=KIND|did you mean 'category'"):
        parse_as(text)
