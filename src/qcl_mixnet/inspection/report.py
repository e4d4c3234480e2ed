"""What a user should know of a table before a model is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from qcl_mixnet.inspection.duplicates import Duplicates, Split, count_duplicates
from qcl_mixnet.inspection.leaks import (
    FEWEST_ROWS,
    LeakSuspect,
    find_leaks,
    find_sorted,
    find_telling_gaps,
    score_columns,
)
from qcl_mixnet.inspection.readings import TableReadings
from qcl_mixnet.writing import strict_json

_SHOWN = 8
_RARE = 3
"""A class is rare that has so many times fewer rows than the largest."""


@dataclass(frozen=True)
class DataReport:
    """A table in figures, and what in them is suspicious.

    Parameters
    ----------
    rows, features : int
        Of the table.
    classes : pandas.DataFrame of shape (n_classes, 3)
        `label`, `rows` and `share`, the largest first.
    gaps : pandas.DataFrame of shape (n_features_with_gaps, 3)
        `column`, `gaps` and `share`, the most first.
    constant : tuple of str
        Columns with the same value, or none, in all rows.
    duplicates : Duplicates
    scores : pandas.DataFrame of shape (n_features, n_classes)
        ROC AUC of each column alone, by class.
    leaks : tuple of LeakSuspect
    is_sorted : bool
        Whether the rows stand in the order of their classes.
    """

    rows: int
    features: int
    classes: pd.DataFrame
    gaps: pd.DataFrame
    constant: tuple[str, ...]
    duplicates: Duplicates
    scores: pd.DataFrame
    leaks: tuple[LeakSuspect, ...]
    is_sorted: bool

    def to_dict(self) -> dict[str, Any]:
        """The report as values that JSON has.

        Returns
        -------
        dict
            `scores` by column and class; numbers that are not finite are None.
        """
        return strict_json(
            {
                "rows": self.rows,
                "features": self.features,
                "classes": self.classes.to_dict("records"),
                "gaps": self.gaps.to_dict("records"),
                "constant": list(self.constant),
                "duplicates": asdict(self.duplicates)
                | {"share_across": self.duplicates.share_across},
                "scores": {str(name): row.to_dict() for name, row in self.scores.iterrows()},
                "leaks": [asdict(leak) for leak in self.leaks],
                "is_sorted": self.is_sorted,
            }
        )

    def to_text(self) -> str:
        """The report in plain sentences, of a length for one screen.

        Returns
        -------
        str
        """
        parts = [
            f"{_count(self.rows, 'row')}, {_count(self.features, 'column')} to learn from",
            *self._class_lines(),
            *self._gap_lines(),
        ]
        if self.constant:
            parts.append(f"Constant: {_listed([repr(name) for name in self.constant])}.")
        parts += self._duplicate_lines()
        if self.is_sorted:
            parts.append("The rows stand in the order of their classes; splits must shuffle them.")
        if self.leaks:
            parts.append(
                "Suspected leaks (leave out with --as COLUMN=excluded what is known only after "
                "the outcome):"
            )
            parts += [f"  {leak.words}." for leak in self.leaks[:_SHOWN]]
            if len(self.leaks) > _SHOWN:
                parts.append(f"  ... and {len(self.leaks) - _SHOWN} more.")
        else:
            parts.append("No column alone gives the target away.")
        return "\n".join(parts)

    def _class_lines(self) -> list[str]:
        shown = self.classes if len(self.classes) <= _SHOWN else self.classes.head(_SHOWN - 1)
        width = max(len(str(label)) for label in shown["label"])
        lines = [
            f"  {label!s:<{width}}  {_count(rows, 'row'):>12}  {share:6.1%}"
            for label, rows, share in shown.itertuples(index=False)
        ]
        if len(shown) < len(self.classes):
            lines.append(f"  ... and {len(self.classes) - len(shown)} smaller classes")
        rare = self.classes.iloc[-1]
        ratio = self.classes["rows"].iloc[0] / rare["rows"]
        if ratio >= _RARE:
            lines.append(
                f"The rarest class is '{rare['label']}' with {_count(int(rare['rows']), 'row')}; "
                f"the largest has {ratio:,.0f} times as many."
            )
        return lines

    def _gap_lines(self) -> list[str]:
        if not len(self.gaps):
            return ["No gaps."]
        named = [f"'{name}' {share:.1%}" for name, _, share in self.gaps.itertuples(index=False)]
        return [f"Gaps in {_count(len(named), 'column')}: {_listed(named)}."]

    def _duplicate_lines(self) -> list[str]:
        found = self.duplicates
        if not found.rows:
            return ["No two rows are alike."]
        kind = "given" if found.splits_are_own else "random"
        lines = [
            f"{_count(found.rows, 'row')} have a twin with the same features "
            f"({_count(found.repeated, 'row')} could go)."
        ]
        if found.tested:
            lines.append(
                f"In {found.splits} {kind} splits {found.share_across:.1%} of the test rows "
                "have their twin among the training rows."
            )
        if found.contradicting:
            lines.append(
                f"{_count(found.contradicting, 'row')} of these have a twin of another class, "
                "which no model can tell apart."
            )
        return lines


def inspect_table(
    X: pd.DataFrame,
    y: pd.Series,
    *,
    readings: TableReadings | None = None,
    table: pd.DataFrame | None = None,
    splits: Sequence[Split] | None = None,
    random_state: int = 0,
) -> DataReport:
    """Look through a table for what spoils or flatters a model.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_rows, n_features)
        As `apply_readings` gives it.
    y : pandas.Series of shape (n_rows,)
        Labels without gaps.
    readings : TableReadings or None
        What `X` and `y` were made with: it names the constant columns that were left out.
    table : pandas.DataFrame of shape (n_all_rows, n_columns) or None
        What `X` and `y` were made of: its identifiers may be sorted by class.
    splits : sequence of (train, test) or None
        Positions of the rows on both sides of the splits that will be used; None: five random
        folds stand for them.
    random_state : int

    Returns
    -------
    DataReport

    Raises
    ------
    ValueError
        If features and labels are of different length, or a label is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from qcl_mixnet.inspection.report import inspect_table
    >>> X = pd.DataFrame({"a": [1.0, 1.0, 2.0, 3.0, 4.0, 5.0], "b": [0, 0, 1, 1, 0, 1]})
    >>> report = inspect_table(X, pd.Series(["no", "no", "no", "yes", "yes", "no"]))
    >>> report.duplicates.rows
    2
    """
    if len(X) != len(y):
        raise ValueError(f"X has {len(X)} rows, and y has {len(y)} labels; give as many of each")
    if y.isna().any():
        raise ValueError(f"y has {int(y.isna().sum())} gaps; leave the rows without a label out")
    X, y = X.reset_index(drop=True), y.reset_index(drop=True)
    scores = score_columns(X, y, random_state=random_state)
    counts = y.value_counts()
    frequent = {str(label) for label in counts.index[counts >= FEWEST_ROWS]}
    leaks = [*find_leaks(scores, frequent=frequent), *find_telling_gaps(X, y)]
    if readings is not None and table is not None:
        labelled = table[table[readings.target].notna()].reset_index(drop=True)
        named = [column.name for column in readings.columns if column.kind == "identifier"]
        leaks += find_sorted((labelled[name] for name in named), y)
    constant = [str(name) for name, column in X.items() if column.nunique(dropna=False) <= 1]
    if readings is not None:
        constant += [column.name for column in readings.columns if column.kind == "constant"]
    order = pd.Series(np.arange(len(y)), name="row")
    return DataReport(
        rows=len(X),
        features=X.shape[1],
        classes=_classes(y),
        gaps=_gaps(X),
        constant=tuple(constant),
        duplicates=count_duplicates(X, y, splits=splits, random_state=random_state),
        scores=scores,
        leaks=tuple(leaks),
        is_sorted=bool(find_sorted([order], y)),
    )


def _classes(y: pd.Series) -> pd.DataFrame:
    counts = y.value_counts()
    return pd.DataFrame(
        {
            "label": [str(label) for label in counts.index],
            "rows": counts.to_numpy(dtype=int),
            "share": counts.to_numpy() / len(y),
        }
    )


def _gaps(X: pd.DataFrame) -> pd.DataFrame:
    gaps = X.isna().sum()
    gaps = gaps[gaps > 0].sort_values(ascending=False, kind="stable")
    return pd.DataFrame(
        {
            "column": [str(name) for name in gaps.index],
            "gaps": gaps.to_numpy(dtype=int),
            "share": gaps.to_numpy() / max(len(X), 1),
        }
    )


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" + ("" if n == 1 else "s")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
