"""Names of data sets and models as texts, whatever YAML or `--params` made of them."""

from collections.abc import Mapping
from typing import Any

from qcl_mixnet.data.names import as_texts, meant

SECTIONS = ("datasets", "models")
# Ends the name under which a tunable model runs with a tuned decision.
TUNED = "_tuned"


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


def with_tuned_models(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters with an entry for every `<model>_tuned` that they name.

    It is the model's own entry with `decision: macro_f1` and a label that says so, where the entry
    says `tunable: true`. A name that has an entry of its own, or none to come from, is left as it
    is.
    """
    entries, grid = parameters.get("models"), parameters.get("grid")
    statistics = parameters.get("statistics")
    if not isinstance(entries, Mapping) or not isinstance(grid, Mapping):
        return dict(parameters)
    names = names_of(grid.get("models"))
    named = [*names] if isinstance(names, list) else []
    if isinstance(statistics, Mapping):
        named.append(statistics.get("control"))
    if isinstance(fit := parameters.get("fit"), Mapping):
        named.append(fit.get("model"))
    made = {}
    for name in named:
        if (model := untuned(name)) is None or name in entries:
            continue
        entry = entries.get(model)
        if isinstance(entry, Mapping) and entry.get("tunable") is True:
            label = f"{entry.get('label', model)}, tuned decision"
            made[name] = {**entry, "label": label, "decision": "macro_f1", "tunable": False}
    return {**parameters, "models": {**entries, **made}}


def untuned(name: object) -> str | None:
    """Name of the model that a name with `_tuned` at its end means, else None."""
    if isinstance(name, str) and name.endswith(TUNED):
        return name.removesuffix(TUNED)
    return None


def nameable(known: Mapping[str, Any]) -> list[str]:
    """Give all names that a grid may have: of entries, and of tunable models with `_tuned`."""
    tunable = [name for name, entry in known.items() if getattr(entry, "tunable", False)]
    return [*known, *(f"{name}{TUNED}" for name in tunable)]


def _key(name: object) -> object:
    return str(name) if isinstance(name, int) and not isinstance(name, bool) else name
