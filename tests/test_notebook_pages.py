"""The notebooks stand in the site with what they print and draw."""

import importlib.util
import json

import matplotlib.pyplot as plt
import pytest
from tests.pages import ROOT

HOOK = ROOT / "docs" / "hooks" / "notebooks.py"


@pytest.fixture(scope="module")
def hook():
    spec = importlib.util.spec_from_file_location("notebook_pages", HOOK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def notebook(path, *cells):
    """Write a notebook of cells, each its kind and its source."""
    made = [{"cell_type": kind, "source": source.splitlines(True)} for kind, source in cells]
    path.write_text(json.dumps({"cells": made}), encoding="utf-8")
    return path


def test_run_cell__what_is_printed_and_the_last_value__are_shown(hook):
    plt.close("all")  # of other tests
    assert hook.run_cell("a = 2\nprint('x')\na + 1", names := {}) == (
        ["```text\nx\n```", "```text\n3\n```"],
        [],
    )
    assert hook.run_cell("b = a", names) == ([], [])
    assert hook.run_cell("b;", names) == ([], [])


def test_run_cell__a_frame__is_a_table(hook):
    (table,), _ = hook.run_cell("import pandas as pd\npd.DataFrame({'<a>': [1]})", {})
    assert table.startswith("<table")
    assert "&lt;a&gt;" in table
    assert "\n\n" not in table  # Markdown would end the table there


def test_run_cell__figures__are_pictures_and_closed(hook):
    source = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    shown, pictures = hook.run_cell(source, {})
    assert shown == []
    assert [picture[:4] for picture in pictures] == [b"\x89PNG"]
    assert plt.get_fignums() == []


def test_as_text__fences_in_what_is_printed__are_no_end(hook):
    assert hook.as_text("a\n````\nb\n") == "`````text\na\n````\nb\n`````"


def test_run_apart__page_has_title_origin_and_outputs(hook, tmp_path):
    path = notebook(
        tmp_path / "1_first.ipynb",
        ("markdown", "# First\n\nA word."),
        ("code", "print(6 * 7)"),
        ("code", "import matplotlib.pyplot as plt\nplt.plot([1]);"),
    )
    (output := tmp_path / "output").mkdir()
    hook.run_apart(path, output)
    page = (output / "1_first.md").read_text(encoding="utf-8")
    assert page.startswith(
        "# First\n\nA word.\n\n*This page is the notebook `notebooks/1_first.ipyn"
    )
    assert "```python\nprint(6 * 7)\n```\n\n```text\n42\n```" in page
    assert page.endswith("![What this cell draws](1_first-2-0.png)\n")
    assert (output / "1_first-2-0.png").read_bytes()[:4] == b"\x89PNG"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1_first.ipynb", "output"]


def test_run_apart__warnings_of_other_packages__are_not_logged_into_the_page(hook, tmp_path):
    source = "import logging, sys, warnings\nlogging.basicConfig(stream=sys.stdout)\n"
    source += "logging.captureWarnings(True)\nwarnings.warn('deprecated')\nprint('done')"
    path = notebook(tmp_path / "n.ipynb", ("markdown", "# N"), ("code", source))
    hook.run_apart(path, tmp_path)
    page = (tmp_path / "n.md").read_text(encoding="utf-8")
    assert page.endswith("```text\ndone\n```\n")


def test_run_apart__a_cell_that_fails__ends_the_build_and_is_named(hook, tmp_path):
    path = notebook(tmp_path / "n.ipynb", ("markdown", "# N"), ("code", "1 / 0"))
    with pytest.raises(SystemExit, match=r"n\.ipynb, cell 1(?s:.*)ZeroDivisionError"):
        hook.run_apart(path, tmp_path)


def test_site__names_the_hook_and_every_notebook():
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "hooks: [docs/hooks/notebooks.py]" in settings
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f": notebooks/{path.stem}.md" in settings
        assert f"](../notebooks/{path.name})" in index


def test_on_page_markdown__links_to_notebooks__lead_to_their_pages(hook):
    text = "[A](../notebooks/1_a.ipynb) and [b](../notebooks/b.txt)"
    assert hook.on_page_markdown(text, page=None) == (
        "[A](notebooks/1_a.md) and [b](../notebooks/b.txt)"
    )
