"""What a data set is like, beside what the paper's Table 1 prints of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from qcl_mixnet.data.roster import DatasetEntry

# Nullable, so that a data set of which nothing is printed can stand among the others.
_PRINTED = {
    "printed_rows": "Int64",
    "printed_features": "Int64",
    "printed_classes": "Int64",
    "printed_imbalance_ratio": "Float64",
}


def describe_dataset(
    name: str,
    entry_fields: Mapping[str, Any] | DatasetEntry,
    schema: Mapping[str, Any],
    splits: pd.DataFrame,
) -> pd.DataFrame:
    """Describe a data set in one row of Table 1.

    Parameters
    ----------
    name : str
        Name of the data set on the roster.
    entry_fields : mapping or DatasetEntry
        Its entry on the roster.
    schema : mapping
        `schema` of `prepare_dataset`.
    splits : DataFrame of shape (n_samples, 1 + repeats)
        `splits` of `prepare_dataset`.

    Returns
    -------
    DataFrame of shape (1, 18)
        `dataset`, `label`, `task` (the roster's, else by the number of classes),
        `n_samples`, `n_features`, `n_classes`, `smallest_class` (rows of it),
        `imbalance_ratio` (largest class by smallest), `test_imbalance_ratio` (the same in the
        first split's test part, over the classes that are in it), `classes_absent_from_test`,
        `printed_rows`, `printed_features`, `printed_classes` and
        `printed_imbalance_ratio` (missing where the paper has none), `source` (the kind of
        source that the table came from), `split_by` (`groups: <column>`, `time: <column>` or
        empty), `rows_seen_in_training` (test rows of all splits together whose features stand in
        the training part of their split, too) and `rows_seen_with_label` (those whose label does
        as well); missing where the table was prepared before they were counted.
    """
    entry = DatasetEntry.model_validate(entry_fields)
    counts = schema["class_counts"].values()
    first_part = next(column for column in splits.columns if column.startswith("part_"))
    test_counts = splits["label"][splits[first_part] == "test"].value_counts()
    seen = schema.get("rows_seen_in_training")
    published = entry.table1.model_dump() if entry.table1 else {}
    row = {
        "dataset": name,
        "label": entry.label,
        "task": entry.task or ("binary" if schema["classes"] == 2 else "multiclass"),
        "n_samples": schema["rows"],
        "n_features": schema["features"],
        "n_classes": schema["classes"],
        "smallest_class": min(counts),
        "imbalance_ratio": max(counts) / min(counts),
        "test_imbalance_ratio": test_counts.max() / test_counts.min(),
        "classes_absent_from_test": schema["classes"] - len(test_counts),
        **{column: published.get(column.removeprefix("printed_")) for column in _PRINTED},
        "source": schema["provenance"].get("source", "unknown"),
        "split_by": ", ".join(f"{k}: {v}" for k, v in schema.get("split_by", {}).items()),
        "rows_seen_in_training": sum(seen["features"]) if seen else None,
        "rows_seen_with_label": sum(seen["features_and_label"]) if seen else None,
    }
    counted = dict.fromkeys(("rows_seen_in_training", "rows_seen_with_label"), "Int64")
    return pd.DataFrame([row]).astype(_PRINTED | counted)
