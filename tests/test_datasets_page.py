"""docs/datasets.md is what its script makes of the roster and of the tables."""

import importlib.util

import pandas as pd
import pytest
from tests.pages import ROOT

SCRIPT = ROOT / "docs" / "measured" / "datasets.py"
PAGE = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
QUICK = {"glass", "lymph", "zoo", "fertility", "abalone"}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("datasets_page", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sizes(script):
    return pd.read_csv(script.SIZES, index_col="dataset")


def test_page__holds_what_the_script_makes_of_roster_and_sizes(script, sizes):
    assert script.with_table(PAGE, script.rendered(sizes)) == PAGE


def test_page__has_every_data_set_once_with_licence_and_source(script):
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| [")]
    assert len(rows) == len(script.roster()) >= 60
    assert {row[1].strip("`") for row in rows} == set(script.roster())
    assert all(
        cell.strip(" |") for row in rows for cell in (row[0], row[2], row[7], row[8], row[9])
    )


def test_sizes__are_of_all_tables_that_come_with_a_package(script, sizes):
    offline = {name for name, entry in script.roster().items() if script.is_offline(entry)}
    assert set(sizes.index) == offline


def test_page__glass__has_the_numbers_that_are_known_of_it():
    (row,) = [line for line in PAGE.splitlines() if "| `glass` |" in line]
    assert "| 214 | 9 | 6 | 9 | 8.44 |" in row  # 76 rows of the largest class, 9 of the smallest


@pytest.mark.parametrize("name", sorted(QUICK))
def test_sizes__few_small_tables__are_as_measured(name, script, sizes, tmp_path):
    measured = script.measure(name, script.roster()[name], tmp_path)
    assert {**sizes.loc[name], "dataset": name} == measured


@pytest.mark.slow
def test_sizes__all_tables__are_as_measured(script, sizes, tmp_path):
    for name in sizes.index:
        measured = script.measure(name, script.roster()[name], tmp_path)
        assert {**sizes.loc[name], "dataset": name} == measured
