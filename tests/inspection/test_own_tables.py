"""The five files of a user's, from the path to the report."""

import json
import time

import pytest

from qcl_mixnet.inspection.applying import apply_readings
from qcl_mixnet.inspection.columns import read_columns
from qcl_mixnet.inspection.report import inspect_table
from qcl_mixnet.inspection.sniffing import sniff_source

SMALL = {"fraud": {"n": 4000}}  # the whole of it is timed once
FIVE = ["semicolons", "question_marks", "dates_and_ids", "four_classes", "fraud"]


def read(table):
    sniffed = sniff_source(table.path, table.target)
    readings = read_columns(sniffed.table, table.target, source=sniffed.source)
    X, y = apply_readings(sniffed.table, readings)
    return sniffed, readings, X, y


def look(table):
    sniffed, readings, X, y = read(table)
    return inspect_table(X, y, readings=readings, table=sniffed.table)


@pytest.mark.parametrize("name", FIVE)
def test_five_files__without_a_flag__are_read_right(own_tables, tmp_path, name):
    table = getattr(own_tables, name)(tmp_path)
    sniffed, readings, X, y = read(table)
    assert {column.name: column.kind for column in readings.columns} == table.kinds
    assert {name: getattr(sniffed.source, name) for name in table.options} == table.options
    assert sniffed.notes == ()
    dates = [name for name, kind in table.kinds.items() if kind == "date"]
    numbers = [name for name, kind in table.kinds.items() if kind == "number"]
    assert all(X[name].dtype.kind == "M" for name in dates)
    assert all(X[name].dtype.kind in "if" for name in numbers)
    assert set(X) == {n for n, k in table.kinds.items() if k in {"date", "number", "category"}}
    assert len(X) == len(y) == len(sniffed.table)
    assert len(readings.lines()) == len(table.kinds)


@pytest.mark.parametrize("name", FIVE)
def test_five_files__report__suspects_nothing(own_tables, tmp_path, name):
    report = look(getattr(own_tables, name)(tmp_path, **SMALL.get(name, {})))
    assert report.leaks == ()
    assert not report.is_sorted
    json.dumps(report.to_dict(), allow_nan=False)
    assert report.to_text().count("\n") < 30


def test_fraud__its_two_useless_columns__are_left_out_and_said(own_tables, tmp_path):
    table = own_tables.fraud(tmp_path)
    start = time.perf_counter()
    sniffed, readings, X, y = read(table)
    report = inspect_table(X, y, readings=readings, table=sniffed.table)
    assert time.perf_counter() - start < 10
    assert {column.name for column in readings.left_out} == {"transaction_id", "currency"}
    assert report.constant == ("currency",)
    assert report.classes["rows"].tolist() == [19_800, 200]
    assert "rarest class is '1' with 200 rows; the largest has 99 times as many" in report.to_text()


def test_four_classes__rare_class_of_twelve_rows__is_named(own_tables, tmp_path):
    text = look(own_tables.four_classes(tmp_path)).to_text()
    assert "The rarest class is 'acute' with 12 rows" in text


def test_question_marks__gaps__are_counted(own_tables, tmp_path):
    report = look(own_tables.question_marks(tmp_path))
    assert report.gaps["gaps"].tolist() == [40, 40, 40]
    assert set(report.gaps["column"]) == {"age", "income", "job"}


@pytest.mark.parametrize("name", ["dates_and_ids", "four_classes", "fraud"])
def test_planted_leak__as_number_and_as_word__is_named_with_its_figure(own_tables, tmp_path, name):
    table = own_tables.with_leak(getattr(own_tables, name)(tmp_path, **SMALL.get(name, {})))
    report = look(table)
    assert {leak.column for leak in report.leaks} == set(table.planted)
    assert all(leak.evidence == "values" and leak.score > 0.98 for leak in report.leaks)
    assert "'settled' alone nearly gives the target away (ROC AUC 1.000" in report.to_text()


def test_planted_duplicates__are_counted_on_both_sides(own_tables, tmp_path):
    table = own_tables.with_duplicates(own_tables.four_classes(tmp_path), same=10, contradicting=4)
    found = look(table).duplicates
    assert (found.rows, found.groups, found.repeated) == (28, 14, 14)
    assert (found.contradicting, found.contradicting_groups) == (8, 4)
    assert found.tested == 414
    assert 0 < found.across <= 28
    assert "28 rows have a twin with the same features" in look(table).to_text()


def test_makers__same_seed__make_the_same_file(own_tables, tmp_path):
    for make in own_tables.FIVE:
        first = make(tmp_path, n=60).path.read_bytes()
        assert make(tmp_path, n=60).path.read_bytes() == first
        assert make(tmp_path, seed=1, n=60).path.read_bytes() != first
