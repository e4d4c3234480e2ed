"""The page of results says what the published files say, to the printed digit."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.reporting.collected import complete
from qcl_mixnet.reporting.tables import leaderboard
from qcl_mixnet.statistics.comparison import ComparisonOptions, compare_models

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
PAGE = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
NAMES = sorted(path.parent.name for path in RESULTS.glob("*/cells.csv"))
# A comment names the file that the table behind it comes from.
TABLES = re.findall(r"<!-- (\w+): (\w+) -->\n\n((?:\|.*\n)+)", PAGE)


def cells_of(name):
    names = ["dataset", "model", "label", "family", "checkpoint", "status", "source"]
    return pd.read_csv(
        RESULTS / name / "cells.csv", dtype=dict.fromkeys(names, str), keep_default_na=False,
        na_values={"macro_f1": [""], "log_loss": [""]},
    )  # fmt: skip


def rows_of(table):
    head, _, *rows = [
        [re.sub(r"\*\*", "", cell).strip() for cell in line.strip("|\n").split("|")]
        for line in table.splitlines()
    ]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_every_published_folder_is_on_the_page():
    assert NAMES
    assert {name for name, _, _ in TABLES} == set(NAMES)


@pytest.mark.parametrize(("name", "kind", "table"), TABLES, ids=[f"{n}-{k}" for n, k, _ in TABLES])
def test_numbers_of_a_table__are_those_of_the_cells(name, kind, table):
    cells, rows = cells_of(name), rows_of(table)
    assert rows
    check = {
        "models": check_models, "datasets": check_datasets, "parts": check_parts,
        "inflation": check_inflation,
    }  # fmt: skip
    check[kind](cells, rows)


def check_models(cells, rows):
    board = leaderboard(complete(cells)).set_index("label")
    means = cells.groupby(["label", "dataset"])[["macro_f1", "log_loss"]].mean()
    means = means.groupby("label").mean()
    for row in rows:
        label = row["model"]
        assert row["mean rank"] == f"{board.loc[label, 'mean_rank']:.2f}", label
        assert row["macro F1"] == short(means.loc[label, "macro_f1"]), label
        assert row["log loss"] == short(means.loc[label, "log_loss"]), label


def check_datasets(cells, rows):
    scores = cells.groupby(["dataset", "label"])["macro_f1"].mean().unstack()
    for row in rows:
        dataset = row.pop("data set")
        for label, printed in row.items():
            if label == "best of the others":
                others = scores.loc[dataset].drop("QCL-MixNet+")
                # Ablations are no competitors.
                families = cells.drop_duplicates("label").set_index("label")["family"]
                others = others[families[others.index] != "ablation"]
                assert printed == f"{short(others.max())} {others.idxmax()}", dataset
            else:
                assert printed == short(scores.loc[dataset, label]), (dataset, label)


def check_parts(cells, rows):
    scores = cells.pivot_table(index=["dataset", "repeat"], columns="label", values="macro_f1")
    for row in rows:
        gains = scores["QCL-MixNet"] - scores[row["without"]]
        assert row["gain"] == f"{gains.mean():+.3f}".replace("0.", ".", 1)
        error = gains.std() / np.sqrt(len(gains))
        assert row["standard error"] == short(error)


def check_inflation(cells, rows):
    """The split of `paper` is the first of `benchmark`, and the sets are the same."""
    other = cells_of("benchmark")
    joined = cells[cells["test_selected"]].merge(
        other[other["repeat"].eq(0)], on=["dataset", "label"], suffixes=("", "_last")
    )
    assert set(joined["dataset"]) == set(cells["dataset"])
    means = joined.groupby("label")[["macro_f1", "macro_f1_last"]].mean()
    assert len(rows) == len(means)
    for row in rows:
        chosen, last = means.loc[row["model"]]
        assert row["epoch chosen on the test part"] == short(chosen)
        assert row["last epoch"] == short(last)
        assert row["difference"] == f"{chosen - last:+.3f}".replace("0.", ".", 1)


def short(value):
    return f"{value:.3f}".removeprefix("0")


@pytest.mark.parametrize("name", NAMES)
def test_files__agree_with_one_another(name):
    cells = cells_of(name)
    sources = pd.read_csv(RESULTS / name / "sources.csv", dtype=str)
    assert set(cells["source"]) <= set(sources["source"])
    board = leaderboard(complete(cells))
    printed = pd.read_csv(RESULTS / name / "leaderboard.csv")
    assert printed["model"].tolist() == board["model"].tolist()
    np.testing.assert_allclose(printed["mean_rank"], board["mean_rank"])
    np.testing.assert_allclose(printed["macro_f1"], board["macro_f1"])


@pytest.mark.parametrize("name", NAMES)
def test_comparisons__are_those_of_the_cells(name):
    comparison = pd.read_csv(RESULTS / name / "comparison_with_control.csv")
    control = comparison["control"].iloc[0]
    found = compare_models(complete(cells_of(name)), ComparisonOptions(control=control))
    rows = found["comparisons"]["macro_f1"]
    if isinstance(rows, dict):  # a reason why there are none
        pytest.skip(rows["reason"])
    expected = {row["model"]: row["p_holm"] for row in rows}
    printed = comparison[comparison["metric"].eq("macro_f1")].set_index("model")["p_holm"]
    for model, p in expected.items():
        assert printed[model] == pytest.approx(p, nan_ok=True), model
