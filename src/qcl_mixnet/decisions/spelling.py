"""Decisions as one word, for YAML and the command line: `recall:fraud=0.9`."""

from __future__ import annotations

from typing import Any

from qcl_mixnet.decisions.wishes import AlertsAtMost, Costs, PrecisionAtLeast, RecallAtLeast

# Names of decisions that say nothing about a class.
NAMES = ("argmax", "macro_f1", "balanced_accuracy")

_KINDS = ("recall", "precision", "alerts", "costs", "weights")
_CONFIDENCE = "+confidence="
_FORMS = (
    "recall:LABEL=0.9, precision:LABEL=0.5, alerts:LABEL=20/1000, costs:LABEL=500+LABEL=5, "
    "costs:TRUE/PREDICTED=500+TRUE/PREDICTED=5, weights:LABEL=2+LABEL=1"
)


def read_decision(text: str) -> Any:
    """Read a decision that is written as one word.

    Parameters
    ----------
    text : str
        "argmax", "macro_f1" or "balanced_accuracy"; `recall:fraud=0.9`, `precision:fraud=0.5` or
        `alerts:fraud=20/1000`, also with `+confidence=0.95` behind it; `costs:fraud=500+ok=5` for
        what missed rows of each class cost, `costs:fraud/ok=500+ok/fraud=5` for what it costs to
        predict the second label for the first; `weights:fraud=2+ok=1`.

    Returns
    -------
    str, RecallAtLeast, PrecisionAtLeast, AlertsAtMost, Costs, or dict of label to weight
        Labels are text; a classifier finds the class that is written so.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> read_decision("alerts:fraud=20/1000")
    AlertsAtMost(label='fraud', count=20.0, per=1000.0, confidence=0.9)
    """
    if text in NAMES:
        return text
    kind, colon, said = text.partition(":")
    if not colon or kind not in _KINDS:
        raise ValueError(
            f"The 'decision' parameter {text!r} is none of {', '.join(map(repr, NAMES))}, and has "
            f"none of the forms {_FORMS}."
        )
    if kind in ("costs", "weights"):
        pairs = dict(_pair(one, text) for one in said.split("+"))
        return Costs(_nested(pairs)) if kind == "costs" else pairs
    said, stated, confidence = said.partition(_CONFIDENCE)
    options = {"confidence": number_of(confidence, text)} if stated else {}
    label, _, value = _split(said, text)
    if kind == "alerts":
        count, _, per = value.partition("/")
        if per:
            options["per"] = number_of(per, text)
        return AlertsAtMost(label, number_of(count, text), **options)
    wish = RecallAtLeast if kind == "recall" else PrecisionAtLeast
    return wish(label, number_of(value, text), **options)


def number_of(said: str, text: str) -> float:
    """Read a number within a decision that is written as text.

    Raises
    ------
    ValueError
        When it is none.
    """
    try:
        return float(said)
    except ValueError as error:
        raise ValueError(
            f"The 'decision' parameter {text!r} has {said!r} where a number belongs; its forms are "
            f"{_FORMS}."
        ) from error


def _split(said: str, text: str) -> tuple[str, str, str]:
    """A label, which may hold anything, and what is said of it."""
    parts = said.rpartition("=")
    if not parts[0] or not parts[2]:
        raise ValueError(
            f"The 'decision' parameter {text!r} has {said!r}, which is not LABEL=VALUE; its forms "
            f"are {_FORMS}."
        )
    return parts


def _pair(said: str, text: str) -> tuple[str, float]:
    label, _, value = _split(said, text)
    return label, number_of(value, text)


def _nested(pairs: dict[str, float]) -> dict[str, Any]:
    """Costs of `true/predicted` as a mapping of mappings."""
    if not all("/" in label for label in pairs):
        return dict(pairs)
    nested: dict[str, dict[str, float]] = {}
    for pair, cost in pairs.items():
        true, _, predicted = pair.partition("/")
        nested.setdefault(true, {})[predicted] = cost
    return nested
