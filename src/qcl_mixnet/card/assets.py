"""A whole page of HTML: its style and script inside, and a policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from qcl_mixnet.card.markup import Html, element, joined, json_inside


def asset(name: str) -> str:
    """Read a file of this package: `base.css` and `base.js` are those of every page of ours."""
    return (files("qcl_mixnet.card") / name).read_text(encoding="utf-8")


def content_hash(text: str) -> str:
    """Name a text as a content security policy names what may run."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def document(title: str, body: Html, data: Any) -> str:
    """Write the page around its body.

    Parameters
    ----------
    title : str
    body : Html
    data : any
        What the script reads, as JSON.

    Returns
    -------
    str
    """
    style = asset("base.css") + asset("card.css")
    script = asset("base.js") + asset("card.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{content_hash(style)}'; "
        f"script-src '{content_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="color-scheme", content="light dark"),
        element("meta", name_="referrer", content="no-referrer"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        element("style", Html(style)),
    )
    scripts = joined(
        element("script", json_inside(data), type="application/json", id="card-data"),
        element("script", Html(script)),
    )
    page = element("html", head, element("body", body, scripts), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"
