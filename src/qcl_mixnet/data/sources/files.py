"""Tables in files: one that the user names, or one of a local folder of Parquet files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow.lib

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.names import Name
from qcl_mixnet.data.sources.base import TARGET, FetchContext, Source
from qcl_mixnet.data.sources.download import file_digest

LOCAL_FOLDER_VARIABLE = "QCL_MIXNET_DATA"
"""Environment variable that names a folder of ``<dataset>.parquet`` files."""

_PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})


class FileSource(Source):
    """A CSV or Parquet file by its path.

    Parameters
    ----------
    path : str
        Absolute, or relative to the project root; ``~`` is the user's home.
    format : {'csv', 'parquet'} or None
        None takes it from the suffix: ``.parquet`` and ``.pq`` are Parquet, all others CSV.
    separator : str
        What stands between the values of a CSV file.
    encoding : str
        Of a CSV file.
    target : str
        Name of the target column.
    """

    type: Literal["file"] = "file"
    path: str
    format: Literal["csv", "parquet"] | None = None
    separator: str = ","
    encoding: str = "utf-8"
    target: Name = TARGET

    def describe(self) -> str:
        """Name the file."""
        return f"file {self.path}"

    def remedy(self, context: FetchContext) -> str:
        """Say where the file should be."""
        return f"put the file at {self._location(context)} or correct `path` of the source"

    def fingerprint_fields(self, context: FetchContext) -> dict[str, Any]:
        """Add the file's checksum, so that an edited file is noticed."""
        fields = super().fingerprint_fields(context)
        return {**fields, "file_sha256": digest_if_there(self._location(context))}

    def _location(self, context: FetchContext) -> Path:
        return context.project_root / Path(self.path).expanduser()

    def _read(self, context: FetchContext) -> tuple[pd.DataFrame, str]:
        path = self._location(context)
        if not path.is_file():
            raise SourceUnavailableError(f"there is no file {path}")
        is_parquet = self.format == "parquet" or (
            self.format is None and path.suffix.lower() in _PARQUET_SUFFIXES
        )
        if is_parquet:
            return read_parquet(path), self.target
        frame = read_csv(
            path, separator=self.separator, encoding=self.encoding, text_column=self.target
        )
        return frame, self.target


def read_csv(
    path: Path,
    *,
    separator: str = ",",
    encoding: str = "utf-8",
    text_column: str | None = None,
) -> pd.DataFrame:
    """Read a CSV file with a line of column names.

    Parameters
    ----------
    path : Path
    separator, encoding : str
    text_column : str or None
        A column, such as a target, in which "None" and "NA" may be classes and "01" another than
        "1". Only nothing at all is missing there.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)

    Raises
    ------
    DataError
        If the file cannot be read as such a table, or names a column twice.
    """
    try:
        # Read apart, since pandas renames a repeated column without a word.
        header = pd.read_csv(
            path, sep=separator, encoding=encoding, header=None, nrows=1, dtype=object
        )
        frame = pd.read_csv(path, sep=separator, encoding=encoding)
        if text_column in frame.columns:
            as_written = pd.read_csv(
                path,
                sep=separator,
                encoding=encoding,
                usecols=[text_column],
                dtype=str,
                keep_default_na=False,
                na_values=[""],
            )[text_column]
            # Numbers stay numbers unless that loses a class: 1.0 is 1, but "01" and "1" are two.
            if as_written.nunique() != frame[text_column].nunique():
                frame[text_column] = as_written
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(
            f"the file {path} cannot be read as a CSV file with separator {separator!r} and "
            f"encoding {encoding} ({error}); correct the file, or `separator` and `encoding` of "
            "the source"
        ) from error
    names = header.iloc[0].dropna()
    repeated = names[names.duplicated()]
    if len(repeated):
        raise DataError(
            f"the file {path} has two columns named '{repeated.iloc[0]}'; rename or remove one"
        )
    return frame


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)
        With rows counted from 0 and without the attributes that its writer gave it.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    try:
        frame = pd.read_parquet(path)
    except (pyarrow.lib.ArrowException, ValueError, OSError) as error:
        raise DataError(
            f"the file {path} cannot be read as a Parquet file ({error}); write it again, or "
            "set `format` of the source to csv if it is one"
        ) from error
    frame.attrs = {}
    return frame.reset_index(drop=True)


def digest_if_there(path: Path) -> str | None:
    """The sha256 of a file, or None where there is none."""
    return file_digest(path) if path.is_file() else None


def local_file(dataset: str) -> Path | None:
    """The data set's file in the user's folder of Parquet files, if there is one.

    Parameters
    ----------
    dataset : str

    Returns
    -------
    Path or None
        None if ``QCL_MIXNET_DATA`` is not set or its folder has no ``<dataset>.parquet``.

    Raises
    ------
    DataError
        If the variable names no existing folder.
    """
    setting = os.environ.get(LOCAL_FOLDER_VARIABLE)
    if not setting:
        return None
    folder = Path(setting).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"the environment variable {LOCAL_FOLDER_VARIABLE} names '{setting}', which is no "
            "folder; correct it or unset it"
        )
    path = folder / f"{dataset}.parquet"
    return path if path.is_file() else None


def read_local_file(path: Path) -> pd.DataFrame:
    """Read a file of the user's folder as it is, with its target column last.

    Parameters
    ----------
    path : Path

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_features + 1)

    Raises
    ------
    DataError
        If the file cannot be read or has no column ``target``.
    """
    frame = read_parquet(path)
    if TARGET not in frame.columns:
        raise DataError(f"the file {path} has no column '{TARGET}'; name its target column so")
    return frame[[*frame.columns.drop(TARGET), TARGET]]
