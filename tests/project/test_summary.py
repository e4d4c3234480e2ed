import io
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset
from rich.console import Console

from qcl_mixnet.project import summary
from qcl_mixnet.project.report_datasets import ReportTableDataset
from qcl_mixnet.project.summary import (
    control_lines,
    friedman_line,
    leaderboard_table,
    print_summary,
    report_path,
    report_paths,
    scored_lines,
    speed_table,
)
from qcl_mixnet.project.tracking import RunBinding

BOARD = pd.DataFrame(
    {
        "model": ["net", "tree"], "label": ["Net", "Tree"], "family": ["proposed", "ml"],
        "test_selected": [False, False], "mean_rank": [1.25, 1.75], "wins": [3, 1],
        "n_datasets": [4, 4], "n_failed": [0, 2], "macro_f1": [0.71849, 0.5],
        "macro_recall": [0.7, 0.5], "g_mean": [0.6, 0.4], "mcc": [0.55, float("nan")],
        "fit_seconds": [12.34, 0.06],
    }
)  # fmt: skip
TEST = {
    "df": 8, "chi2": 19.457, "p_value": 0.01263, "iman_davenport_df": [8, 40],
    "iman_davenport_f": 3.4172, "iman_davenport_p": 0.0042,
}  # fmt: skip


def compared(
    better, equivalent, worse, *, differs=False, effect_size=0.5, n_datasets=18, **changes
):
    """Row of a model in the comparison with the control."""
    return {
        "n_datasets": n_datasets, "n_compared": n_datasets, "control_failed": 0, "model_failed": 0,
        "p_value": 0.5, "differs": differs, "effect_size": effect_size,
        "prob_control_better": better, "prob_equivalent": equivalent, "prob_model_better": worse,
        **changes,
    }  # fmt: skip


FAILED = compared(None, None, None, effect_size=None, model_failed=18, p_value=None)
ROWS = [
    compared(0.96, 0.04, 0.0, differs=True),
    compared(0.6, 0.3, 0.1),  # undecided
    compared(0.0, 0.99, 0.01, effect_size=-0.1),
    compared(0.0, 0.02, 0.98, differs=True, effect_size=-0.9),
]
STATISTICS = {
    "tests": {"macro_f1": TEST}, "datasets": ["d1", "d2"], "datasets_without_score": [],
    "failed": [], "not_run": [],
    "control": "net", "alpha": 0.05, "rope": 0.01, "comparisons": {"macro_f1": ROWS},
}  # fmt: skip
UNTRACKED = RunBinding()


def shown(thing, width=120):
    console = Console(file=io.StringIO(), width=width)
    console.print(thing)
    return console.file.getvalue()


def test_leaderboard_table__a_row_for_every_model_in_order():
    text = shown(leaderboard_table(BOARD))
    rows = [line.split() for line in text.splitlines() if line.strip().startswith(("Net", "Tree"))]
    assert rows == [
        ["Net", "1.25", "3", "0.718", "0.600", "0.550", "12.3", "0"],
        ["Tree", "1.75", "1", "0.500", "0.400", "n/a", "0.1", "2"],
    ]
    assert "Mean ranks by macro F1 over 4 data sets (1 is best)" in text
    assert "*" not in text
    one = shown(leaderboard_table(BOARD.assign(n_datasets=1)))
    assert "Mean ranks by macro F1 over 1 data set (1 is best)" in one


def test_leaderboard_table__test_selected__is_starred_and_explained():
    text = shown(leaderboard_table(BOARD.assign(test_selected=[True, False])))
    assert "Net*" in text
    assert "Tree*" not in text
    assert "* epoch chosen on the test part" in " ".join(text.split())


@pytest.mark.parametrize("width", [80, 70])
@pytest.mark.parametrize("label", ["QCL-MixNet (No Attention)", "A" * 60])
def test_leaderboard_table__narrow_terminal__the_label_gives_way(width, label):
    board = BOARD.assign(label=[label, "Tree"], test_selected=[True, False])
    lines = shown(leaderboard_table(board), width).splitlines()
    assert max(map(len, lines)) <= width
    start = next(i for i, line in enumerate(lines) if "mean rank" in line)
    assert lines[start].split() == (
        ["model", "mean", "rank", "wins", "macro", "F1", "G-mean", "MCC", "fit", "s", "failed"]
    )
    end = next(i for i, line in enumerate(lines) if line.strip().startswith("Tree"))
    first, *more = lines[start + 2 : end]
    numbers = first.split()[-7:]
    assert numbers == ["1.25", "3", "0.718", "0.600", "0.550", "12.3", "0"]
    name = first[: first.index("1.25")] + "".join(more)
    assert "".join(name.split()) == label.replace(" ", "") + "*"


def test_leaderboard_table__as_read_back_from_csv__is_the_same(tmp_path):
    board = BOARD.assign(test_selected=[True, False])
    board.to_csv(tmp_path / "board.csv", index=False)
    stored = pd.read_csv(tmp_path / "board.csv")
    assert shown(leaderboard_table(stored)) == shown(leaderboard_table(board))


FIGURES = pd.DataFrame(
    {
        "dataset": ["net [a]"] * 4, "members": [1, 1, 10, 10],
        "implementation": ["reference", "engine"] * 2, "ms": [6.004, 3.0, 6.5, 0.5123],
        "ratio": [1.0, 2.0, 1.0, 12.345], "fraction": [0.001, 0.002, 0.001, 0.0456],
        "peak_mib": [3.0, 2.0, 3.0, 123.4],
    }
)  # fmt: skip


def test_speed_table__a_line_for_every_group_of_members():
    lines = [line.split() for line in shown(speed_table(FIGURES)).splitlines() if "net" in line]
    assert lines == [
        ["net", "[a]", "1", "6", "3", "2", "0.2%", "2"],
        ["net", "[a]", "10", "6.5", "0.512", "12.3", "4.6%", "123"],
    ]


REPORT = {
    "model": "/m", "table": "/new.csv", "output": "/scored.csv", "rows": 1234567, "seconds": 65.43,
    "rows_by_label": {"rare": 4567, "common": 1230000}, "ignored_columns": [],
}  # fmt: skip


def test_scored_lines__rows_labels_and_place():
    assert scored_lines(REPORT).splitlines() == [
        "Scored 1,234,567 rows of /new.csv in 65.4 s: common 1,230,000, rare 4,567",
        "Predictions: /scored.csv",
    ]


def test_scored_lines__many_labels__the_ten_largest_are_named():
    report = {**REPORT, "rows_by_label": {f"c{i}": i for i in range(13)}}
    first, _ = scored_lines(report).splitlines()
    assert first.endswith("s: c12 12, c11 11, c10 10, c9 9, c8 8, c7 7, c6 6, c5 5, c4 4, c3 3 and "
                          "3 more labels")  # fmt: skip


def test_friedman_line__statistic_degrees_and_p_values():
    assert friedman_line(STATISTICS) == (
        "Friedman chi2(8) = 19.46, p = 0.013; Iman-Davenport F(8, 40) = 3.42, p = 0.0042"
    )


def test_friedman_line__no_test__gives_the_reason():
    statistics = {"tests": {"macro_f1": {"reason": "Friedman's test got 1 data set(s)."}}}
    assert friedman_line(statistics) == "Friedman's test got 1 data set(s)."


def test_friedman_line__f_is_infinite__says_what_that_means():
    test = {**TEST, "iman_davenport_f": None, "iman_davenport_p": 1 / 6}
    assert friedman_line({"tests": {"macro_f1": test}}) == (
        "Friedman chi2(8) = 19.46, p = 0.013; all data sets rank the models alike (p = 0.17)"
    )


def test_control_lines__tests_and_probabilities():
    lines = control_lines(STATISTICS).splitlines()
    assert lines == [
        "net is significantly better than 1 and worse than 1 of 4 other models (Wilcoxon-Holm, "
        "level 0.05).",
        "With probability above 0.95 net is better than 1 of 4 other models, practically equal to "
        "1 (macro F1 within 0.01) and worse than 1; undecided: 1 (Bayesian signed-rank test).",
    ]


def test_control_lines__too_few_data_sets_for_any_finding__says_so():
    # At best p is 2 / 2^6 = 1 / 32, times 8 models.
    rows = [compared(0.96, 0.04, 0.0, n_datasets=6)] * 8
    statistics = {**STATISTICS, "control": "qcl_mixnet", "comparisons": {"macro_f1": rows}}
    first, second = control_lines(statistics).splitlines()
    assert first == (
        "6 data sets are too few for a significant difference between qcl_mixnet and 8 other "
        "models (Wilcoxon-Holm, level 0.05)."
    )
    assert "better than 8 of 8 other models, practically equal to 0 (" in second
    two = {**statistics, "comparisons": {"macro_f1": rows[:2]}}
    assert control_lines(two).startswith("6 data sets are too few")
    one = {**statistics, "comparisons": {"macro_f1": rows[:1]}}
    assert control_lines(one).startswith(
        "qcl_mixnet is significantly better than 0 and worse than 0 of 1 other model ("
    )


def test_control_lines__no_comparison__gives_the_reason():
    statistics = {**STATISTICS, "comparisons": {"macro_f1": {"reason": "A comparison got 1."}}}
    assert control_lines(statistics) == "A comparison got 1."


def test_control_lines__models_that_failed_everywhere__are_counted_and_not_judged():
    statistics = {**STATISTICS, "comparisons": {"macro_f1": [FAILED, *ROWS, FAILED]}}
    lines = control_lines(statistics).splitlines()
    assert lines[:-1] == control_lines(STATISTICS).splitlines()
    assert lines[-1] == "2 models failed on all data sets and were not compared with net."
    nobody = {**STATISTICS, "comparisons": {"macro_f1": [FAILED]}}
    assert control_lines(nobody) == "1 model failed on all data sets and was not compared with net."


def test_control_lines__control_failed_everywhere__nobody_is_judged():
    rows = [{**FAILED, "control_failed": 18, "model_failed": n} for n in (18, 0, 3)]
    statistics = {**STATISTICS, "comparisons": {"macro_f1": rows}}
    assert control_lines(statistics) == (
        "net failed on all data sets, so no other model was compared with it."
    )


def test_control_lines__too_few_data_sets_on_which_not_both_failed__says_so():
    # Of 18 data sets 5 are compared: at best p is 1/16. With 6 of one pair it is 3/32, for three.
    rows = [compared(0.9, 0.1, 0.0, n_compared=n) for n in (5, 6, 5)]
    statistics = {**STATISTICS, "comparisons": {"macro_f1": [*rows, FAILED]}}
    assert control_lines(statistics).startswith(
        "6 data sets are too few for a significant difference between net"
    )


def test_report_paths__all_formats_of_a_table():
    dataset = ReportTableDataset(filepath="data/08_reporting/tables/table1.csv")
    assert [path.suffix for path in report_paths(dataset)] == [".csv", ".md", ".tex"]
    assert len(report_paths(CSVDataset(filepath="data/08_reporting/m.csv"))) == 1
    assert report_paths(MemoryDataset(1)) == []


@pytest.mark.parametrize(
    ("dataset", "path"),
    [
        (CSVDataset(filepath="data/08_reporting/metrics.csv"), "data/08_reporting/metrics.csv"),
        (JSONDataset(filepath="data/paper/08_reporting/s.json"), "data/paper/08_reporting/s.json"),
        (CSVDataset(filepath="data/01_raw/glass.csv"), None),
        (CSVDataset(filepath="data/my_08_reporting_x/glass.csv"), None),
        (MemoryDataset(1), None),
        (SimpleNamespace(_filepath=PurePosixPath("08_reporting/a.md")), "08_reporting/a.md"),
    ],
    ids=["csv", "json", "raw", "like it", "memory", "relative"],
)
def test_report_path__only_of_files_in_the_reporting_folder(dataset, path):
    found = report_path(dataset)
    if path is None:
        assert found is None
    else:
        assert found.parts[-len(Path(path).parts) :] == Path(path).parts


@pytest.fixture
def summarize(monkeypatch, tmp_path):
    """Print the summary of a run over d1 and d2 and return it."""

    def run(statistics=STATISTICS, binding=UNTRACKED, outputs=("leaderboard", "statistics")):
        console = Console(file=io.StringIO(), width=1000)
        monkeypatch.setattr(summary, "get_console", lambda: console)
        folder = tmp_path / "08_reporting"
        catalog = DataCatalog(
            {
                "leaderboard": CSVDataset(
                    filepath=str(folder / "leaderboard.csv"), save_args={"index": False}
                ),
                "statistics": JSONDataset(filepath=str(folder / "statistics.json")),
            }
        )
        catalog.save("leaderboard", BOARD)
        catalog.save("statistics", statistics)
        per_data_set = [
            Pipeline([Node(len, "table", "rows", name="count")], namespace=name)
            for name in ("d1", "d2")
        ]
        compare = Node(lambda: None, None, list(outputs), name="compare")
        print_summary(catalog, Pipeline([*per_data_set, compare]), binding)
        return console.file.getvalue()

    return run


def test_print_summary__table_test_and_folder(summarize, tmp_path):
    text = summarize()
    assert "Net" in text
    assert "Friedman chi2(8) = 19.46" in text
    assert "net is significantly better than 1 and worse than 1 of 4 other models" in text
    assert f"Tables and figures: {tmp_path / '08_reporting'}" in text
    for word in ("Failed", "Not run", "not available", "MLflow"):
        assert word not in text


def test_print_summary__what_is_missing__is_counted_and_named(summarize):
    statistics = {
        **STATISTICS,
        "datasets": ["d1"],
        "failed": [f"d1.m{i}" for i in range(10)],
        "not_run": ["d1.net"],
    }
    text = summarize(statistics)
    assert "do not count" not in text
    first_eight = ", ".join(f"d1.m{i}" for i in range(8))
    assert f"Failed (10): {first_eight} and 2 more\n" in text
    assert "Not run (1): d1.net\n" in text
    assert "Data sets not available, see above (1): d2\n" in text


def test_print_summary__eight_names__are_all_there_are(summarize):
    failed = [f"d1.m{i}" for i in range(8)]
    assert f"Failed (8): {', '.join(failed)}\n" in summarize({**STATISTICS, "failed": failed})


def test_print_summary__every_model_failed_on_a_data_set__it_is_not_called_unavailable(summarize):
    statistics = {
        **STATISTICS,
        "datasets": ["d1"],
        "datasets_without_score": ["d2"],
        "failed": ["d2.m1", "d2.m2"],
    }
    text = summarize(statistics)
    assert "Data sets that do not count, because every model failed (1): d2\n" in text
    assert "not available" not in text
    # Nor is one on which nothing was run.
    assert "not available" not in summarize({**STATISTICS, "datasets": ["d1"], "not_run": ["d2.m"]})


def test_print_summary__tracked__names_the_run(summarize):
    text = summarize(binding=RunBinding({}, "sqlite:///x.db", "0", "run7"))
    assert "MLflow run run7 in sqlite:///x.db" in text


def test_print_summary__run_without_a_leaderboard__no_table(summarize):
    assert summarize(outputs=("other", "thing")) == ""


def test_leaderboard_table__label_with_brackets__is_printed_as_it_is():
    board = BOARD.assign(label=["Net [no mixup]", *BOARD["label"][1:]])
    assert "Net [no mixup]" in shown(leaderboard_table(board))
