"""Names in YAML: `2020`, `1e5` and `yes` are names, too, where a name is meant.

YAML reads such words as numbers and truth values. Where a name is expected, the value stands for
the word that was written, as far as that can be known.
"""

from collections.abc import Collection
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

_TRUTH = {
    "True": {"true", "yes", "on"},
    "False": {"false", "no", "off"},
}


def as_text(value: Any) -> Any:
    """Write a scalar as the text that names it; leave texts and all else as they are.

    Parameters
    ----------
    value : object
        As YAML, or a Python program, gives it.

    Returns
    -------
    str or object
        `2020` as `"2020"`, a date in ISO form; None and collections as they are.
    """
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, bool | int | float) else value


def as_texts(value: Any) -> Any:
    """Write one name, or each of several, as text.

    Parameters
    ----------
    value : object

    Returns
    -------
    tuple of str, or object
        None as it is.
    """
    if value is None:
        return None
    values = value if isinstance(value, list | tuple) else [value]
    return tuple("null" if item is None else as_text(item) for item in values)


Name = Annotated[str, BeforeValidator(as_text)]
"""A text, of which YAML may have made a number, a truth value or a date."""

Names = Annotated[tuple[str, ...], BeforeValidator(as_texts)]
"""Several of these; one alone is as good as a list of one."""


def meant(name: str, known: Collection[str]) -> str:
    """Find the known name that a text stands for.

    Parameters
    ----------
    name : str
        A name as `as_text` gives it: `True` where `yes` was written.
    known : collection of str

    Returns
    -------
    str
        `name` itself if it is known, or if no known name, or more than one, reads like it in YAML.
    """
    if name in known:
        return name
    alike = [candidate for candidate in known if _reads_as(candidate, name)]
    return alike[0] if len(alike) == 1 else name


def _reads_as(candidate: str, name: str) -> bool:
    """Whether YAML would read `candidate` as the value that `name` was made of."""
    if name in _TRUTH:
        return candidate.lower() in _TRUTH[name]
    try:
        return float(candidate) == float(name)
    except ValueError:
        return False
