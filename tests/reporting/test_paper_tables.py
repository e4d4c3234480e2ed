import json

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.reporting.paper_tables import (
    TABLES,
    ablation_table,
    benchmark_table,
    paper_tables,
    table1,
)
from qcl_mixnet.statistics.comparison import ComparisonOptions, compare_models

FAMILIES = {
    "QCL-MixNet": "proposed",
    "QCL-MixNet (No Mixup)": "ablation",
    "RF": "ml",
    "A&B_%#": "ml",
}
HEADERS = ["Data set", "Model", "Accuracy", "Macro precision", "Macro recall", "Macro F1"]


def cell(dataset, label, *scores, status="ok", test_selected=False):
    """Rows of a cell as ``gather_metrics`` makes them; each of the metrics is 0.01 higher."""
    return [
        {
            "dataset": dataset, "model": label.lower(), "label": label, "family": FAMILIES[label],
            "checkpoint": "last", "test_selected": test_selected, "repeat": repeat,
            "status": status, "error": "nan",
            **{metric: score + i / 100 for i, metric in enumerate(METRICS)},
            "fit_seconds": 1.0, "predict_seconds": 1.0,
        }
        for repeat, score in enumerate(scores)
    ]  # fmt: skip


ONE_REPEAT = pd.DataFrame(
    [
        *cell("ecoli", "RF", 0.8),
        *cell("ecoli", "QCL-MixNet", 0.801, test_selected=True),
        *cell("ecoli", "A&B_%#", np.nan, status="failed"),
        *cell("ecoli", "QCL-MixNet (No Mixup)", 0.7, test_selected=True),
        *cell("tiny", "RF", 0.5),
        *cell("tiny", "QCL-MixNet", np.nan, status="not run"),
        *cell("tiny", "A&B_%#", 0.4),
        *cell("tiny", "QCL-MixNet (No Mixup)", np.nan, status="not run"),
    ]
)
# Means .81 and .79; standard deviations (a sample's) .0141 and .0283.
TWO_REPEATS = pd.DataFrame(
    [*cell("ecoli", "QCL-MixNet", 0.80, 0.82), *cell("ecoli", "RF", 0.77, 0.81)]
)
DESCRIPTIONS = pd.DataFrame(
    {
        "dataset": ["ecoli", "tiny"], "label": ["Ecoli", "Tiny & odd"], "task": ["binary"] * 2,
        "n_samples": [336, 40], "n_features": [7, 3], "n_classes": [2, 2],
        "smallest_class": [35, 4], "imbalance_ratio": [8.6, 9.0],
        "test_imbalance_ratio": [8.714, 7.0], "classes_absent_from_test": [0, 1],
        "printed_rows": pd.array([336, None], dtype="Int64"),
        "printed_features": pd.array([8, None], dtype="Int64"),
        "printed_classes": pd.array([2, None], dtype="Int64"),
        "printed_imbalance_ratio": pd.array([8.71, None], dtype="Float64"),
        "source": ["bundled", "file"],
        "rows_seen_in_training": pd.array([3, None], dtype="Int64"),
    }
)  # fmt: skip


def test_table1__by_hand():
    table = table1(DESCRIPTIONS)
    assert (table.name, table.text_columns) == ("table1_data_sets", 3)
    assert list(table.body) == [
        "Data set", "Task", "Source", "Samples", "Features", "Classes", "Smallest",
        "Ratio", "Ratio in test", "Absent in test", "Seen in training",
    ]  # fmt: skip
    assert table.body.to_numpy().tolist() == [
        ["Ecoli", "binary", "bundled", "336 (336)", "7 (8)", "2 (2)", "35", "8.60", "8.71 (8.71)",
         "0", "3"],
        ["Tiny & odd", "binary", "file", "40", "3", "2", "4", "9.00", "7.00", "1",
         "not counted"],
    ]  # fmt: skip
    pd.testing.assert_frame_equal(table.frame, DESCRIPTIONS)
    assert "Tiny \\& odd" in table.to_latex()


def test_benchmark__one_repeat__by_hand():
    table = benchmark_table(ONE_REPEAT, DESCRIPTIONS, "binary")
    assert (table.name, table.text_columns) == ("table2_binary_scores", 2)
    assert list(table.body) == HEADERS
    assert table.body.to_numpy().tolist() == [
        ["Ecoli", "QCL-MixNet*", "0.80", "0.81", "0.82", "0.83"],
        ["Ecoli", "RF", "0.80", "0.81", "0.82", "0.83"],
        ["Ecoli", "A&B_%#", "failed", "failed", "failed", "failed"],
        ["Tiny & odd", "QCL-MixNet", "not run", "not run", "not run", "not run"],
        ["Tiny & odd", "RF", "0.50", "0.51", "0.52", "0.53"],
        ["Tiny & odd", "A&B_%#", "0.40", "0.41", "0.42", "0.43"],
    ]
    # Equal as printed, so equally bold: .801 and .8 on ecoli.
    assert table.bold == {(row, column) for row in (0, 1, 4) for column in range(2, 6)}
    assert not any("±" in note for note in table.notes)


def test_benchmark__two_repeats__mean_and_standard_deviation():
    table = benchmark_table(TWO_REPEATS, DESCRIPTIONS, "binary")
    assert table.body.to_numpy().tolist() == [
        ["Ecoli", "QCL-MixNet", "0.81 ± 0.01", "0.82 ± 0.01", "0.83 ± 0.01", "0.84 ± 0.01"],
        ["Ecoli", "RF", "0.79 ± 0.03", "0.80 ± 0.03", "0.81 ± 0.03", "0.82 ± 0.03"],
    ]
    assert table.bold == {(0, column) for column in range(2, 6)}
    assert any("±" in note for note in table.notes)
    assert "**0.81 ± 0.01**" in table.to_markdown()
    assert "\\textbf{0.81 $\\pm$ 0.01}" in table.to_latex()


def test_benchmark__frame__is_long_with_status_and_selection():
    frame = benchmark_table(ONE_REPEAT, DESCRIPTIONS, "binary").frame
    assert list(frame) == [
        "dataset", "model", "label", "family", "metric", "mean", "std", "n_repeats",
        "test_selected", "status",
    ]  # fmt: skip
    assert len(frame) == 6 * 4
    selected = frame[frame["test_selected"]]
    assert set(selected["model"]) == {"qcl-mixnet"}
    assert set(selected["dataset"]) == {"ecoli"}
    assert frame.groupby("status").size().to_dict() == {"failed": 4, "not run": 4, "ok": 16}


@pytest.mark.parametrize("make", [benchmark_table, ablation_table])
def test_score_tables__test_selected__star_and_note_in_both_forms(make):
    table = make(ONE_REPEAT, DESCRIPTIONS, "binary")
    assert "QCL-MixNet\\* |" in table.to_markdown()
    assert "\n\\* With epochs chosen by scores on the test part" in table.to_markdown()
    assert "QCL-MixNet* &" in table.to_latex()
    assert "{}* With epochs chosen by scores on the test part" in table.to_latex()
    unselected = make(ONE_REPEAT.assign(test_selected=False), DESCRIPTIONS, "binary")
    assert "*" not in unselected.to_latex()


def test_benchmark__names__are_escaped():
    latex = benchmark_table(ONE_REPEAT, DESCRIPTIONS, "binary").to_latex()
    assert "Tiny \\& odd & A\\&B\\_\\%\\# & 0.40" in latex


def test_ablation__proposed_model_and_its_variants():
    table = ablation_table(ONE_REPEAT, DESCRIPTIONS, "binary")
    assert table.name == "table4_binary_ablations"
    assert list(table.body) == HEADERS
    assert table.body[["Data set", "Model", "Macro F1"]].to_numpy().tolist() == [
        ["Ecoli", "QCL-MixNet*", "0.83"],
        ["Ecoli", "QCL-MixNet (No Mixup)*", "0.73"],
        ["Tiny & odd", "QCL-MixNet", "not run"],
        ["Tiny & odd", "QCL-MixNet (No Mixup)", "not run"],
    ]
    assert table.bold == {(0, column) for column in range(2, 6)}


def test_score_table__nothing_to_choose_from__no_bold():
    assert ablation_table(TWO_REPEATS, DESCRIPTIONS, "binary").bold == frozenset()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (benchmark_table, "table3_multiclass_scores"),
        (ablation_table, "table5_multiclass_ablations"),
    ],
)
def test_score_tables__no_such_data_set__says_so(make, name):
    table = make(ONE_REPEAT, DESCRIPTIONS, "multiclass")
    assert table.name == name
    assert table.frame.empty
    assert "status" in table.frame
    assert list(table.body) == HEADERS
    for text in (table.to_markdown(), table.to_latex()):
        assert "Macro F1" in text
        assert "no multiclass data set" in text


def test_score_table__data_set_without_description__sentence():
    with pytest.raises(EvaluationError, match="Data set 'tiny' has results and no row"):
        benchmark_table(ONE_REPEAT, DESCRIPTIONS.iloc[:1], "binary")


def make_all(metrics):
    statistics = json.loads(json.dumps(compare_models(metrics, ComparisonOptions())))
    return paper_tables(metrics, DESCRIPTIONS, statistics)


def test_paper_tables__keys_and_names():
    tables = make_all(ONE_REPEAT)
    assert list(tables) == list(TABLES)
    for name, table in tables.items():
        assert table.name == name
        assert f"\\label{{tab:{name}}}" in table.to_latex()
        assert table.to_markdown().startswith(f"# {table.caption}\n")
        assert len(table.body.columns) == len(table.body.iloc[:0].to_csv(index=False).split(","))
    for name in set(tables) - {"table1_data_sets"}:
        assert "test_selected" in tables[name].frame


@pytest.mark.parametrize("rows", [slice(None), slice(0, 1), slice(0, 0)])
def test_paper_tables__runs_of_any_size__can_be_written(rows, tmp_path):
    for name, table in make_all(ONE_REPEAT.iloc[rows]).items():
        table.frame.to_csv(tmp_path / f"{name}.csv", index=False)
        stored = pd.read_csv(tmp_path / f"{name}.csv")
        assert list(stored) == list(table.frame)
        assert len(stored) == len(table.frame)
        assert table.notes
        assert table.to_markdown().count("\n| ") >= 2
        latex = table.to_latex()
        for environment in ("table", "tabular", "longtable"):
            ends = latex.count(f"\\end{{{environment}}}")
            assert latex.count(f"\\begin{{{environment}}}") == ends
