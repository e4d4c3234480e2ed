import io
import re

import pytest
from rich.console import Console

from qcl_mixnet.project import progress
from qcl_mixnet.project.progress import ReadingProgress, RunProgress, cell_line

OK = {
    "dataset": "glass", "label": "KNN", "status": "ok", "error": None, "test_selected": False,
    "metrics": {"macro_f1": 0.61549}, "seconds": 12.345, "grid_failures": [],
}  # fmt: skip
FAILED = {**OK, "status": "failed", "error": "ValueError: no", "metrics": {}}


def printed(line):
    console = Console(file=io.StringIO(), width=200)
    console.print(line, highlight=False)
    return console.file.getvalue()


def test_cell_line__ok():
    assert printed(cell_line(OK)).split() == ["glass", "KNN", "macro", "F1", "0.615", "12.3", "s"]


def test_cell_line__test_selected__is_starred():
    line = printed(cell_line({**OK, "test_selected": True}))
    assert line.split() == ["glass", "KNN", "macro", "F1", "0.615*", "12.3", "s"]


def test_cell_line__failed__has_the_error():
    line = printed(cell_line(FAILED))
    assert line.split() == ["glass", "KNN", "failed", "ValueError:", "no", "12.3", "s"]


def test_cell_line__error_of_several_lines__is_one():
    error = "ValueError: Input X contains NaN.\nTry another model:\n  https://x"
    line = printed(cell_line({**FAILED, "error": error}))
    assert "ValueError: Input X contains NaN. Try another model: https://x " in line
    assert line.count("\n") == 1


def test_cell_line__label_with_brackets__is_aligned_as_it_is_printed():
    lines = [printed(cell_line({**OK, "label": label})) for label in ("Net [x]", "Network")]
    assert "Net [x]" in lines[0]
    assert len({line.index("macro F1") for line in lines}) == 1


def test_cell_line__columns_are_aligned():
    lines = [cell_line(OK), cell_line({**OK, "dataset": "d" * 28, "label": "Balanced RF"})]
    assert len({line.index("macro F1") for line in lines}) == 1
    assert len({len(line) for line in lines}) == 1


@pytest.fixture
def run_cells(monkeypatch):
    """Report some cells on a console and return what it shows."""

    def run(records, *, total, up_to_date=0, terminal=False):
        console = Console(
            file=io.StringIO(), force_terminal=terminal, force_interactive=terminal, width=120,
            color_system=None, _environ={},
        )  # fmt: skip
        monkeypatch.setattr(progress, "get_console", lambda: console)
        with RunProgress() as shown:
            shown.start(total=total, up_to_date=up_to_date)
            for record in records:
                shown.finish(record)
            if terminal:
                shown._bar.refresh()
        return console.file.getvalue()

    return run


def test_progress__no_terminal__a_line_for_every_cell_and_no_bar(run_cells):
    text = run_cells([OK, FAILED], total=2)
    assert [line.rstrip() for line in text.splitlines() if line.strip()] == [
        f"[1/2] {cell_line(OK)}",
        f"[2/2] {cell_line(FAILED)}".replace("[red]", "").replace("[/red]", ""),
    ]


def test_progress__no_terminal__counters_are_equally_wide_and_lines_stay_whole(run_cells):
    long = {**FAILED, "error": "ValueError: " + "no " * 60}
    lines = run_cells([OK, None, *[long] * 10], total=12).strip().splitlines()
    assert [line[:8] for line in lines[:3]] == ["[ 1/12] ", "[ 3/12] ", "[ 4/12] "]
    assert lines[-1].startswith("[12/12] ")
    assert len(lines) == 11  # of the second cell, which has no record, there is nothing to say


def test_progress__terminal__the_bar_counts_and_the_lines_do_not(run_cells):
    assert "[1/1]" not in run_cells([OK], total=1, terminal=True)


@pytest.mark.parametrize("terminal", [False, True])
def test_begin__where_there_is_no_bar_alone__names_the_cell(run_cells, monkeypatch, terminal):
    run_cells([], total=0, terminal=terminal)  # sets the console
    shown = RunProgress()
    shown.start(total=12, up_to_date=0)
    shown.begin("glass", "my_[net]")
    text = shown.console.file.getvalue()
    shown.__exit__(None, None, None)
    named = [line.split() for line in text.splitlines() if "running" in line]
    assert named == ([] if terminal else [["glass", "my_[net]", "running"]])


def test_cell_line__fits_of_the_grid_failed__a_line_below_says_so():
    sentence = "6 of 9 fits failed: n=[1, 2]."
    text = printed(cell_line({**OK, "grid_failures": [sentence]}))
    assert [line.strip() for line in text.splitlines()] == [cell_line(OK), sentence]
    text = printed(cell_line({**OK, "grid_failures": [sentence, "3 of 9", "1 of 9"]}))
    assert text.strip().endswith("n=[1, 2]. Likewise in 2 other repeats.")
    text = printed(cell_line({**OK, "grid_failures": [sentence, "3 of 9"]}))
    assert text.strip().endswith("n=[1, 2]. Likewise in 1 other repeat.")


def test_progress__terminal__shows_a_bar_besides_the_lines(run_cells):
    text = run_cells([OK], total=3, terminal=True)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert cell_line(OK) in plain
    assert re.search(r"cells\s+.*1/3\s+elapsed 0:00:0\d\s+remaining", plain)


def test_progress__cells_up_to_date__are_counted(run_cells):
    assert "7 cells are up to date, 2 to compute." in run_cells([], total=2, up_to_date=7)
    assert run_cells([], total=3, up_to_date=1).startswith(
        "1 cell is up to date, 3 to compute. A cell is one model on one data set."
    )
    assert "up to date" not in run_cells([], total=2)


@pytest.mark.parametrize("terminal", [False, True])
def test_progress__nothing_to_compute__no_bar(run_cells, terminal):
    text = run_cells([], total=0, up_to_date=4, terminal=terminal)
    assert text.strip() == (
        "4 cells are up to date, 0 to compute. A cell is one model on one data set."
    )


def test_progress__cell_without_a_record__moves_the_bar_only(run_cells):
    text = run_cells([None, OK], total=2, terminal=True)
    assert "2/2" in text
    assert text.count("macro F1") == 1


def test_progress__error_inside__ends_the_bar_and_passes(run_cells, monkeypatch):
    ended = []
    monkeypatch.setattr("rich.progress.Progress.stop", lambda self: ended.append(self))
    with pytest.raises(RuntimeError, match="stop here"), RunProgress() as shown:
        raise RuntimeError("stop here")
    assert ended == [shown._bar]


@pytest.mark.parametrize(
    "error", ["ValueError: bad [abc] columns", "OSError: no file in [/data/x]"]
)
def test_cell_line__error_with_brackets__is_printed_as_it_is(error):
    assert error in printed(cell_line({**FAILED, "error": error}))


@pytest.mark.parametrize(
    ("unit", "shown"), [("rows", "3/8 rows elapsed 0:00:0"), ("bytes", "3/8 bytes elapsed")]
)
@pytest.mark.parametrize("terminal", [False, True])
def test_reading_progress__on_a_terminal_alone__how_far_it_is(monkeypatch, unit, shown, terminal):
    console = Console(
        file=io.StringIO(), force_terminal=terminal, force_interactive=terminal, width=120,
        color_system=None, _environ={},
    )  # fmt: skip
    monkeypatch.setattr(progress, "get_console", lambda: console)
    with ReadingProgress(8, unit) as bar:
        bar.reach(1)
        bar.reach(3)
        bar._bar.refresh()
    text = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue()).split())
    assert (shown in text) == terminal
    assert bool(text) == terminal
