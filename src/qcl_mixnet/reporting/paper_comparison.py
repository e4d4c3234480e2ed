"""Ours against the printed value, for every cell of the paper's Tables 2 to 5.

The printed values have two decimals, and the paper chose the epochs of its own networks by
scores on the test part.
"""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.reporting.order import model_order
from qcl_mixnet.reporting.published import published_ablation, published_benchmark
from qcl_mixnet.reporting.rendering import STAR_NOTE, Table, starred
from qcl_mixnet.reporting.repeats import summarize_repeats
from qcl_mixnet.statistics.comparison import PAPER_METRICS
from qcl_mixnet.statistics.ties import TOLERANCE

# Tables 4 and 5 print the model of Tables 2 and 3 again, under another name.
_FULL_MODEL = "QCL-MixNet (Full)"
_PROPOSED = "QCL-MixNet"

_WEIGHTED = "the paper prints averages weighted by class size, not macro averages"
_CLOSE = 0.02
# What rounding to the printed two decimals can hide.
_HALF_A_DIGIT = 0.005

# The paper counts the target as a feature for some of its data sets; of minerals also the number
# and the name, which our table does not have.
_COUNTED_BESIDES = {"minerals": 3}

_COLUMNS = {"model": "label", "dataset": "dataset"}


def compare_with_published(metrics: pd.DataFrame, descriptions: pd.DataFrame) -> pd.DataFrame:
    """Put our scores beside those of the paper's Tables 2 to 5.

    Models are joined by their labels, data sets by their names.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    descriptions : DataFrame
        Rows of `describe_dataset` for the same data sets.

    Returns
    -------
    DataFrame of shape (1800, 13)
        One row per printed value: `table`, `dataset`, `family`, `label` (the paper's),
        `metric`, `printed`, `ours` (mean over the repeats), `difference` (ours minus
        printed), `n_repeats`, `test_selected` and `status`; the latter is "ok", "failed",
        "not run", or "label not unique" where two of our models have the label. `comparable`
        is false where the two do not measure the same; `remark` says why.
    """
    frame = _printed_values()
    # The full model of the ablation is ours by the other name.
    frame["key"] = frame["label"].replace(_FULL_MODEL, _PROPOSED)
    ours = _our_values(metrics).rename(columns={"label": "key"})
    frame = frame.merge(ours, how="left", on=["dataset", "key", "metric"], validate="m:1")
    frame["difference"] = frame["ours"] - frame["printed"]
    frame["n_repeats"] = frame["n_repeats"].fillna(0).astype(int)
    frame["test_selected"] = frame["test_selected"].eq(True)
    frame["status"] = frame["status"].fillna("not run")
    frame["remark"] = _remarks(frame, descriptions)
    frame["comparable"] = frame["remark"].eq("")
    return frame[
        [
            "table", "dataset", "family", "label", "metric", "printed", "ours", "difference",
            "n_repeats", "test_selected", "status", "comparable", "remark",
        ]
    ]  # fmt: skip


def _printed_values() -> pd.DataFrame:
    ablation = published_ablation().rename(columns={"variant": "model"})
    full = ablation["model"].eq(_FULL_MODEL)
    ablation["family"] = full.map({True: "proposed", False: "ablation"})
    wide = pd.concat([published_benchmark(), ablation], ignore_index=True)
    wide["row"] = wide.index
    identity = ["row", "table", "dataset", "family", "model"]
    long = wide.melt(identity, list(PAPER_METRICS), "metric", "printed")
    long = long.sort_values("row", kind="stable", ignore_index=True)
    return long.rename(columns={"model": "label"}).drop(columns="row")


def _our_values(metrics: pd.DataFrame) -> pd.DataFrame:
    key = ["dataset", "label", "metric"]
    values = summarize_repeats(metrics).rename(columns={"mean": "ours"})
    # Where two models have one label, nobody can tell which of them the paper means.
    double = values.duplicated(key, keep=False)
    values.loc[double, "status"] = "label not unique"
    values.loc[double, "ours"] = float("nan")
    values.loc[double, "n_repeats"] = 0
    columns = [*key, "ours", "n_repeats", "test_selected", "status"]
    return values.drop_duplicates(key)[columns]


def _remarks(frame: pd.DataFrame, descriptions: pd.DataFrame) -> pd.Series:
    """Say for each row why it cannot be compared; nothing where it can."""
    others = _other_tables(descriptions)
    remarks = pd.Series([others.get(name, "") for name in frame["dataset"]], index=frame.index)
    # Macro recall equals accuracy in every row there; Table 5 has macro averages.
    weighted = frame["table"].eq(3) & frame["dataset"].eq("minerals")
    return remarks.mask(weighted, _WEIGHTED)


def _other_tables(descriptions: pd.DataFrame) -> dict[str, str]:
    """Say of each table that is not, or not known to be, the paper's of that name why."""
    remarks = {str(row.dataset): _table_remark(row) for row in descriptions.itertuples()}
    return {dataset: remark for dataset, remark in remarks.items() if remark}


def _table_remark(row: Any) -> str:
    if pd.isna(row.printed_rows):
        return "our roster has no printed description (table1)"
    printed = (row.printed_rows, row.printed_features, row.printed_classes)
    besides = row.printed_features - row.n_features
    same_features = besides in (0, _COUNTED_BESIDES.get(row.dataset, 1))
    if (row.n_samples, row.n_classes) == printed[::2] and same_features:
        return ""
    ours = (row.n_samples, row.n_features, row.n_classes)
    return (
        "our table has {} rows, {} features and {} classes, the paper's {:.0f}, {:.0f} and {:.0f}"
    ).format(*ours, *printed)


def summarize_comparison(
    frame: pd.DataFrame, by: Literal["model", "dataset"] = "model"
) -> pd.DataFrame:
    """Summarise how far we are from the paper, over all four metrics.

    Parameters
    ----------
    frame : DataFrame
        Rows of `compare_with_published`; those not comparable are left out.
    by : {"model", "dataset"}, default="model"
        What gets a row of its own.

    Returns
    -------
    DataFrame
        `label` or `dataset`; `test_selected`, whether any of the results is;
        `n_printed`, `n_failed` and `n_compared` values; over the latter
        `mean_difference`, `mean_absolute_difference`, `share_within_0_02` and
        `share_at_least_printed`, which takes ours to the printed two decimals. A model or data
        set that was not run has no row.

    Raises
    ------
    EvaluationError
        If `by` is neither of the two.
    """
    if by not in _COLUMNS:
        raise EvaluationError(
            f"by is {by!r} and must be 'model' or 'dataset'; choose what to summarise by."
        )
    column = _COLUMNS[by]
    rows = frame[frame["comparable"]]
    compared = rows["difference"].notna()
    size = rows["difference"].abs()
    within = size.le(_CLOSE + TOLERANCE)
    reached = rows["difference"].ge(-_HALF_A_DIGIT - TOLERANCE)
    rows = rows.assign(
        failed=rows["status"].eq("failed"),
        size=size,
        # Missing, not false, where there is nothing to compare: it has no part in a share.
        within=within.astype(float).where(compared),
        reached=reached.astype(float).where(compared),
    )
    summary = rows.groupby(column, sort=False).agg(
        test_selected=("test_selected", "any"),
        n_printed=("printed", "size"),
        n_failed=("failed", "sum"),
        n_compared=("difference", "count"),
        mean_difference=("difference", "mean"),
        mean_absolute_difference=("size", "mean"),
        share_within_0_02=("within", "mean"),
        share_at_least_printed=("reached", "mean"),
    )
    run = set(rows.loc[rows["status"].ne("not run"), column])
    order = model_order(frame.rename(columns={"label": "model"}))
    names = order if by == "model" else frame["dataset"].unique()
    return summary.loc[[name for name in names if name in run]].reset_index()


def published_comparison_table(comparison: pd.DataFrame) -> Table:
    """Lay out every printed value with ours, a row per model and data set of a table.

    Parameters
    ----------
    comparison : DataFrame
        Of `compare_with_published`.
    """
    rows = comparison.assign(
        text=[_compared_text(row) for row in comparison.itertuples()],
        dataset=comparison["dataset"].where(comparison["comparable"], comparison["dataset"] + "†"),
    )
    body = []
    for (table, dataset, label), cell in rows.groupby(["table", "dataset", "label"], sort=False):
        name = starred(str(label), bool(cell["test_selected"].any()))
        texts = dict(zip(cell["metric"], cell["text"], strict=True))
        body.append([str(table), dataset, name, *(texts[metric] for metric in PAPER_METRICS)])
    labels = [METRICS[metric].label for metric in PAPER_METRICS]
    return Table(
        name="published_comparison",
        caption="Ours against the values that the paper prints in its Tables 2 to 5",
        notes=("A cell has ours/printed (ours minus printed).", *_notes(comparison)),
        frame=comparison,
        body=pd.DataFrame(body, columns=["Table", "Data set", "Model", *labels]),
        text_columns=3,
    )


def published_summary_table(comparison: pd.DataFrame, by: Literal["model", "dataset"]) -> Table:
    """Lay out `summarize_comparison`.

    Parameters
    ----------
    comparison : DataFrame
        Of `compare_with_published`.
    by : {"model", "dataset"}
        What gets a row of its own.
    """
    summary = summarize_comparison(comparison, by)
    name = "Model" if by == "model" else "Data set"
    names = summary[_COLUMNS[by]]
    body = pd.DataFrame(
        {
            name: [starred(*row) for row in zip(names, summary["test_selected"], strict=True)],
            "Printed": summary["n_printed"].astype(str),
            "Failed": summary["n_failed"].astype(str),
            "Compared": summary["n_compared"].astype(str),
            "Difference": summary["mean_difference"].map("{:+z.3f}".format),
            "Size": summary["mean_absolute_difference"].map("{:.3f}".format),
            f"Within {_CLOSE}": summary["share_within_0_02"].map("{:.0%}".format),
            "Reached": summary["share_at_least_printed"].map("{:.0%}".format),
        }
    )
    # Failed everywhere.
    body.loc[summary["n_compared"].eq(0), list(body.columns[4:])] = "n/a"
    double = (
        f"{_FULL_MODEL} of Tables 4 and 5 is {_PROPOSED} of Tables 2 and 3, and counts in both.",
    )
    return Table(
        name=f"published_by_{by}",
        caption=f"Ours minus the paper's values by {name.lower()}, over all four metrics",
        notes=(
            "Difference: mean of ours minus printed. Size: mean of the same without the signs. "
            "Reached: share of ours that are no lower than printed, rounded alike.",
            *(double if by == "dataset" else ()),
            *_notes(comparison),
        ),
        frame=summary,
        body=body,
    )


def _notes(comparison: pd.DataFrame) -> list[str]:
    comparable = comparison["comparable"]
    n_compared = comparison.loc[comparable, "ours"].count()
    notes = [
        f"{n_compared} of {len(comparison)} printed values are compared. The paper chose the "
        "epochs of its networks by scores on the test part."
    ]
    others = comparison.loc[~comparable, ["table", "dataset", "remark"]].drop_duplicates()
    notes += [
        f"† Left out of summaries: {row.dataset} of Table {row.table}, where {row.remark}."
        for row in others.itertuples()
    ]
    return [*notes, STAR_NOTE] if comparison["test_selected"].any() else notes


def _compared_text(row: Any) -> str:
    if row.status != "ok":
        return f"{row.status}/{row.printed:.2f}"
    return f"{row.ours:.2f}/{row.printed:.2f} ({row.difference:+z.2f})"
