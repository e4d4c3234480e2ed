"""What to say of a name that nobody knows: the nearest known one, or all of them."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Give ` (did you mean 'glass'?)`, or nothing where no known name is near.

    Capitals do not count: `Glass` means `glass`.
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f" (did you mean '{by_lower[close[0]]}'?)" if close else ""


def listed(known: Iterable[str], most: int = 30) -> str:
    """Give names in order, separated by commas, and of very many the first."""
    names = sorted(known)
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
