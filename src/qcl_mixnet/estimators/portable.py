"""Saving, loading and exporting of a trained classifier."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    import onnx

    from qcl_mixnet.estimators.classifier import QCLMixNetClassifier


class PortableMixin:
    """Methods of `QCLMixNetClassifier` that read or write it.

    The modules behind them, and the libraries of those, are imported when a method is called.
    """

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the fitted estimator to a directory, without pickle.

        Parameters
        ----------
        path : str or path
            The directory, which gets `model.json` and `model.safetensors`. It appears when
            both are complete.
        overwrite : bool, default=False
            Replace a saved model.

        Raises
        ------
        NotFittedError
            Before `fit`.
        FileExistsError
            When `path` exists and is neither empty nor, with `overwrite`, a saved model.
        ModelFileError
            For labels or parameters that the format cannot hold.
        """
        from qcl_mixnet.persistence.files import save_model

        save_model(cast("QCLMixNetClassifier", self), path, overwrite=overwrite)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], device: str = "auto", *, max_bytes: int = 2 * 2**30
    ) -> QCLMixNetClassifier:
        """Read an estimator that `save` wrote; nothing in the files is executed.

        Parameters
        ----------
        path : str or path
            The directory.
        device : str, default="auto"
            Where the networks go, whatever device they were trained on.
        max_bytes : int, default=2 GiB
            Largest `model.safetensors` that is read.

        Returns
        -------
        QCLMixNetClassifier
            Fitted; its predictions are bit-equal on the same CPU.

        Raises
        ------
        ModelFileError
            A ValueError: when the files are missing, too large, changed, or of another version.
        ValueError
            For a device that is not there.
        """
        from qcl_mixnet.persistence.files import load_model

        return load_model(path, device=device, max_bytes=max_bytes)

    def to_onnx(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        input_dtype: Literal["float64", "float32"] = "float64",
    ) -> onnx.ModelProto:
        """Export everything that `predict_proba` and `predict` do, as ONNX.

        Parameters
        ----------
        path : str or path, optional
            A file to write as well; an older one is replaced.
        input_dtype : {"float64", "float32"}, default="float64"
            Type of the input "X" and of the output "probabilities". float32 rounds numbers before
            they are scaled, which a column of large numbers with a small spread does not survive.

        Returns
        -------
        onnx.ModelProto
            Input "X" `(n_rows, n_features)`, gaps as NaN; outputs "label" `(n_rows,)` and
            "probabilities" `(n_rows, n_classes)`.

        Raises
        ------
        ImportError
            Without the package onnx.
        NotFittedError
            Before `fit`.
        ValueError
            For a table with categorical columns, and for a network beyond 2 GiB.
        """
        from qcl_mixnet.persistence.onnx_export import to_onnx

        return to_onnx(cast("QCLMixNetClassifier", self), path, input_dtype=input_dtype)
