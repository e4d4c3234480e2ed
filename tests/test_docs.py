"""What the documents say of the tree, held to the tree."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "qcl_mixnet"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FILE_OR_FOLDER = re.compile(r"(?<![\w./-])(?:src|tests|conf|docs)/[\w./-]*[\w/]")
# Places for a user's own, which the project does not hold.
USERS_OWN = {"conf/local/datasets.yml", "src/my_models.py"}


def paths_named(text):
    """Paths of the project that a text names in full; `<name>` stands for no file."""
    spans = re.findall(r"`([^`\n]+)`|\]\(([^)#\s]+)", text)
    found = set()
    for code, link in spans:
        if "<" not in (span := code or link) and "*" not in span:
            found |= set(FILE_OR_FOLDER.findall(span))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages__paths_that_they_name__exist(page):
    named = paths_named(page.read_text(encoding="utf-8")) - USERS_OWN
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_architecture__names_many_paths():
    assert len(paths_named(ARCHITECTURE.read_text(encoding="utf-8"))) > 30


def test_paths_named__code_links_and_placeholders__are_told_apart():
    text = "See `src/a/b.py`, [c](docs/c.md#d), `conf/<env>/x.yml`, src/no.py, `data/src/e.py`."
    assert paths_named(text) == {"src/a/b.py", "docs/c.md"}


def floors():
    """Rooms of the table in the architecture page, by floor from the roof."""
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", ARCHITECTURE.read_text(encoding="utf-8"), re.M)
    by_floor = {}
    for floor, room in rows:
        by_floor.setdefault(int(floor), set()).add(room)
    return [by_floor[floor] for floor in sorted(by_floor, reverse=True)]


def test_architecture__rooms__are_the_folders_and_modules_of_the_package():
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set().union(*floors()) == modules | folders


def test_architecture__floors__are_the_layers_of_the_contract():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = [c["layers"] for c in contracts if c["type"] == "layers"]
    assert floors() == [set(layer.replace(" ", "").split("|")) for layer in layers]


def test_architecture__functions_beside_a_file__are_defined_there():
    text = ARCHITECTURE.read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| [^|]+ (?:\| [^|]+ )?\| ([^|]*`[^|]*) \| `(src/[^`]+\.py)` \|$", text, re.M
    )
    assert len(rows) > 15
    lost = [
        (name, file)
        for functions, file in rows
        for name in re.findall(r"`(?:\w+\.)?(\w+)`", functions.partition(", which")[0])
        if not re.search(rf"\b(?:def|class) {name}\b", (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert lost == []


def kinds_of_nav():
    """Pages of each kind in the site's navigation; notebooks by their files."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.safe_load(text[text.index("nav:") : text.index("validation:")])["nav"]
    kinds = [entry for entry in nav if "Home" not in entry]
    return {
        kind: {page for titled in pages for page in titled.values()}
        for entry in kinds
        for kind, pages in entry.items()
    }


def test_index__lists_the_pages_of_the_site_by_the_four_kinds():
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    found = {}
    for section in text.split("\n## ")[1:]:
        links = re.findall(r"\]\(([^)]+)\)", section)
        pages = {re.sub(r"^\.\./(notebooks/\w+)\.ipynb$", r"\1.md", link) for link in links}
        found[section.partition(":")[0]] = pages
    assert list(found) == ["Tutorials", "How-to", "Reference", "Explanation"]
    assert found == kinds_of_nav()
