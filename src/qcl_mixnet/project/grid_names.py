"""Names of data sets and models as texts, whatever YAML or `--params` made of them."""

from collections.abc import Mapping
from typing import Any

from qcl_mixnet.data.names import as_texts, meant

SECTIONS = ("datasets", "models")


def names_of(value: Any) -> Any:
    """Read `a+b` as a list: `--params` splits at commas. One name alone is a list, too."""
    if value is None or isinstance(value, Mapping):
        return value
    values = as_texts(value.split("+") if isinstance(value, str) else value)
    return list(values)


def with_names_as_text(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters with names of entries, and of the grid, as texts.

    `2020` is `"2020"`, and `1e5` in the grid is the entry `"1e5"`. What cannot be read so
    is left as it is, for the check that tells it.
    """
    changed = dict(parameters)
    for section in SECTIONS:
        entries = parameters.get(section)
        if not isinstance(entries, Mapping):
            continue
        texts = {_key(name): fields for name, fields in entries.items()}
        if len(texts) == len(entries):  # else a name stands twice
            changed[section] = texts
        grid = changed.get("grid")
        if isinstance(grid, Mapping) and isinstance(names := names_of(grid.get(section)), list):
            known = [str(name) for name in entries]
            meant_names = [meant(n, known) if isinstance(n, str) else n for n in names]
            changed["grid"] = {**grid, section: meant_names}
    return changed


def _key(name: object) -> object:
    return str(name) if isinstance(name, int) and not isinstance(name, bool) else name
