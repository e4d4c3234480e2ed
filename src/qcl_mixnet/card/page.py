"""The page of a model card, from numbers that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.card.assets import document
from qcl_mixnet.card.charts import N_COLORS, bar, history_chart
from qcl_mixnet.card.columns import MOST_COLUMNS, describe_columns, shortened
from qcl_mixnet.card.explorer import charted_classes, explorer_data, explorer_section
from qcl_mixnet.card.markup import Html, element, joined
from qcl_mixnet.card.scores import Scored, class_table, overall_scores
from qcl_mixnet.card.tables import facts, paragraph, section, share, table, with_interval

MOST_CLASSES = 20
MOST_ROWS = 50


@dataclass(frozen=True)
class CardData:
    """What a card is made of.

    Parameters
    ----------
    name : str
        Of the model.
    classes : ndarray of shape (n_classes,)
    rows : Scored
        Test rows.
    columns : DataFrame or None
        Their columns; None where they are no table.
    n_columns : int
    decision : str
        How probabilities become labels, in words.
    importance : DataFrame or None
        Of `feature_importance`.
    history : DataFrame or None
        A row for each epoch, of each network where there is a column `member`.
    coverage : DataFrame or str
        Of `coverage_report`; a sentence on why there is none.
    parameters, versions : sequence of (str, str)
    """

    name: str
    classes: NDArray[Any]
    rows: Scored
    columns: pd.DataFrame | None
    n_columns: int
    decision: str
    importance: pd.DataFrame | None
    history: pd.DataFrame | None
    coverage: pd.DataFrame | str
    parameters: Sequence[tuple[str, str]]
    versions: Sequence[tuple[str, str]]


def build_card(data: CardData) -> str:
    """Write a model card as one page of HTML, which loads nothing from anywhere.

    Parameters
    ----------
    data : CardData

    Returns
    -------
    str
        Equal data give an equal page.
    """
    overall, scores = overall_scores(data.rows), class_table(data.rows, data.classes)
    charted = charted_classes(data.rows)
    sections = [
        ("classes", "Classes", _classes(data, scores, overall)),
        ("explorer-section", "Explorer", explorer_section(data.rows, scores, charted)),
        ("confusion", "Confusion", _confusion(data)),
        ("importance", "Importance", _importance(data.importance)),
        ("training", "Training", _training(data.history)),
        ("sets", "Prediction sets", _sets(data.coverage)),
        ("data", "Data", _columns(data)),
        ("provenance", "Provenance", _provenance(data)),
    ]  # fmt: skip
    links = [element("li", element("a", title, href=f"#{name}")) for name, title, _ in sections]
    theme = element(
        "label",
        "Theme ",
        element(
            "select",
            element("option", "as the system", value=""),
            element("option", "light", value="light"),
            element("option", "dark", value="dark"),
            id="theme",
        ),
        class_="theme",
        hidden=True,
    )
    title = f"Model card: {data.name}"
    header = element(
        "header",
        element("div", element("h1", title), theme, class_="bar"),
        element("div", _sentences(data, overall, scores), id="summary"),
        _tiles(data, overall),
        element("nav", element("ul", links), aria_label="Sections"),
    )
    without_script = paragraph(
        "Without scripts all tables and charts are here; the explorer is not."
    )
    body = joined(
        element("a", "Skip to the content", class_="skip", href="#main"),
        header,
        element(
            "main",
            element("noscript", without_script),
            [part for *_, part in sections],
            id="main",
        ),
    )
    return document(title, body, explorer_data(data.rows, charted))


def _sentences(data: CardData, overall: dict[str, float], scores: pd.DataFrame) -> list[Html]:
    n, right = len(data.rows.labels), int((data.rows.labels == data.rows.predicted).sum())
    first = (
        f"Of {n} test rows the model is right about {right}; over the classes its macro F1 is "
        f"{share(overall['Macro F1'])}."
    )
    present = scores[scores["support"] > 0]
    rarest = present.iloc[int(present["support"].argmin())]
    code = int(np.flatnonzero(scores["support"] > 0)[int(present["support"].argmin())])
    hits = int(((data.rows.labels == code) & (data.rows.predicted == code)).sum())
    second = (
        f"The rarest class among them, {shortened(str(rarest.name))}, has "
        f"{int(rarest['support'])} rows, of which the model finds {hits} (recall "
        f"{share(rarest['recall'])}); of its {int(rarest['alerts'])} alerts {hits} are right "
        f"(precision {share(rarest['precision'])})."
    )
    third = f"It decides by {data.decision}."
    return [paragraph(first, "finding"), paragraph(second), paragraph(third)]


def _tiles(data: CardData, overall: dict[str, float]) -> Html:
    shown = ("Macro F1", "Macro average precision", "Balanced accuracy", "Log loss")
    tiles: list[tuple[str, Any]] = [
        ("Classes", len(data.classes)),
        ("Columns", data.n_columns),
        ("Test rows", len(data.rows.labels)),
    ]
    return facts([*tiles, *((name, share(overall[name])) for name in shown)])


def _classes(data: CardData, scores: pd.DataFrame, overall: dict[str, float]) -> Html:
    ranged = ("precision", "recall", "f1", "average_precision")
    rows = [
        [
            shortened(str(label)), int(row["support"]), int(row["alerts"]),
            *(with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in ranged),
            share(row["roc_auc"]), share(row["brier"]),
        ]
        for label, (_, row) in zip(data.classes.tolist(), scores.iterrows(), strict=True)
    ]  # fmt: skip
    headers = (
        "Class", "Rows", "Predicted", "Precision", "Recall", "F1", "Average precision", "ROC AUC",
        "Brier score",
    )  # fmt: skip
    note = (
        "Precision, recall and F1 are those of the model's decision; the other scores are of the "
        "probability of the class against the rest. Intervals are for 95 %: by Clopper and Pearson "
        "for counted rows, by the logit for average precision. They are about other test rows like "
        "these, not about other trainings."
    )
    return section(
        "classes",
        "Classes",
        table("Scores of each class", headers, rows, name="class-scores"),
        paragraph(note, "note"),
        element("h3", "All classes together"),
        table(
            "Scores of all classes together",
            ("Score", "Value"),
            [(name, share(value)) for name, value in overall.items()],
            name="overall-scores",
        ),
    )


def _confusion(data: CardData) -> Html:
    n = len(data.classes)
    names = [shortened(str(label)) for label in data.classes.tolist()]
    counts = np.zeros((n, n), dtype=np.int64)
    np.add.at(counts, (data.rows.labels, data.rows.predicted), 1)
    if n > MOST_CLASSES:
        wrong = counts.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CLASSES]
        pairs = [np.unravel_index(place, wrong.shape) for place in order if wrong.flat[place]]
        text = f"Of {n} classes, those that are most often taken for another."
        found = table(
            text,
            ("True", "Predicted", "Rows"),
            [(names[a], names[b], int(wrong[a, b])) for a, b in pairs],
            n_text=2,
            name="confusion-table",
        )
        return section("confusion", "Confusion", paragraph(text), found)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    levels = np.ceil(shares * 5).astype(np.int64)
    rows = [
        [
            names[a],
            *(
                element("td", int(counts[a, b]), class_=f"number share-{levels[a, b]}")
                for b in range(n)
            ),
        ]
        for a in range(n)
    ]  # fmt: skip
    found = table(
        "True classes in rows, predicted classes in columns",
        ("True", *names),
        rows,
        name="confusion-table",
        class_="confusion",
    )
    text = (
        "Rows of each true class by the class predicted; the colour is the share of the true class."
    )
    return section("confusion", "Confusion", paragraph(text), found)


def _importance(found: pd.DataFrame | None) -> Html:
    title = "What the model looks at"
    if found is None:
        text = "Not asked for: importance=True shuffles each column of the test rows ten times."
        return section("importance", title, paragraph(text))
    top = found.head(MOST_ROWS)
    ends = min(0.0, float(top["low"].min())), max(0.0, float(top["high"].max()))
    rows = [
        (
            shortened(str(name)), bar(row["low"], row["importance"], row["high"], ends),
            share(row["importance"]), f"{row['low']:.3f} to {row['high']:.3f}",
        )
        for name, row in top.iterrows()
    ]  # fmt: skip
    left_out = ""
    if len(found) > MOST_ROWS:
        left_out = f" Shown are the first {MOST_ROWS} of {len(found)} columns."
    text = (
        "How much macro F1 falls when a column of the test rows is shuffled. The intervals are for "
        f"95 %, and about other shufflings of the same rows.{left_out}"
    )
    headers = ("Column", "Fall", "Mean", "95 % interval")
    shown = table("Importance of columns", headers, rows, n_text=2, name="importance-table")
    return section("importance", title, paragraph(text), shown)


def _training(history: pd.DataFrame | None) -> Html:
    title = "Training"
    if history is None or "epoch" not in history or history.empty:
        return section("training", title, paragraph("The model keeps no record of its epochs."))
    numbers = history.select_dtypes("number").drop(columns=["member"], errors="ignore")
    mean = numbers.groupby("epoch").mean()
    lines = {str(name): mean[name].to_numpy(dtype=np.float64) for name in mean}
    legend, rows = [], []
    for place, (name, values) in enumerate(lines.items()):
        swatch = element(
            "svg", element("line", x1=0, x2=26, y1=6, y2=6),
            class_=f"swatch line-{place % N_COLORS}", viewBox="0 0 26 12", aria_hidden="true",
        )  # fmt: skip
        legend.append(element("li", swatch, name))
        known = values[np.isfinite(values)]
        if len(known):
            rows.append(
                (name, *(f"{v:.4g}" for v in (known[0], known.min(), known.max(), known[-1])))
            )
    epochs = mean.index.to_numpy(dtype=np.float64)
    chart = history_chart(
        "Means over the epochs; the numbers are in the table below", epochs, lines
    )
    n = int(history["member"].nunique()) if "member" in history else 1
    text = (
        f"Means over the networks of the model, {n} in number; each line goes from its own least "
        "to its own greatest value, which the table has."
    )
    return section(
        "training", title, paragraph(text), element("ul", legend, class_="legend"),
        element("div", chart, class_="scroll", role="region", aria_label="Training", tabindex="0"),
        table(
            "Ends of the lines", ("Line", "First", "Least", "Greatest", "Last"), rows,
            name="training-table",
        ),
    )  # fmt: skip


def _sets(coverage: pd.DataFrame | str) -> Html:
    title = "Prediction sets"
    if isinstance(coverage, str):
        return section("sets", title, paragraph(coverage))
    rows = [
        [
            shortened(str(label)), int(row["rows"]),
            with_interval(row["coverage"], row["coverage_low"], row["coverage_high"]),
            *(share(row[name]) for name in ("mean_size", "empty", "single", "full")),
            int(row["out_of_fold_rows"]),
        ]
        for label, row in coverage.iterrows()
    ]  # fmt: skip
    headers = (
        "Class", "Rows", "Held", "Mean size", "Empty", "One class", "All classes",
        "Out-of-fold rows",
    )  # fmt: skip
    text = (
        f"Sets that shall hold the true class of {coverage['wanted'].iloc[0]:.1%} of the rows of "
        "every class, and the share that they do hold of these rows."
    )
    found = table("Coverage of prediction sets", headers, rows, name="coverage-table")
    return section("sets", title, paragraph(text), found)


def _columns(data: CardData) -> Html:
    if data.columns is None:
        return section("data", "Data", paragraph("The test rows are no table of columns."))
    n = data.columns.shape[1]
    text = f"The columns of the {len(data.rows.labels)} test rows."
    if n > MOST_COLUMNS:
        text = f"The first {MOST_COLUMNS} of {n} columns of the {len(data.rows.labels)} test rows."
    rows = [
        (name, kind, element("td", values, class_="words"), gaps, distinct)
        for name, kind, gaps, distinct, values in describe_columns(data.columns)
    ]
    headers = ("Column", "Type", "Values", "Gaps", "Distinct")
    found = table("Columns of the test rows", headers, rows, n_text=3, name="columns")
    return section("data", "Data", paragraph(text), found)


def _provenance(data: CardData) -> Html:
    parameters = element(
        "details", element("summary", "Parameters"), facts(data.parameters, class_="lines")
    )
    return section("provenance", "Provenance", facts(data.versions, class_="lines"), parameters)
