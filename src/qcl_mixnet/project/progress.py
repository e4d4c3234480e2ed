"""What the user sees while cells are computed."""

from types import TracebackType
from typing import Any, Literal, Self

from rich import get_console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from qcl_mixnet.evaluation.wording import count


class RunProgress:
    """A bar over the cells to compute, and one line per finished cell.

    Both go to rich's global console, which Kedro's log handler shares, so that log lines and the
    bar do not overwrite one another. Without a terminal, in a file or a pipe, there is no bar:
    there each line begins with its number of all, as in "[3/24]", and stays one line, and there is
    a line for every cell that is begun.
    """

    def __init__(self) -> None:
        self.console = get_console()
        self._bar = Progress(
            TextColumn("[bold]cells"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("remaining"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        self._task = self._bar.add_task("cells", total=None, start=False, visible=False)
        self._total = self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def start(self, total: int, up_to_date: int) -> None:
        """Say how much there is to do and, when there is something, show the bar."""
        self._total = total
        if up_to_date:
            verb = "is" if up_to_date == 1 else "are"
            self.console.print(
                f"{count(up_to_date, 'cell')} {verb} up to date, {total} to compute. A cell is one "
                "model on one data set.",
                highlight=False,
            )
        if total:
            self._bar.start()
            self._bar.update(self._task, total=total, visible=True)
            self._bar.start_task(self._task)

    @property
    def _has_bar(self) -> bool:
        return self.console.is_terminal and not self.console.is_dumb_terminal

    def begin(self, dataset: str, model: str) -> None:
        """Say, where there is no bar, that a cell is being computed: it may take hours."""
        if not self._has_bar:
            line = f"{' ' * len(self._counter())} {dataset:<28} {model:<24} running"
            self.console.print(escape(line), highlight=False, soft_wrap=True)

    def finish(self, record: dict[str, Any] | None) -> None:
        """Print the line of a finished cell and move the bar."""
        self._done += 1
        if record is not None:
            number = "" if self._has_bar else f"{escape(self._counter())} "
            line = f"{number}{cell_line(record)}"
            self.console.print(line, highlight=False, soft_wrap=not self._has_bar)
        self._bar.advance(self._task)

    def _counter(self) -> str:
        """Write how many cells are done, all counters of a run equally wide."""
        width = len(str(self._total))
        return f"[{self._done:{width}}/{self._total}]"


class ReadingProgress:
    """A bar over a file that is read; nothing without a terminal.

    Parameters
    ----------
    size : int
        How much there is to read.
    unit : {"rows", "bytes"}
        What it is counted in.
    """

    def __init__(self, size: int, unit: Literal["rows", "bytes"]):
        counted = MofNCompleteColumn() if unit == "rows" else DownloadColumn()
        self._bar = Progress(
            TextColumn("[bold]scoring"),
            BarColumn(),
            counted,
            TextColumn(unit if unit == "rows" else ""),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("remaining"),
            TimeRemainingColumn(),
            console=get_console(),
            transient=True,
        )
        self._task = self._bar.add_task("scoring", total=size)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def reach(self, done: int) -> None:
        """Move the bar to what has been read so far."""
        self._bar.update(self._task, completed=done)


def cell_line(record: dict[str, Any]) -> str:
    """One line: data set, model, macro F1 (or the error), seconds.

    Below it, a line on fits of the model's grid search that failed: they had no part in the choice.
    """
    head = escape(f"{record['dataset']:<28} {record['label']:<24}")
    if record["status"] == "failed":
        error = " ".join(record["error"].split())  # many a message has several lines
        outcome = f"[red]failed[/red] {escape(error)}"
    else:
        mark = "*" if record["test_selected"] else " "
        outcome = f"macro F1 {record['metrics']['macro_f1']:.3f}{mark}"
    line = f"{head} {outcome}  {record['seconds']:6.1f} s"
    failures = record["grid_failures"]
    if failures:
        more = f" Likewise in {count(len(failures) - 1, 'other repeat')}." if failures[1:] else ""
        line += f"\n    [yellow]{escape(failures[0] + more)}[/yellow]"
    return line
