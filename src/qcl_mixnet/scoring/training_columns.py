"""Which columns of a new table are those that a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.preprocessing.input_columns import input_columns
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.preprocessing.tables import quoted

ColumnOrder = Literal["reorder", "strict"]
ExtraColumns = Literal["ignore", "refuse"]


@dataclass(frozen=True)
class ColumnRules:
    """What a table may do differently from the training table.

    Parameters
    ----------
    ids : tuple of str
        Columns that are passed through. They are not extra, and may be features, too.
    order : {"reorder", "strict"}
        Find features by name in any order, or refuse another order than that of training.
    extra : {"ignore", "refuse"}
        What becomes of columns that are neither features nor ids.
    """

    ids: tuple[str, ...] = ()
    order: ColumnOrder = "reorder"
    extra: ExtraColumns = "ignore"


@dataclass(frozen=True)
class TrainingColumns:
    """The columns that a model was trained on, in their order.

    Parameters
    ----------
    names : tuple of str or None
        None where the training table's columns had no names that are all text.
    levels : tuple of (frozenset of str or None), one for each column
        Levels of a categorical column; None for any other.
    zoned : tuple of (bool or None), one for each column
        Whether the times of a column of dates have a time zone; None for any other column.
    """

    names: tuple[str, ...] | None
    levels: tuple[frozenset[str] | None, ...]
    zoned: tuple[bool | None, ...]

    @classmethod
    def of(cls, preprocessor: TablePreprocessor) -> Self:
        """Those of a fitted preprocessor."""
        names = getattr(preprocessor, "feature_names_in_", None)
        columns = input_columns(preprocessor)
        return cls(
            None if names is None else tuple(map(str, names)),
            tuple(one.levels if one.kind == "categories" else None for one in columns),
            tuple(one.zoned if one.kind == "dates" else None for one in columns),
        )

    def labels(self) -> pd.Index:
        """Labels of the columns of a table that the model takes without a warning."""
        n = len(self.levels)
        return pd.Index(range(n) if self.names is None else self.names)

    def select(
        self, found: Sequence[str], rules: ColumnRules, where: object
    ) -> tuple[list[str], list[str]]:
        """Choose the features among a table's columns.

        Parameters
        ----------
        found : sequence of str
            Names of the table's columns.
        rules : ColumnRules
        where : object
            The table, for messages.

        Returns
        -------
        features : list of str
            Names of the table's columns in the order of training.
        ignored : list of str
            Names of the columns that are neither features nor ids.

        Raises
        ------
        DataError
            For a name that stands twice, a missing column and, as `rules` say, for extra ones and
            for another order.
        """
        names = pd.Index(found)
        if not names.is_unique:
            repeated = names[names.duplicated()].unique()
            raise DataError(
                f"{where} has two columns named {quoted(repeated)}; rename or remove one."
            )
        if missing := [name for name in rules.ids if name not in found]:
            raise DataError(
                f"{where} has no column {quoted(missing)}, which id_columns name; it has "
                f"{quoted(found, limit=10)}."
            )
        if self.names is None:
            return self._by_position(found, rules, where), []
        return self._by_name(self.names, found, rules, where)

    def _by_position(self, found: Sequence[str], rules: ColumnRules, where: object) -> list[str]:
        features = [name for name in found if name not in rules.ids]
        if len(features) != len(self.levels):
            raise DataError(
                f"{where} has {len(features)} columns beside id_columns, and the model, whose "
                f"training table had no column names, takes exactly {len(self.levels)} by "
                f"position; it has {quoted(found, limit=10)}."
            )
        return features

    def _by_name(
        self, names: tuple[str, ...], found: Sequence[str], rules: ColumnRules, where: object
    ) -> tuple[list[str], list[str]]:
        present = set(found)
        if missing := [name for name in names if name not in present]:
            raise DataError(
                f"{where} has no column {quoted(missing)}, which the model was trained on; add "
                f"it, with gaps where nothing is known."
            )
        wanted = set(names)
        ignored = [name for name in found if name not in wanted.union(rules.ids)]
        if ignored and rules.extra == "refuse":
            raise DataError(
                f"{where} has the column {quoted(ignored)}, which the model was not trained on; "
                f"remove it, name it in id_columns, or set extra_columns to ignore."
            )
        as_found = [name for name in found if name in wanted]
        if rules.order == "strict" and as_found != list(names):
            first = next(i for i, name in enumerate(names) if name != as_found[i])
            raise DataError(
                f"{where} has its columns in another order than the training table: "
                f"{as_found[first]!r} stands where {names[first]!r} should; reorder them, or set "
                f"column_order to reorder."
            )
        return list(names), ignored
