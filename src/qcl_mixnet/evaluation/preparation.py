"""From a raw table to encoded labels and splits: indices only, no statistic of the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import LabelEncoder

from qcl_mixnet.data.ingestion import content_sha256
from qcl_mixnet.data.schema import TARGET, check_table, describe_table
from qcl_mixnet.evaluation.cells import CellData
from qcl_mixnet.evaluation.keys import digest
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.splits import Split, make_splits


@dataclass(frozen=True)
class PreparedDataset:
    """A checked table's labels and splits, in forms that are easy to store.

    Attributes
    ----------
    splits : DataFrame of shape (n_samples, 1 + repeats)
        ``label``, the encoded class of every row, and one ``part_<seed>`` per repeat: "train" or
        "test".
    schema : dict
        JSON-able description: name, columns, class names and counts, provenance, fingerprint.
    """

    splits: pd.DataFrame
    schema: dict[str, Any]


def prepare_dataset(table: pd.DataFrame, protocol: EvaluationProtocol) -> PreparedDataset:
    """Check a raw table, encode its target and draw its splits.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, n_features + 1)
        Features and the column ``target``.
    protocol : EvaluationProtocol
        Seed, repeats and share of the test part.

    Raises
    ------
    DataError
        When the table cannot be used for classification.
    EvaluationError
        When it cannot be split as asked.
    """
    provenance = table.attrs.get("provenance", {})
    check_table(table, provenance.get("dataset", "table"))
    target = table[TARGET]
    if not pd.api.types.is_numeric_dtype(target):
        target = target.astype(str)
    encoder = LabelEncoder().fit(target)
    labels = encoder.transform(target).astype(np.int64)

    frame = pd.DataFrame({"label": labels})
    for split in make_splits(
        labels, test_size=protocol.test_size, repeats=protocol.repeats, seed=protocol.seed
    ):
        part = np.full(len(labels), "train")
        part[split.test] = "test"
        frame[f"part_{split.seed}"] = part
    schema = {
        **describe_table(table),
        "class_names": [str(name) for name in encoder.classes_],
        "provenance": provenance,
        "fingerprint": digest([content_sha256(table), content_sha256(frame)]),
    }
    return PreparedDataset(frame, schema)


def cell_data(table: pd.DataFrame, splits: pd.DataFrame, schema: dict[str, Any]) -> CellData:
    """Put together again what :func:`prepare_dataset` took apart."""
    labels: NDArray[np.int64] = splits["label"].to_numpy(np.int64)
    return CellData(
        features=table.drop(columns=TARGET),
        labels=labels,
        n_classes=len(schema["class_names"]),
        splits=[
            Split(
                train=np.flatnonzero(splits[column] == "train"),
                test=np.flatnonzero(splits[column] == "test"),
                seed=int(column.removeprefix("part_")),
            )
            for column in splits.columns
            if column.startswith("part_")
        ],
        fingerprint=schema["fingerprint"],
    )
