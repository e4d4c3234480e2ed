"""Links of all Markdown files lead somewhere, as far as can be told without a network.

`make docs` checks links within the site; it never sees the README and its like, nor what they say
of the site.
"""

import re
from functools import cache
from urllib.parse import urlsplit

import pytest
from tests.pages import PAGES, ROOT

OUTSIDE_THE_SITE = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
ALL = sorted({*PAGES, *OUTSIDE_THE_SITE})
# Pages about data sets on servers that have no certificate.
HTTP_ONLY = {"clopinet.com", "promise.site.uottawa.ca"}
LINK = re.compile(r"(?<!\\)\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
CODE = re.compile(r"^( *)```.*?^\1```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def links(text):
    """Addresses that a Markdown text links to, outside of code."""
    return LINK.findall(CODE.sub("", text))


def anchor(heading):
    """The anchor of a heading: as GitHub makes it, and MkDocs where the two agree."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@cache
def anchors(path):
    text = re.sub(r"^( *)```.*?^\1```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def lost(address, page):
    """Why a link of a page leads nowhere; None if it leads somewhere."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        scheme = "http" if parts.netloc in HTTP_ONLY else "https"
        fine = parts.scheme == scheme and re.fullmatch(r"([\w-]+\.)+[a-z]{2,}", parts.netloc)
        return None if fine else "no https address"
    target = (page.parent / parts.path).resolve() if parts.path else page
    if not target.exists():
        return "no such file"
    if ROOT not in (target, *target.parents):
        return "outside of the project"
    if parts.fragment and parts.fragment not in anchors(target):
        return "no such heading"
    return None


@pytest.mark.parametrize("name", ALL)
def test_links__lead_somewhere(name):
    page = ROOT / name
    found = {link: lost(link, page) for link in links(page.read_text(encoding="utf-8"))}
    assert {link: why for link, why in found.items() if why} == {}


def test_links__are_many():
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ALL]
    assert sum(len(links(text)) for text in texts) > 200


def test_links__in_code__are_none():
    assert links("[a](b.md#c) `[x](y)`\n```\n[p](q)\n```\n![i](images/i.png)") == [
        "b.md#c", "images/i.png"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://example.org", "no https address"),
        ("https://nowhere", "no https address"),
        ("docs/no.md", "no such file"),
        ("docs/running.md#no-such", "no such heading"),
        ("../elsewhere", "no such file"),
        ("docs/running.md#environments", None),
        ("https://kedro.org/a?b=c", None),
    ],
)
def test_lost__each_way_to_lead_nowhere__is_told(address, why):
    assert lost(address, ROOT / "README.md") == why


@pytest.mark.parametrize(
    ("heading", "expected"),
    [("`fit(X, y, groups=...)`", "fitx-y-groups"), ("What is promised, and what is not",
     "what-is-promised-and-what-is-not"), ("See [A](b.md)", "see-a")],
)  # fmt: skip
def test_anchor__punctuation_code_and_links__go(heading, expected):
    assert anchor(heading) == expected
