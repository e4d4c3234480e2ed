"""CSV files from Kaggle, which the user downloads after accepting Kaggle's terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from qcl_mixnet.data.errors import SourceUnavailableError
from qcl_mixnet.data.limits import check_limit, size_of
from qcl_mixnet.data.names import Name
from qcl_mixnet.data.sources.base import TARGET, FetchContext, Source
from qcl_mixnet.data.sources.delimited import read_csv
from qcl_mixnet.data.sources.index_columns import without_index
from qcl_mixnet.data.sources.opening import digest_if_there, open_local


class KaggleCsvSource(Source):
    """A CSV file of a Kaggle data set, put in place by hand.

    Kaggle gives its files to signed-in users only. The file is looked for at
    `<downloads>/kaggle/<filename>`.

    Parameters
    ----------
    slug : str
        Owner and name, as in `https://www.kaggle.com/datasets/<slug>`.
    filename : str
        Name of the file, without a folder.
    target : str
        Name of the target column.
    """

    type: Literal["kaggle_csv"] = "kaggle_csv"
    slug: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    filename: str = Field(pattern=r"^[^/\\]+$")
    target: Name = TARGET

    @property
    def page(self) -> str:
        """Address of the data set's page."""
        return f"https://www.kaggle.com/datasets/{self.slug}"

    def describe(self) -> str:
        """Name the file and its page."""
        return f"Kaggle {self.slug}, {self.filename}"

    def remedy(self, context: FetchContext) -> str:
        """Say from where to where the file has to be brought."""
        return f"download {self.filename} from {self.page} and put it at {self._location(context)}"

    def fingerprint_fields(self, context: FetchContext) -> dict[str, Any]:
        """Add the file's checksum, so that another version of it is noticed."""
        fields = super().fingerprint_fields(context)
        return {**fields, "file_sha256": digest_if_there(self._location(context))}

    def _location(self, context: FetchContext) -> Path:
        return context.downloads / "kaggle" / self.filename

    def _read(self, context: FetchContext) -> tuple[pd.DataFrame, str]:
        path = self._location(context)
        if not path.is_file():
            raise SourceUnavailableError(f"there is no file {path} (it comes from {self.page})")
        where = f"the file {path} of data set '{context.dataset}'"
        with open_local(path) as stream:
            check_limit("unpacked_bytes", size_of(stream), where, "bytes")
            frame = read_csv(stream, where, target=self.target)
        used = {self.target, *self.drop}
        frame = without_index(frame, None, used=used, where=where, has_option=False)
        return frame, self.target
