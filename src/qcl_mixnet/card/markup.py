"""HTML made of elements, in which every text is escaped because nothing else can be written."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from qcl_mixnet.writing import strict_json

_WITHOUT_END = frozenset({"input", "link", "meta"})


class Html(str):
    """Text that is HTML already; what is put into an element and is none of it gets escaped."""

    __slots__ = ()


def element(name: str, *children: Any, **attributes: Any) -> Html:
    """Write an element.

    Parameters
    ----------
    name : str
    *children : any
        `Html` stays as it is, lists are written one after the other, None is nothing, and the
        text of anything else is escaped.
    **attributes : any
        A trailing underscore is dropped, as of `class_`, and others become hyphens. True is an
        attribute without a value; False and None are none at all.

    Returns
    -------
    Html

    Examples
    --------
    >>> element("td", "a < b", class_="number", aria_label='"x"', hidden=False)
    '<td class="number" aria-label="&quot;x&quot;">a &lt; b</td>'
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _WITHOUT_END:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: Any) -> Html:
    """Write what an element would have inside."""
    return Html("".join(_inside(child) for child in children))


def json_inside(value: Any) -> Html:
    """Write JSON that can stand in a script element: no character of it can end that element."""
    text = json.dumps(strict_json(value), ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(text)


def _inside(child: Any) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, list | tuple):
        return joined(*child)
    return escape(str(child))


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
