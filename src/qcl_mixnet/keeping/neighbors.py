"""Nearest neighbours: the training rows are kept, and searched anew."""

from __future__ import annotations

from typing import Any

import numpy as np

from qcl_mixnet.keeping.keeper import Keeper, Parts, class_name, make, plain_parameters

NEIGHBOR_CLASSES = ("qcl_mixnet.baselines.classical.KNNClassifier",)


class NeighborsKeeper(Keeper):
    """Rows and labels; the search tree over them is built again, to the same bits."""

    name = "neighbors"
    reads_tables = False

    def take_apart(self, model: Any) -> Parts:
        """Take the training rows, preprocessed, and their labels."""
        search = model.model_
        return Parts(
            class_name=class_name(model),
            classes=model.classes_,
            parameters=plain_parameters(model),
            arrays={"rows": search._fit_X, "codes": np.asarray(search._y, dtype=np.int64)},
        )

    def put_together(self, parts: Parts, device: str) -> Any:  # noqa: ARG002
        """Fit on the rows, which is to remember them."""
        model = make(parts, NEIGHBOR_CLASSES)
        rows, codes = parts.arrays["rows"], parts.arrays["codes"]
        if codes.dtype != np.int64 or codes.shape != (len(rows),):
            raise ValueError("tensor 'codes' is no int64 with an entry for each row")
        if not np.array_equal(np.unique(codes), np.arange(len(parts.classes))):
            raise ValueError("tensor 'codes' does not number the labels")
        return model.fit(rows, parts.classes[codes])
