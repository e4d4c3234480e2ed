"""Code blocks of the README and of `docs/`, and what the pages tell the tests about them.

A comment before a block, which no reader sees, speaks to the tests:

- `<!-- test: given model, table -->`: names, or files, that are the reader's own;
- `<!-- test: quick "random_state=0" to "random_state=0, time_limit=2" -->`: what the tests change
  to be done sooner;
- `<!-- test: slow -->`: the default suite leaves this block and those after it out;
- `<!-- test: skip needs two GPUs -->`: never run, and why;
- `<!-- test: entry "models.mine" -->`: where in `conf/` a part of an entry stands.
"""

import re
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", *sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/**/*.md"))]

_FENCE = re.compile(r"^( *)```(\w*) *$")
_NOTE = re.compile(r"^ *<!-- test: (given|quick|slow|skip|entry)\b ?(.*?) *-->$")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    code: str
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def place(self):
        return f"{self.page}:{self.line}"

    def note(self, kind):
        """What the page says of this kind about the block; None where it says nothing."""
        return dict(self.notes).get(kind)

    @property
    def quick_code(self):
        """The code as the tests run it."""
        code = self.code
        for kind, said in self.notes:
            if kind == "quick":
                old, new = re.fullmatch(r'"(.*)" to "(.*)"', said).groups()
                assert old in code, f"{self.place} has no {old!r}"
                code = code.replace(old, new)
        return code


def read_blocks(text, page="page.md"):
    """All fenced blocks of a page's text in their order."""
    blocks, notes, opened, lines = [], [], None, []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is not None:
            if fence and not fence[2]:
                code = textwrap.dedent("".join(f"{inner}\n" for inner in lines))
                blocks.append(Block(page, *opened, code, tuple(notes)))
                notes, opened, lines = [], None, []
            else:
                lines.append(line)
        elif fence:
            opened = number, fence[2]
        elif note := _NOTE.match(line):
            notes.append(note.groups())
        elif line.strip():
            assert "<!-- test:" not in line, f"{page}:{number} says nothing that is known: {line}"
            assert not notes, f"{page}:{number}: no block follows what is said to the tests"
    assert opened is None, f"{page}: a block is not closed"
    return blocks


@cache
def blocks_of(page, language=None):
    """Fenced blocks of a page of the project, of all languages or of one."""
    found = read_blocks((ROOT / page).read_text(encoding="utf-8"), page)
    return [block for block in found if language in {None, block.language}]


def run_python(page, given=(), *, slow=True, quick=True):
    """Execute the Python blocks of a page one after the other, and return the names they leave.

    `given` are the names that the page takes from its reader, with values.
    """
    names = dict(given)
    for block in blocks_of(page, "python"):
        if not slow and block.note("slow") is not None:
            break
        if block.note("skip") is None:
            lines = "\n" * block.line  # so that a traceback names the line of the page
            code = block.quick_code if quick else block.code
            exec(compile(lines + code, page, "exec"), names)
    return names
