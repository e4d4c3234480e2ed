"""Kedro datasets of what is read by people: one entry in the DAG for all formats of a thing."""

import os
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from kedro_datasets._typing import TablePreview
from kedro_datasets.matplotlib import MatplotlibDataset
from matplotlib.figure import Figure
from pandas.errors import EmptyDataError

from qcl_mixnet.project.whole_files import ReplacedWhole, WholeCSVDataset, WholeTextDataset
from qcl_mixnet.reporting.page.pictures import DrawnFigure
from qcl_mixnet.reporting.rendering import Table
from qcl_mixnet.writing import write_atomically

PREVIEW_ROWS, PREVIEW_DECIMALS = 24, 4


class PictureDataset(ReplacedWhole, MatplotlibDataset):
    """A figure as PNG.

    Parameters
    ----------
    filepath : str
        Where it is.
    dpi : int, default=150
        Its dots per inch.
    metadata : dict, optional
        For plugins such as Kedro-Viz.
    """

    def __init__(self, *, filepath: str, dpi: int = 150, metadata: dict[str, Any] | None = None):
        super().__init__(filepath=filepath, save_args={"dpi": dpi}, metadata=metadata)
        self.paths = [Path(filepath)]


class FigureDataset(PictureDataset):
    """A figure as PNG, which previews show, and as SVG beside it.

    Equal figures are equal files. Loading gives both as they are written.

    Parameters
    ----------
    filepath : str
        Where the PNG is.
    dpi : int, default=150
        Its dots per inch.
    metadata : dict, optional
        For plugins such as Kedro-Viz.

    Examples
    --------
    In the catalog:

        critical_difference:
          type: qcl_mixnet.project.report_datasets.FigureDataset
          filepath: data/08_reporting/figures/critical_difference.png
    """

    def __init__(self, *, filepath: str, dpi: int = 150, metadata: dict[str, Any] | None = None):
        super().__init__(filepath=filepath, dpi=dpi, metadata=metadata)
        self.paths = [Path(filepath), Path(filepath).with_suffix(".svg")]

    def save(self, data: Figure) -> None:
        """Write both files."""
        super().save(data)
        # An SVG's identifiers are random without a salt, and it is dated.
        with matplotlib.rc_context({"svg.hashsalt": "qcl-mixnet"}):
            write_atomically(
                self.paths[1], partial(data.savefig, format="svg", metadata={"Date": None})
            )

    def load(self) -> DrawnFigure:
        """Read both files."""
        return DrawnFigure(*(path.read_bytes() for path in self.paths))


class ResultTableDataset(WholeCSVDataset):
    """A long table as CSV whose columns of names are read as they were written.

    A name may be "2020", "NA" or "null", which pandas would take for something else. A table
    without rows and columns is read as such.

    Parameters
    ----------
    filepath : str
        Where the CSV is.
    names : list of str
        Columns of names and other texts, or patterns such as `version_*`; those that the table
        lacks do not matter.
    metadata : dict, optional
        For plugins such as Kedro-Viz.
    """

    def __init__(self, *, filepath: str, names: list[str], metadata: dict[str, Any] | None = None):
        super().__init__(filepath=filepath, save_args={"index": False}, metadata=metadata)
        self.path = Path(filepath)
        self.names = names

    def load(self) -> pd.DataFrame:
        """Read the table."""
        try:
            columns = pd.read_csv(self.path, nrows=0).columns
        except EmptyDataError:
            return pd.DataFrame()
        is_name = {c: any(fnmatchcase(c, pattern) for pattern in self.names) for c in columns}
        return pd.read_csv(
            self.path,
            dtype={column: str for column in columns if is_name[column]},
            keep_default_na=False,
            na_values={column: [""] for column in columns if not is_name[column]},
        )

    def preview(self, nrows: int = PREVIEW_ROWS) -> TablePreview:
        """Give Kedro-Viz the first rows."""
        return _preview(self.load(), nrows)


class PageDataset(WholeTextDataset):
    """A page for a browser.

    Parameters
    ----------
    filepath : str
        Where the page is.
    metadata : dict, optional
        For plugins such as Kedro-Viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        super().__init__(filepath=filepath, metadata=metadata)
        self.paths = [Path(filepath)]


class ReportTableDataset(WholeCSVDataset):
    """A table as CSV, which programs read and previews show, and as Markdown and LaTeX beside it.

    Parameters
    ----------
    filepath : str
        Where the CSV is.
    metadata : dict, optional
        For plugins such as Kedro-Viz.
    """

    def __init__(self, *, filepath: str | os.PathLike[str], metadata: dict[str, Any] | None = None):
        super().__init__(filepath=filepath, save_args={"index": False}, metadata=metadata)
        self.paths = [Path(filepath).with_suffix(suffix) for suffix in (".csv", ".md", ".tex")]

    def load(self) -> pd.DataFrame:
        """Read the machine-readable table."""
        return super().load()

    def save(self, data: Table) -> None:
        """Write all three files."""
        super().save(data.frame)
        for path, text in zip(self.paths[1:], (data.to_markdown(), data.to_latex()), strict=True):
            write_atomically(path, partial(_write, text=text))

    def preview(self, nrows: int = PREVIEW_ROWS) -> TablePreview:
        """Give Kedro-Viz the first rows or, of a table without any, its sentence that says why."""
        frame = self.load()
        if frame.empty:
            *_, note = self.paths[1].read_text(encoding="utf-8").strip().splitlines()
            frame = pd.DataFrame({"This table is empty": [note]})
        return _preview(frame, nrows)


def _preview(frame: pd.DataFrame, nrows: int) -> TablePreview:
    return TablePreview(frame.head(nrows).round(PREVIEW_DECIMALS).to_dict(orient="split"))


def _write(path: Path, *, text: str) -> None:
    path.write_text(text, encoding="utf-8")
