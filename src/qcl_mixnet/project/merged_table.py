"""A table that grows from run to run: saving it replaces the rows of what is saved, no others."""

from __future__ import annotations

from typing import Any

import pandas as pd
from kedro.io import DatasetError

from qcl_mixnet.project.report_datasets import ResultTableDataset


class MergedTableDataset(ResultTableDataset):
    """A CSV of named things with any number of rows each, sorted by their names.

    Saving a table takes the rows of its things out of the file and puts the new ones in. Whether
    runs follow one another in this order or that, equal rows make an equal file.

    Parameters
    ----------
    filepath : str
        Where the CSV is.
    keys : list of str
        Columns that name a thing.
    names : list of str
        Columns of texts, as for `ResultTableDataset`.
    same : list of str, optional
        Columns that must have one value in the whole file: a table of another value is refused.
    sort_by : list of str, optional
        Columns by which the rows of a thing are sorted.
    metadata : dict, optional
        For plugins such as Kedro-Viz.

    Examples
    --------
    In the catalog:

        collected_cells:
          type: qcl_mixnet.project.merged_table.MergedTableDataset
          filepath: docs/results/suite/cells.csv
          keys: [dataset, model]
          names: [dataset, model, label]
    """

    def __init__(
        self,
        *,
        filepath: str,
        keys: list[str],
        names: list[str],
        same: list[str] | None = None,
        sort_by: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        super().__init__(filepath=filepath, names=names, metadata=metadata)
        self.keys, self.same, self.sort_by = keys, same or [], sort_by or []

    def save(self, data: pd.DataFrame) -> None:
        """Put the rows in.

        Raises
        ------
        DatasetError
            When a column of `same` would have two values; the file is left as it was.
        """
        if self.path.exists():
            kept = self.load()
            self._check_same(kept, data)
            named = pd.MultiIndex.from_frame(data[self.keys])
            kept = kept[~pd.MultiIndex.from_frame(kept[self.keys]).isin(named)]
            data = pd.concat([kept, data], ignore_index=True) if len(kept) else data
        super().save(data.sort_values([*self.keys, *self.sort_by], ignore_index=True))

    def _check_same(self, kept: pd.DataFrame, new: pd.DataFrame) -> None:
        for column in self.same:
            values = sorted({*kept[column].astype("str"), *new[column].astype("str")})
            if len(values) > 1:
                raise DatasetError(
                    f"{self.path} holds results of {column} {kept[column].iloc[0]}, and those of "
                    f"this run have {new[column].iloc[0]}: they cannot be compared; publish them "
                    f"under another name, with --params=publish.name=..."
                )
