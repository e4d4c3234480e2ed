"""Make the table of docs/datasets.md from the roster and from the tables themselves.

`python docs/measured/datasets.py` reads every table that comes with a pip package, writes their
sizes to `datasets.csv` beside this file, and renews the page. It needs the extra `project`, and no
network.
"""

from functools import cache
from pathlib import Path

import pandas as pd
import yaml

from qcl_mixnet.data.ingestion import ingest
from qcl_mixnet.data.roster import DatasetEntry, parse_roster
from qcl_mixnet.data.sources import FetchContext
from qcl_mixnet.data.sources.base import TARGET

ROOT = Path(__file__).resolve().parents[2]
SIZES, PAGE = Path(__file__).with_name("datasets.csv"), ROOT / "docs" / "datasets.md"
MARKS = "<!-- made by docs/measured/datasets.py: begin -->", "<!-- end -->"
ENVIRONMENTS = ("base", "bundled", "paper", "suite")
SOURCES = {
    "bundled": "pip package",
    "zenodo": "Zenodo",
    "openml": "OpenML",
    "kaggle_csv": "Kaggle, by hand",
    "uci_har": "UCI",
}


@cache
def roster() -> dict[str, DatasetEntry]:
    """All data sets of the project, the paper's first."""
    entries = {}
    for env in ("base", "suite"):
        content = yaml.safe_load((ROOT / "conf" / env / "datasets.yml").read_text("utf-8"))
        entries |= parse_roster(content["datasets"])
    return entries


@cache
def environments() -> dict[str, list[str]]:
    """The environments that have a data set in their grid, by data set."""
    found: dict[str, list[str]] = {}
    for env in ENVIRONMENTS:
        content = yaml.safe_load((ROOT / "conf" / env / "parameters_grid.yml").read_text("utf-8"))
        for name in content["grid"]["datasets"]:
            found.setdefault(name, []).append(env)
    return found


def is_offline(entry: DatasetEntry) -> bool:
    """Whether a data set comes with a pip package."""
    return any(source.type == "bundled" for source in entry.sources)


def measure(name: str, entry: DatasetEntry, downloads: Path) -> dict[str, object]:
    """Read a table, and count."""
    table = ingest(name, entry, FetchContext(name, downloads, ROOT))
    counts = table[TARGET].value_counts()
    return {
        "dataset": name,
        "rows": len(table),
        "columns": table.shape[1] - 1,
        "classes": len(counts),
        "smallest": int(counts.min()),
        "imbalance": round(float(counts.max() / counts.min()), 2),
    }


def line(name: str, entry: DatasetEntry, sizes: pd.DataFrame, envs: list[str]) -> str:
    """A data set's row of the page; where its table was not read, the paper's figures, slanted."""
    if name in sizes.index:
        own = sizes.loc[name]
        numbers = [f"{int(own[key]):,}" for key in ("rows", "columns", "classes", "smallest")]
        numbers.append(f"{own['imbalance']:.2f}")
    else:
        printed = entry.table1
        assert printed is not None, f"{name} was not measured, and the paper has no figures of it"
        numbers = [f"*{n:,}*" for n in (printed.rows, printed.features, printed.classes)]
        numbers += ["", f"*{printed.imbalance_ratio:.2f}*"]
    sources = dict.fromkeys(SOURCES[source.type] for source in entry.sources)
    cells = [
        f"[{entry.label}]({entry.url})", f"`{name}`", *numbers, ", ".join(envs),
        ", ".join(sources), entry.licence,
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def rendered(sizes: pd.DataFrame) -> str:
    """The table of the page."""
    head = [
        "data set", "name", "rows", "columns", "classes", "rows of the smallest class",
        "imbalance", "in the grid of", "from", "licence",
    ]  # fmt: skip
    rule = ["---", "---", *["---:"] * 5, "---", "---", "---"]
    envs = environments()
    lines = [f"| {' | '.join(cells)} |" for cells in (head, rule)]
    for name, entry in sorted(roster().items(), key=lambda item: item[1].label.lower()):
        lines.append(line(name, entry, sizes, envs.get(name, [])))
    return "\n".join(lines)


def with_table(page: str, table: str) -> str:
    """The page with another table between its marks."""
    before, rest = page.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    return f"{before}{MARKS[0]}\n\n{table}\n\n{MARKS[1]}{after}"


def main() -> None:
    """Measure all tables that are there, and renew the page."""
    downloads = ROOT / "data" / "01_raw"
    rows = [measure(name, e, downloads) for name, e in roster().items() if is_offline(e)]
    sizes = pd.DataFrame(rows).set_index("dataset").sort_index()
    sizes.to_csv(SIZES)
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), rendered(sizes)), "utf-8")


if __name__ == "__main__":
    main()
