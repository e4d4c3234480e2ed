"""Notebooks as pages of the site, with what they print and draw.

In git they are kept without outputs, so MkDocs calls `on_files` here, which runs each of them in a
process of its own and in an empty folder. A notebook that raises an error ends the build.
"""

import ast
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Readers of the site have no use for other people's deprecations, nor for paths of who built it.
QUIET = {
    "PYTHONWARNINGS": "ignore",
    "KEDRO_LOGGING_CONFIG": str(ROOT / "conf" / "logging.yml"),
    "COLUMNS": "100",
}
ORIGIN = "*This page is the notebook `notebooks/{}`, run when the site was built.*"


def on_files(files: Any, config: Any) -> Any:
    """Add a page for every notebook, and its pictures."""
    from mkdocs.structure.files import File

    root = Path(config.config_file_path).parent
    for notebook in sorted((root / "notebooks").glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            run_apart(notebook, Path(folder))
            for made in sorted(Path(folder).iterdir()):
                place = f"notebooks/{made.name}"
                files.append(File.generated(config, place, content=made.read_bytes()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links to notebooks, which work where the repository is read, to their pages."""
    return re.sub(r"\]\(\.\./notebooks/(\w+)\.ipynb\)", r"](notebooks/\1.md)", markdown)


def run_apart(notebook: Path, output: Path) -> None:
    """Run a notebook in another process, which writes page and pictures into a folder."""
    # Inside the project, which a notebook may look for from where it runs.
    with tempfile.TemporaryDirectory(prefix=".notebook-", dir=notebook.parent) as folder:
        command = [sys.executable, __file__, str(notebook), str(output)]
        done = subprocess.run(
            command, cwd=folder, env=os.environ | QUIET, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(f"{notebook} cannot be shown, since it fails:\n{done.stderr[-4000:]}")


def write_page(notebook: Path, output: Path) -> None:
    """Run a notebook here, and write it as Markdown with its pictures beside it."""
    names: dict[str, Any] = {"__name__": "__main__"}
    parts: list[str] = []
    for number, cell in enumerate(json.loads(notebook.read_text(encoding="utf-8"))["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        else:
            parts.append(f"```python\n{source}\n```")
            shown, pictures = run_cell(source, names, f"{notebook.name}, cell {number}")
            for i, picture in enumerate(pictures):
                name = f"{notebook.stem}-{number}-{i}.png"
                (output / name).write_bytes(picture)
                shown.append(f"![What this cell draws]({name})")
            parts += shown
    parts.insert(1, ORIGIN.format(notebook.name))
    (output / f"{notebook.stem}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def run_cell(
    source: str, names: dict[str, Any], place: str = "cell"
) -> tuple[list[str], list[bytes]]:
    """Run a cell: what it prints and its last value, as Markdown, and its figures, as PNG."""
    tree, printed, value = ast.parse(source, place), io.StringIO(), None
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, place, "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), place, "eval"), names)
    shown = [as_text(printed.getvalue())] if printed.getvalue().strip() else []
    if value is not None and not source.rstrip().endswith(";"):
        shown.append(value.to_html(border=0) if hasattr(value, "to_html") else as_text(repr(value)))
    return shown, pictures_of_figures()


def as_text(text: str) -> str:
    """A block of plain text; what it says may hold fences of its own."""
    fence = "`" * max(3, *(len(run) + 1 for run in text.split() if set(run) == {"`"}), 3)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def pictures_of_figures() -> list[bytes]:
    """The figures that are open, as PNG; they are closed."""
    if "matplotlib.pyplot" not in sys.modules:
        return []
    import matplotlib.pyplot as plt

    pictures = []
    for number in plt.get_fignums():
        picture = io.BytesIO()
        plt.figure(number).savefig(picture, format="png", dpi=110, bbox_inches="tight")
        pictures.append(picture.getvalue())
    plt.close("all")
    return pictures


if __name__ == "__main__":
    import matplotlib as mpl

    mpl.use("agg")
    write_page(Path(sys.argv[1]), Path(sys.argv[2]))
