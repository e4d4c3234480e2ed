"""From a raw table to encoded labels and splits: indices only, no statistic of the features."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import LabelEncoder

from qcl_mixnet.data.ingestion import content_sha256
from qcl_mixnet.data.readable import check_readable, row_number_columns, split_dependent
from qcl_mixnet.data.schema import TARGET, check_table, describe_table
from qcl_mixnet.data.target import plain_target
from qcl_mixnet.evaluation.cell_data import CellData
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.keys import digest
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.split_columns import (
    AT_RANDOM,
    SplitColumns,
    check_no_leak,
    draw_splits,
)
from qcl_mixnet.evaluation.splits import Split
from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.grouping.duplicates import groups_of_duplicates, seen_in_training
from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder, Dates, RareLevels

logger = logging.getLogger(__name__)

FEW_TEST_ROWS = 5
"""Rows of a class in a test part below which its score hangs on single rows."""


@dataclass(frozen=True)
class PreparedDataset:
    """A checked table's labels and splits, in forms that are easy to store.

    Attributes
    ----------
    splits : DataFrame of shape (n_samples, 1 + repeats)
        `label`, the encoded class of every row, and one `part_<seed>` per repeat: "train" or
        "test", or "later" for rows that come after the test part in time.
    schema : dict
        JSON-able description: name, columns, class names and counts, provenance, fingerprint.
    """

    splits: pd.DataFrame
    schema: dict[str, Any]


def prepare_dataset(
    table: pd.DataFrame,
    protocol: EvaluationProtocol,
    name: str | None = None,
    *,
    dates: Dates = "error",
    rare_levels: RareLevels = "error",
    split_by: SplitColumns = AT_RANDOM,
) -> PreparedDataset:
    """Check a raw table, encode its target and draw its splits.

    Logs a warning for columns that count the rows, one for a class with few test rows, and one for
    a table that was edited since it was brought in.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, n_features + 1)
        Features and the column `target`.
    protocol : EvaluationProtocol
        Seed, repeats and share of the test part.
    name : str or None
        Name of the data set, for messages; None takes it from the table's provenance.
    dates, rare_levels : str
        Of the data set's entry: whether a `ColumnEncoder` stands before every model.
    split_by : SplitColumns
        Of the data set's entry, too: groups that stay together, or times to go forward in.

    Raises
    ------
    DataError
        When the table cannot be used for classification, or a model could not read it once it
        is split.
    EvaluationError
        When it cannot be split as asked.
    """
    provenance, content = table.attrs.get("provenance", {}), content_sha256(table)
    name = name or provenance.get("dataset", "table")
    columns = _encoded_columns(dates, rare_levels)
    encoder = ColumnEncoder(**columns) if columns else None
    split_by.check(table, name)
    seen = table.drop(columns=[*split_by.given.values()])
    check_table(seen, name, encoder)
    features = seen.drop(columns=TARGET)
    _warn_of_row_numbers(features, name)
    target = target_labels(table)
    label_encoder = LabelEncoder().fit(target)
    classes = label_encoder.classes_
    labels = label_encoder.transform(target).astype(np.int64)

    draw = partial(
        draw_splits,
        labels,
        protocol,
        owners=split_by.owners(table),
        moments=split_by.moments(table, name),
    )
    splits = _checked_splits(draw, labels, classes, features, protocol, name, encoder)
    frame = pd.DataFrame({"label": labels})
    for split in splits:
        part = np.full(len(labels), "later")
        part[split.train], part[split.test] = "train", "test"
        frame[f"part_{split.seed}"] = part
    schema = {
        **describe_table(seen),
        "class_names": [str(name) for name in classes],
        "smallest_class_test_rows": _warn_of_few_test_rows(splits, labels, classes, name),
        "provenance": _told_if_edited(provenance, content, name),
        "columns": columns,
        "split_by": split_by.given,
        "rows_seen_in_training": _seen_rows(seen, splits),
        # Without an encoder or such columns the fingerprint is that of before there were any.
        "fingerprint": digest(
            [content, content_sha256(frame)]
            + [asked for asked in (columns, split_by.given) if asked]
        ),
    }
    return PreparedDataset(frame, schema)


def _told_if_edited(provenance: dict[str, Any], content: str, name: str) -> dict[str, Any]:
    """Say of a table that it is not what came from its source, here and where it is described."""
    if provenance.get("content_sha256", content) == content:
        return provenance
    origin = provenance.get("origin", "its source")
    logger.warning(
        "The table of data set '%s' was edited since it came from %s, and is used as it is; to "
        "have that one again, delete its file in the folder of raw tables.",
        name, origin,
    )  # fmt: skip
    return {**provenance, "origin": f"{origin}, edited since"}


def target_labels(table: pd.DataFrame) -> NDArray[Any]:
    """Labels of a checked table: numbers as numbers, and all else as text.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, n_features + 1)

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    target = plain_target(table[TARGET])
    if not pd.api.types.is_numeric_dtype(target):
        target = target.astype(str)
    return target.to_numpy()


def _encoded_columns(dates: Dates, rare_levels: RareLevels) -> dict[str, Any]:
    """Parameters of the encoder before every model; none where there is none."""
    if dates == rare_levels == "error":
        return {}
    return {"dates": dates, "rare_levels": rare_levels}


def _checked_splits(
    draw: Callable[[], list[Split]],
    labels: NDArray[np.int64],
    class_names: NDArray[Any],
    features: pd.DataFrame,
    protocol: EvaluationProtocol,
    name: str,
    encoder: ColumnEncoder | None,
) -> list[Split]:
    """Draw the splits, and check that each leaves training rows that models can learn from."""
    try:
        splits = draw()
    except EvaluationError as error:
        reason = str(error)
        raise EvaluationError(
            f"data set '{name}' cannot be split: {reason[:1].lower()}{reason[1:]}"
        ) from error
    unsure = split_dependent(features)
    for split in splits:
        counts = np.bincount(labels[split.train], minlength=len(class_names))
        if counts.max() < 2:
            raise EvaluationError(
                f"data set '{name}' cannot be split: with test_size {protocol.test_size} and seed "
                f"{split.seed} no class has 2 training rows, which tuning in folds needs; use a "
                "larger table or a smaller test_size."
            )
        if unsure.shape[1]:
            check_readable(unsure, name, split.train, encoder)
    return splits


def _seen_rows(table: pd.DataFrame, splits: list[Split]) -> dict[str, list[int]]:
    """Test rows of each split that stand in its training part, too, without and with labels."""
    pairs = [(split.train, split.test) for split in splits]
    features = table.drop(columns=TARGET)
    return {
        "features": seen_in_training(groups_of_duplicates(features), pairs),
        "features_and_label": seen_in_training(groups_of_duplicates(table), pairs),
    }


def _warn_of_row_numbers(features: pd.DataFrame, name: str) -> None:
    for column in row_number_columns(features):
        logger.warning(
            "Column '%s' of data set '%s' counts the rows one by one, as a row number does; if it "
            "is one, leave it out with `drop` of the source: in a sorted table it gives the class "
            "away.",
            column, name,
        )  # fmt: skip


def _warn_of_few_test_rows(
    splits: list[Split], labels: NDArray[np.int64], class_names: NDArray[Any], name: str
) -> int:
    """Return the fewest test rows that a class has in a split; warn where they are few."""
    counts = np.array([np.bincount(labels[s.test], minlength=len(class_names)) for s in splits])
    position, smallest = np.unravel_index(counts.argmin(), counts.shape)
    rows = int(counts.min())
    if rows < FEW_TEST_ROWS:
        if rows == 0:
            meaning = "its F1 says nothing there, and counts in macro F1 all the same"
        else:
            # F1 = 2 tp / (tp + rows) without a false alarm; its largest step is from none found
            # to one.
            step = 2 / (1 + rows)
            meaning = (
                f"finding or missing one of them moves its F1 by up to {step:.2f} and macro F1 by "
                f"up to {step / len(class_names):.2f}"
            )
        logger.warning(
            "Class '%s' of data set '%s' has %s in the test part with seed %d: %s, so that "
            "models tie or differ by chance; use more `repeats`, or join the class with another.",
            class_names[smallest], name, count(rows, "row"), splits[position].seed, meaning,
        )  # fmt: skip
    return rows


def cell_data(table: pd.DataFrame, splits: pd.DataFrame, schema: dict[str, Any]) -> CellData:
    """Put together again what `prepare_dataset` took apart.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, n_columns)
    splits, schema
        Of `prepare_dataset`.

    Raises
    ------
    EvaluationError
        When a split lets a model see what it is tested on.
    """
    labels: NDArray[np.int64] = splits["label"].to_numpy(np.int64)
    split_by = SplitColumns.of_schema(schema)
    owners = split_by.owners(table)
    parts = [
        Split(
            train=np.flatnonzero(splits[column] == "train"),
            test=np.flatnonzero(splits[column] == "test"),
            seed=int(column.removeprefix("part_")),
        )
        for column in splits.columns
        if column.startswith("part_")
    ]
    moments = split_by.moments(table, schema["provenance"].get("dataset", "table"))
    check_no_leak(parts, owners=owners, moments=moments)
    return CellData(
        features=split_by.features(table),
        labels=labels,
        n_classes=len(schema["class_names"]),
        splits=parts,
        fingerprint=schema["fingerprint"],
        encoder=encoder_of(schema),
        groups=owners,
    )


def encoder_of(schema: dict[str, Any]) -> ColumnEncoder | None:
    """What encodes dates and rare levels before every model, if the data set asks for it."""
    return ColumnEncoder(**schema["columns"]) if schema.get("columns") else None
