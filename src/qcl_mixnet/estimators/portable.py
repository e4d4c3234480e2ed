"""Saving, loading and exporting of a trained classifier."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from qcl_mixnet.decisions.rule import SMALLEST_PROBABILITY
from qcl_mixnet.engine.devices import resolve_device
from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.estimators.class_weights import by_label
from qcl_mixnet.estimators.ensemble import EnsembleClassifier
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.persistence.fitted_state import FittedState
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.preprocessing.tables import quoted

if TYPE_CHECKING:
    import onnx

    from qcl_mixnet.persistence.forms import Form


class Portable(BaseEstimator, ABC):
    """A classifier that can be written to files and read again.

    It hands a state to the modules that write and takes one from those that read. They, and the
    libraries behind them, are imported when a method is called.
    """

    preprocessor_: TablePreprocessor

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

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sklearn.datasets import load_wine
        >>> from qcl_mixnet import QCLMixNetClassifier
        >>> X, y = load_wine(return_X_y=True)
        >>> model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(Path(folder) / "wine")
        ...     again = QCLMixNetClassifier.load(Path(folder) / "wine")
        >>> bool((again.predict(X) == model.predict(X)).all())
        True
        """
        from qcl_mixnet.persistence.files import save_model

        check_is_fitted(self)
        state = self._fitted_state()
        try:
            decision = by_label(state.parameters["decision"])
        except (ValueError, TypeError) as error:  # weights that were set after fit
            raise ModelFileError(f"The model cannot be saved to {path}: {error}") from error
        state = replace(state, parameters={**state.parameters, "decision": decision})
        save_model(
            state,
            path,
            self._form(),
            check_parameters=self._check_parameters,
            overwrite=overwrite,
        )

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], device: str = "auto", *, max_bytes: int = 2 * 2**30
    ) -> Self:
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
        self
            A fitted estimator; its predictions are bit-equal on the same CPU.

        Raises
        ------
        ModelFileError
            A ValueError: when the files are missing, too large, changed, or of another version.
        ValueError
            For a device that is not there.
        """
        from qcl_mixnet.persistence.files import load_model

        device = resolve_device(device)
        state = load_model(
            path, cls._form(), check_parameters=cls._check_parameters, max_bytes=max_bytes
        )
        model = cls(**state.parameters)
        model._take_over(state, device)
        return model

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
            Type of the inputs that are numbers and of the output "probabilities". float32 rounds
            numbers before they are scaled, which a column of large numbers with a small spread does
            not survive.

        Returns
        -------
        onnx.ModelProto
            For a table of numbers alone the input "X" `(n_rows, n_features)`, gaps as NaN; else an
            input `(n_rows, 1)` for every column, of its name: see `onnx_inputs`. Outputs "label"
            `(n_rows,)` and "probabilities" `(n_rows, n_classes)`.

        Raises
        ------
        ImportError
            Without the package onnx.
        NotFittedError
            Before `fit`.
        ValueError
            For a categorical column that has gaps and the empty text as a level, and for a network
            beyond 2 GiB.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from qcl_mixnet import QCLMixNetClassifier
        >>> X, y = load_wine(return_X_y=True)
        >>> model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, y)
        >>> exported = model.to_onnx()
        >>> [output.name for output in exported.graph.output]
        ['label', 'probabilities']
        """
        check_is_fitted(self)
        return self._export(path, input_dtype)

    def onnx_inputs(
        self, X: Any, *, input_dtype: Literal["float64", "float32"] = "float64"
    ) -> dict[str, NDArray[Any]]:
        """Give a table as the arrays that the exported model takes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.
        input_dtype : {"float64", "float32"}, default="float64"
            As of `to_onnx`.

        Returns
        -------
        dict of str to ndarray
            "X" for a table of numbers alone. Else, for every column, an array `(n_samples, 1)`:
            numbers, NaN for a gap; text, booleans and numbers that are categories as text, such as
            "red", "True" and "3", the empty text for a gap; dates as microseconds since 1970 in
            int64, in UTC if they have a time zone, and -2**63, which is NumPy's NaT, for a gap.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For columns that are not those of the training table.

        Examples
        --------
        >>> import pandas as pd
        >>> from qcl_mixnet import QCLMixNetClassifier
        >>> table = pd.DataFrame({"age": [41, 38, 50, 29], "job": ["nurse", None, "cook", "cook"]})
        >>> model = QCLMixNetClassifier(epochs=1, random_state=0).fit(table, [0, 0, 1, 1])
        >>> model.onnx_inputs(table.head(1))
        {'age': array([[41.]]), 'job': array([['nurse']], dtype=object)}
        """
        from qcl_mixnet.persistence.onnx_table import session_inputs

        check_is_fitted(self)
        return session_inputs(self.preprocessor_, X, input_dtype)

    @classmethod
    def _check_parameters(cls, parameters: dict[str, Any]) -> None:
        """Refuse parameters that the constructor does not take."""
        if unknown := set(parameters) - set(cls._get_param_names()):
            raise ValueError(f"unknown parameter {quoted(sorted(unknown))}")
        cls(**parameters)._validate_params()

    @classmethod
    @abstractmethod
    def _form(cls) -> Form[Any]:
        """What the files of the class hold."""

    @abstractmethod
    def _fitted_state(self) -> Any:
        """Everything that the files hold; a dataclass with the field `parameters`."""

    @abstractmethod
    def _take_over(self, state: Any, device: str) -> None:
        """Become fitted, with the networks on a device."""

    @abstractmethod
    def _export(
        self, path: str | os.PathLike[str] | None, input_dtype: Literal["float64", "float32"]
    ) -> onnx.ModelProto:
        """See `to_onnx`."""


class PortableEnsemble(Portable, EnsembleClassifier):
    """Base of `QCLMixNetClassifier`: an ensemble that can be written to files and read again."""

    networks_: list[QCLMixNet]  # type: ignore[assignment]

    @classmethod
    def _form(cls) -> Form[FittedState]:
        from qcl_mixnet.persistence.document import FORM

        return FORM

    def _export(
        self, path: str | os.PathLike[str] | None, input_dtype: Literal["float64", "float32"]
    ) -> onnx.ModelProto:
        from qcl_mixnet.persistence.onnx_export import to_onnx

        return to_onnx(self._fitted_state(), path, input_dtype=input_dtype)

    def _fitted_state(self) -> FittedState:
        return FittedState(
            class_name=type(self).__name__,
            parameters=self.get_params(deep=False),
            feature_names=getattr(self, "feature_names_in_", None),
            classes=self.classes_,
            preprocessor=self.preprocessor_,
            networks=self.networks_,
            calibration_temperature=self.calibration_temperature_,
            decision_rule=self.decision_rule_,
            history=self.history_,
            best_epoch=self.best_epoch_,
            diverged_at=self.diverged_at_,
            interrupted=self.interrupted_,
            test_selected=self.test_selected_,
            out_of_fold_proba=self.out_of_fold_proba_,
            out_of_fold_labels=self.out_of_fold_labels_,
            out_of_fold_weights=self.out_of_fold_weights_,
            smallest_probability=SMALLEST_PROBABILITY,
        )

    @own_settings()
    def _take_over(self, state: FittedState, device: str) -> None:
        self.preprocessor_ = state.preprocessor.set_output(transform="default")
        self.n_features_in_ = state.preprocessor.n_features_in_
        if state.feature_names is not None:
            self.feature_names_in_ = state.feature_names
        self.classes_ = state.classes
        self.device_ = device
        self.networks_ = [network.to(device) for network in state.networks]
        self._stacked = stack(self.networks_).eval()
        self.calibration_temperature_ = state.calibration_temperature
        self.decision_rule_ = state.decision_rule
        self.history_ = state.history
        self.best_epoch_ = state.best_epoch
        self.diverged_at_ = state.diverged_at
        self.interrupted_ = state.interrupted
        self.test_selected_ = state.test_selected
        self.out_of_fold_proba_ = state.out_of_fold_proba
        self.out_of_fold_labels_ = state.out_of_fold_labels
        self.out_of_fold_weights_ = state.out_of_fold_weights
