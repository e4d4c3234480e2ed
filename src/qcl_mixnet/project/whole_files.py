"""Kedro's datasets of one file, replaced as a whole: a reader never meets an empty or half file."""

import copy
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import DatasetError
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset
from kedro_datasets.text import TextDataset
from kedro_datasets.yaml import YAMLDataset

from qcl_mixnet.writing import write_atomically


class ReplacedWhole:
    """Lets a dataset of Kedro's fill a temporary file and moves it to its place.

    For local files without versions; all others are written as Kedro does.
    """

    _filepath: PurePosixPath
    _protocol: str
    _version: Any

    def load(self) -> Any:
        """Read the file.

        Raises
        ------
        DatasetError
            When there is none; other errors are those of the dataset of Kedro's.
        """
        if self._protocol == "file" and self._version is None:
            path = Path(self._filepath)
            if not path.exists():
                raise DatasetError(
                    f"There is no {path}; run the pipeline that makes it first, with the same "
                    f"parameters, or both at once, such as --pipelines=full,publish."
                )
        return super().load()  # type: ignore[misc]

    def save(self, data: Any) -> None:
        """Replace the file."""
        if self._protocol != "file" or self._version is not None:
            super().save(data)  # type: ignore[misc]
            return

        def fill(part: Path) -> None:
            twin = copy.copy(self)
            twin._filepath = PurePosixPath(part.as_posix())
            super(ReplacedWhole, twin).save(data)  # type: ignore[misc]

        write_atomically(Path(self._filepath), fill)


class WholeCSVDataset(ReplacedWhole, CSVDataset):
    """A table as CSV; parameters as for `kedro_datasets.pandas.CSVDataset`."""


class WholeJSONDataset(ReplacedWhole, JSONDataset):
    """A JSON file; parameters as for `kedro_datasets.json.JSONDataset`."""


class WholeTextDataset(ReplacedWhole, TextDataset):
    """A text; parameters as for `kedro_datasets.text.TextDataset`."""


class WholeYAMLDataset(ReplacedWhole, YAMLDataset):
    """A YAML file; parameters as for `kedro_datasets.yaml.YAMLDataset`."""
