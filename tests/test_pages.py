"""Every fenced block of the README and of `docs/` is run or checked by a test."""

import re

import pytest
from tests.pages import PAGES, ROOT, Block, blocks_of, read_blocks

# Each with the file of tests that runs or checks it; `text` is what a command prints.
CHECKED_BY = {
    "python": "test_page_python.py",
    "bash": "test_page_shell.py",
    "yaml": "test_page_yaml.py",
}
# What commands print, and a drawing; `docs/try.md` is compared with what its command prints.
TEXT = {"README.md", "docs/architecture.md", "docs/running.md", "docs/try.md"}
ALL = [block for page in PAGES for block in blocks_of(page)]


def test_pages__have_many_blocks_and_none_of_a_language_that_nobody_checks():
    assert len(ALL) > 60
    assert {block.language for block in ALL} == {*CHECKED_BY, "text"}
    assert {block.page for block in ALL if block.language == "text"} == TEXT
    assert all((ROOT / "tests" / name).is_file() for name in CHECKED_BY.values())


def test_pages__blocks_that_no_test_runs__are_few_and_say_why():
    reasons = {b.place: reason for b in ALL if (reason := b.note("skip")) is not None}
    assert len(reasons) <= 1
    assert all(len(reason.split()) >= 3 for reason in reasons.values())


PAGE = """
# Title

<!-- test: given model, table -->
<!-- test: quick "epochs=100" to "epochs=1" -->

```python
model.fit(table, epochs=100)
```

- In a list:

  ```bash
  make run
  ```
"""


def test_read_blocks__notes_and_indentation__belong_to_their_block():
    first, second = read_blocks(PAGE)
    notes = (("given", "model, table"), ("quick", '"epochs=100" to "epochs=1"'))
    assert first == Block("page.md", 7, "python", "model.fit(table, epochs=100)\n", notes)
    assert first.quick_code == "model.fit(table, epochs=1)\n"
    assert second == Block("page.md", 13, "bash", "make run\n")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("<!-- test: given x -->\n\nprose\n", "no block follows"),
        ("<!-- test: skp it -->\n", "nothing that is known"),
        ("```python\n", "not closed"),
    ],
)
def test_read_blocks__what_is_said_to_no_block__is_an_error(text, wrong):
    with pytest.raises(AssertionError, match=wrong):
        read_blocks(text)


def test_quick_code__without_what_is_to_be_changed__is_an_error():
    block = Block("page.md", 1, "python", "fit()\n", (("quick", '"epochs=100" to "epochs=1"'),))
    with pytest.raises(AssertionError, match=re.escape("page.md:1 has no 'epochs=100'")):
        _ = block.quick_code
