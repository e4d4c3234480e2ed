"""Texts that stand for a missing value: in a file, among numbers and in place of a label."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from qcl_mixnet.data.errors import DataError

# What pandas.read_csv takes for a gap; it keeps its own list private.
COMMON_CODES = frozenset(
    {
        "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
        "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
    }
)  # fmt: skip

# Common codes in other spellings and those of R, SAS, Stata, Weka and spreadsheets. Such a label
# is refused with a way to keep it, so that one too many costs less than one too few. Neither
# "none" nor "Na" (sodium) is here: they are names of classes more often than gaps.
LABEL_CODES = COMMON_CODES | {
    "?", "-", "--", "---", ".", "..", "na", "n.a.", "N.A.", "NAN", "Nan", "Null", "N/a", "NaT",
    "#NULL!",
    "#VALUE!", "#REF!", "#DIV/0!", "#NAME?", "#NUM!",
}  # fmt: skip

# Among numbers these words are no categories; compared in small letters and without dots.
_WORDS = frozenset(
    {
        "na", "n/a", "nan", "-nan", "nat", "null", "nil", "none", "void", "missing", "unknown",
        "unk", "unspecified", "undefined", "empty", "blank", "not available", "not applicable",
        "not known", "no data", "nodata", "<na>", "nd", "n/d", "inapplicable", "#null!", "#value!",
        "#ref!", "#div/0!", "#name?", "#num!", "#na", "#n/a", "#n/a n/a",
    }
)  # fmt: skip

_MANY_NUMBERS = 20
"""Beyond so many different numbers a column is one of numbers, whatever its one text says."""


@dataclass(frozen=True)
class GapCodes:
    """Which texts are gaps in which column of a file, as its owner says.

    Parameters
    ----------
    told : tuple of str, mapping of str to tuple of str, or None
        Codes of all columns, or of those named. They join the common ones; no code at all, an
        empty tuple, means that an empty cell alone is a gap. None leaves it at the common ones.
    """

    told: tuple[str, ...] | Mapping[str, tuple[str, ...]] | None = None

    def of_feature(self, column: str) -> frozenset[str]:
        """Codes in a column of features, "" among them."""
        return self._codes(column, COMMON_CODES)

    def of_target(self, column: str) -> frozenset[str]:
        """Codes in the target, "" among them; more spellings are common there."""
        return self._codes(column, LABEL_CODES)

    def told_for(self, column: str) -> tuple[str, ...] | None:
        """What the owner says of a column; None for nothing."""
        return self.told.get(column) if isinstance(self.told, Mapping) else self.told

    def _codes(self, column: str, common: frozenset[str]) -> frozenset[str]:
        told = self.told_for(column)
        if told is None:
            return common
        return common.union(told) if told else frozenset({""})


def is_code(values: pd.Series, codes: Collection[str]) -> np.ndarray:
    """Mark the values that are one of some codes: as text without spaces around it, or as number.

    Parameters
    ----------
    values : pandas.Series of shape (n_rows,)
        Of any type.
    codes : collection of str
        "-999" means the number in any spelling, such as -999.0.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        False where nothing stands.
    """
    numbers = {_number(code) for code in codes} - {None}
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.isin(numbers).to_numpy(dtype=bool)
    found = {
        value
        for value in _distinct(values)
        if str(value).strip() in codes or _number(value) in numbers
    }
    if not found:
        return np.zeros(len(values), dtype=bool)
    return np.array([isinstance(value, Hashable) and value in found for value in values])


def refuse_label_codes(target: pd.Series, codes: Collection[str], where: str) -> None:
    """Refuse a target in which a code stands for labels that nobody knows.

    Parameters
    ----------
    target : pandas.Series of shape (n_rows,)
        Labels as they were written.
    codes : collection of str
    where : str
        The file, for messages.

    Raises
    ------
    DataError
        If a label is a code; a minus beside a plus is a class.
    """
    codes = set(codes) - {""}
    if is_code(target, {"+"}).any():
        codes.discard("-")
    coded = is_code(target, codes)
    if coded.any():
        first = int(coded.argmax())
        count = int(coded.sum())
        raise DataError(
            f"the target '{target.name}' of {where} is '{str(target.iloc[first]).strip()}' in "
            f"{count} row{'s' if count > 1 else ''}, first in row {first} (from 0), which stands "
            "for a missing label; remove the rows or fill in their labels, or, where it is a "
            f"class, set `na_values: {{{target.name}: []}}` of its `file` source"
        )


def codes_among_numbers(column: pd.Series) -> list[str]:
    """The codes of a column that holds numbers and otherwise nothing but codes.

    Parameters
    ----------
    column : pandas.Series of shape (n_rows,)
        Of text or of mixed objects.

    Returns
    -------
    list of str
        In order of appearance; empty if the column has none, has no numbers, or has other texts
        as well. A single text of another kind is a code only beside many different numbers.
    """
    distinct = pd.Series(_distinct(column), dtype=object)
    numbers = pd.to_numeric(distinct, errors="coerce")
    texts = [str(value) for value in distinct[numbers.isna()]]
    if not texts or numbers.isna().all():
        return []
    if all(is_gap_like(text) for text in texts):
        return texts
    alone = len(texts) == 1 and not any(letter.isdigit() for letter in texts[0])
    return texts if alone and numbers.nunique() > _MANY_NUMBERS else []


def is_gap_like(text: str) -> bool:
    """Whether a text is nothing, punctuation, or a word that says that a value is missing."""
    bare = text.strip().lower()
    is_word = bare in _WORDS or bare.replace(".", "") in _WORDS
    return is_word or not any(letter.isalnum() for letter in bare)


def _distinct(column: pd.Series) -> list[Hashable]:
    """Different values that are there, in order of appearance; lists and the like are none."""
    present = column[column.notna()].astype(object)
    return list(dict.fromkeys(value for value in present if isinstance(value, Hashable)))


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if np.isfinite(number) else None
