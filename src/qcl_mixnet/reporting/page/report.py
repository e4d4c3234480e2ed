"""A report on one page: what came out of a run, from the numbers that its files hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from qcl_mixnet.card.assets import asset, content_hash
from qcl_mixnet.reporting.control_table import control_table
from qcl_mixnet.reporting.order import model_order
from qcl_mixnet.reporting.page.colors import GAPS, N_LEVELS, level_styles
from qcl_mixnet.reporting.page.control import control_panels, tick_places
from qcl_mixnet.reporting.page.cost import cost_chart, outline_of
from qcl_mixnet.reporting.page.heat_map import cell_details, dataset_labels, heat_map
from qcl_mixnet.reporting.page.origins import model_rows, origin_facts, setting_rows
from qcl_mixnet.reporting.page.pictures import DrawnFigure, pictures
from qcl_mixnet.reporting.page.sentences import summary_sentences
from qcl_mixnet.reporting.page.tables import leaderboard_numbers, page_table
from qcl_mixnet.reporting.paper_comparison import (
    compare_with_published,
    published_comparison_table,
    published_summary_table,
)
from qcl_mixnet.reporting.paper_ranks import rank_table
from qcl_mixnet.reporting.paper_tables import table1
from qcl_mixnet.reporting.rendering import Table, starred
from qcl_mixnet.reporting.style import FAMILY_STYLE
from qcl_mixnet.reporting.tables import leaderboard_table

_PACKAGE = "qcl_mixnet.reporting.page"


@dataclass(frozen=True)
class PageData:
    """What the page is made of: files of a report, as they are read back.

    Parameters
    ----------
    leaderboard : DataFrame
        Of `leaderboard`.
    metrics, per_class, descriptions : DataFrame
        Rows of `gather_metrics`, `gather_per_class` and `describe_dataset` for all data sets.
    statistics : mapping
        Of `compare_models`.
    comparison : DataFrame
        Of `comparison_table`.
    confusion, calibration, provenance : DataFrame
        Rows of `gather_confusion` and `gather_calibration` for the control, and of
        `gather_provenance`, for all data sets; each may be empty.
    figures : mapping of str to DrawnFigure
        By the names of `FIGURES`.
    settings : mapping
        `grid`, `protocol` and `statistics` as mappings.
    models : mapping
        Dumped `ModelSpec` by name.
    """

    leaderboard: pd.DataFrame
    metrics: pd.DataFrame
    per_class: pd.DataFrame
    descriptions: pd.DataFrame
    statistics: Mapping[str, Any]
    comparison: pd.DataFrame
    confusion: pd.DataFrame
    calibration: pd.DataFrame
    provenance: pd.DataFrame
    figures: Mapping[str, DrawnFigure]
    settings: Mapping[str, Any]
    models: Mapping[str, Mapping[str, Any]]


def build_report(data: PageData) -> str:
    """Write everything of a run on one page of HTML.

    It loads nothing from anywhere: style, script and figures are inside, and its content security
    policy lets a browser run these alone. Names are escaped, whatever characters they have. Equal
    data give an equal page.

    Parameters
    ----------
    data : PageData

    Returns
    -------
    str
    """
    environment = Environment(
        loader=PackageLoader(_PACKAGE, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = f"{asset('base.css')}{_asset('report.css')}\n{level_styles()}\n"
    script = asset("base.js") + _asset("report.js")
    return environment.get_template("report.html.j2").render(
        **_content(data),
        # Files of ours, and hashed as they stand: the two texts that are not escaped.
        style=Markup(style),  # files of this package  # nosec B704
        script=Markup(script),  # the same  # nosec B704
        style_hash=content_hash(style),
        script_hash=content_hash(script),
    )


def _content(data: PageData) -> dict[str, Any]:
    board, metrics, statistics = data.leaderboard, data.metrics, data.statistics
    printed = leaderboard_table(board)
    heat = heat_map(metrics, data.descriptions, board["model"])
    comparison = compare_with_published(metrics, data.descriptions)
    any_compared = comparison["difference"].notna().any()
    identity = metrics.groupby("model").agg({"label": "first", "test_selected": "any"})
    control = statistics["control"]
    present = {row.family for row in heat.rows}
    return {
        "sentences": summary_sentences(board, metrics, statistics),
        "facts": _facts(data),
        "families": [
            (family, style.name, outline_of(family, 8, 8, 5))
            for family, style in FAMILY_STYLE.items()
            if family in present
        ],
        "leaderboard": page_table(
            printed, numbers=leaderboard_numbers(board, printed), models=board
        ),
        "heat": heat,
        "levels": [f"{i / N_LEVELS:.1f}" for i in range(N_LEVELS)],
        "gaps": ["best", *(f"> {gap:g}" for gap in GAPS)],
        "details": {
            "models": [row.label for row in heat.rows],
            "datasets": list(heat.datasets),
            **cell_details(metrics, data.per_class, [row.model for row in heat.rows]),
        },
        "pictures": pictures(data.figures),
        "ranks": page_table(rank_table(metrics, statistics)),
        "against_control": page_table(control_table(data.comparison, statistics["rope"])),
        "control": starred(*identity.loc[control]) if control in identity.index else control,
        "panels": control_panels(data.confusion, data.calibration, data.descriptions),
        "ticks": tick_places(),
        "cost": cost_chart(board),
        "paper": [
            page_table(table)
            for table in (
                published_summary_table(comparison, "model"),
                published_summary_table(comparison, "dataset"),
                _of_what_was_run(published_comparison_table(comparison)),
            )
        ] if any_compared else [],
        "failed": _without_score(metrics, data.descriptions, "failed"),
        "not_run": _without_score(metrics, data.descriptions, "not run"),
        "absent": _absent(data),
        "datasets": page_table(table1(data.descriptions)),
        "origins": origin_facts(data.provenance),
        "setting_rows": setting_rows(data.settings),
        "model_rows": model_rows(data.models),
    }  # fmt: skip


def _of_what_was_run(table: Table) -> Table:
    """Leave out the printed values beside which we have none, because nothing was run."""
    not_run = table.body.iloc[:, table.text_columns :].map(lambda text: text.startswith("not run"))
    return replace(table, body=table.body[~not_run.all(axis=1)])


def _facts(data: PageData) -> list[tuple[str, str]]:
    """The size of the run, in figures."""
    cells = data.metrics.drop_duplicates(["dataset", "model"])
    ok = int(cells["status"].eq("ok").sum())
    return [
        ("Data sets", str(cells["dataset"].nunique())),
        ("Models", str(cells["model"].nunique())),
        ("Splits of each", str(data.settings["protocol"]["repeats"])),
        ("Cells with a score", f"{ok} of {len(cells)}"),
        ("Failed cells", str(int(cells["status"].eq("failed").sum()))),
    ]


def _without_score(
    metrics: pd.DataFrame, descriptions: pd.DataFrame, status: str
) -> list[tuple[str, str, str]]:
    """Data set, model and error of the cells of a status, in the order of the models."""
    rows = metrics[metrics["status"].eq(status)].drop_duplicates(["dataset", "model"])
    place = {model: i for i, model in enumerate(model_order(metrics))}
    rows = rows.sort_values("model", key=lambda model: model.map(place), kind="stable")
    labels = dataset_labels(rows["dataset"], descriptions)
    errors = ["" if pd.isna(error) else str(error) for error in rows["error"]]
    return [*zip(labels, rows["label"].astype(str), errors, strict=True)]


def _absent(data: PageData) -> list[str]:
    """Data sets that were asked for and have no rows: not available, or refused."""
    known = set(data.metrics["dataset"])
    return [name for name in data.settings["grid"]["datasets"] if name not in known]


def _asset(name: str) -> str:
    return (files(_PACKAGE) / name).read_text(encoding="utf-8")
