"""Trained models in MLflow: logged or saved as pyfunc models, without pickle.

The artifact is what a classifier's `save`, or `save_fitted`, writes. MLflow loads it through
this module, so no code is stored with the model: where it is loaded, this package is installed.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.pyfunc import PyFuncModel
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import AnyType
from sklearn.utils.validation import check_is_fitted

from qcl_mixnet.estimators.loading import SavedClassifier
from qcl_mixnet.estimators.predictions import LABEL, prediction_table, probability_columns
from qcl_mixnet.keeping.json_rows import column_names, dates_from_text, rows_for_json
from qcl_mixnet.keeping.kept_model import KeptModel
from qcl_mixnet.keeping.loading import load_fitted
from qcl_mixnet.keeping.saving import save_fitted
from qcl_mixnet.preprocessing.input_columns import input_columns
from qcl_mixnet.telemetry import switch_off_telemetry
from qcl_mixnet.version import __version__

# Here and not in the functions, because MLflow also reports what it does outside of them, such as
# loading a model.
switch_off_telemetry()

# Beside this package, these decide how a stored model computes. MLflow adds itself.
_PINNED = ("numpy", "pandas", "safetensors", "scikit-learn", "torch")


# What `load_fitted` gives.
LoggedModel = SavedClassifier | KeptModel


def log_model(
    model: LoggedModel,
    *,
    name: str = "model",
    input_example: Any | None = None,
    pip_requirements: Sequence[str] | None = None,
    **options: Any,
) -> ModelInfo:
    """Log a fitted model to the active MLflow run, or to a new one.

    Parameters
    ----------
    model : QCLMixNetClassifier, QCLMixNetPlusClassifier or KeptModel
        A fitted classifier.
    name : str, default="model"
        Name of the logged model.
    input_example : DataFrame or array-like of shape (n_rows, n_features), optional
        Rows to show how the model is called; the first five are stored as they are. Columns are
        found by name where the model and the example have names. By default two made-up rows are
        stored, which reveal no training row: one of medians and of the first level of every
        category, and one of gaps.
    pip_requirements : sequence of str, optional
        The packages that a machine needs to load the model. By default those that
        `pip_requirements_of_model` names.
    **options
        For `mlflow.pyfunc.log_model`, such as `registered_model_name`.

    Returns
    -------
    ModelInfo
        `model_uri` is what `mlflow models serve` and `mlflow.pyfunc.load_model` take.

    Raises
    ------
    NotFittedError
        When the model is not fitted.
    ValueError
        When the example lacks a column.

    Examples
    --------
    >>> import mlflow
    >>> from sklearn.datasets import load_wine
    >>> from qcl_mixnet import QCLMixNetClassifier
    >>> from qcl_mixnet.mlflow_model import log_model
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, y)
    >>> with mlflow.start_run(experiment_id=mlflow.create_experiment("wine")):
    ...     info = log_model(model, name="network")
    >>> served = mlflow.pyfunc.load_model(info.model_uri)
    >>> bool((served.predict(X)["label"] == model.predict(X)).all())
    True
    """
    with tempfile.TemporaryDirectory() as folder, _without_pandas_warning():
        described = _describe(model, Path(folder), input_example, pip_requirements)
        return mlflow.pyfunc.log_model(name=name, **described, **options)


def save_model(
    model: LoggedModel,
    path: str | Path,
    *,
    input_example: Any | None = None,
    pip_requirements: Sequence[str] | None = None,
) -> None:
    """Save a fitted model as an MLflow model in a new folder: no tracking server is needed.

    Parameters
    ----------
    model : QCLMixNetClassifier, QCLMixNetPlusClassifier or KeptModel
        A fitted classifier.
    path : str or Path
        The folder; it must not exist or be empty.
    input_example, pip_requirements
        The same as for `log_model`.

    Raises
    ------
    NotFittedError
        When the model is not fitted.
    ValueError
        When the example lacks a column.
    MlflowException
        When the folder is not empty.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import mlflow
    >>> from sklearn.datasets import load_wine
    >>> from qcl_mixnet import QCLMixNetClassifier
    >>> from qcl_mixnet.mlflow_model import save_model
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, Path(folder, "wine"))
    ...     served = mlflow.pyfunc.load_model(str(Path(folder, "wine")))
    >>> list(served.predict(X))
    ['label', 'proba_0', 'proba_1', 'proba_2']
    """
    with tempfile.TemporaryDirectory() as folder, _without_pandas_warning():
        described = _describe(model, Path(folder), input_example, pip_requirements)
        mlflow.pyfunc.save_model(str(path), **described)


def load_for_evaluation(model_uri: str) -> PyFuncModel:
    """Load a logged or saved model in the form that `mlflow.models.evaluate` takes.

    MLflow's evaluation of classifiers wants labels from a model's `predict`, not a table, and
    takes probabilities from those models alone that it knows for scikit-learn's: this one is marked
    as such. So it also takes integer columns as they are.

    Parameters
    ----------
    model_uri : str
        The `model_uri` that `log_model` returned, or the folder that `save_model` wrote.

    Returns
    -------
    PyFuncModel
        Its `predict` is that of `mlflow.pyfunc.load_model`.

    Examples
    --------
    >>> model = load_for_evaluation(info.model_uri)  # doctest: +SKIP
    >>> mlflow.models.evaluate(
    ...     model, table, targets="churned", model_type="classifier"
    ... )  # doctest: +SKIP
    """
    model = mlflow.pyfunc.load_model(model_uri)
    model.metadata.flavors[mlflow.pyfunc.FLAVOR_NAME][mlflow.pyfunc.MAIN] = "mlflow.sklearn"
    return model


def model_signature(model: LoggedModel) -> ModelSignature:
    """Columns that a fitted model takes and gives, with MLflow's types.

    Numeric columns are doubles, whatever integers the training table held, as JSON's null is a gap
    and MLflow's integers have none. Categorical columns are of any type: text, numbers, booleans
    and null mean what they mean to the model. So are dates, which JSON writes as text, such as
    2024-12-31 23:59:00. Without names in training, columns go by position.

    Parameters
    ----------
    model : QCLMixNetClassifier, QCLMixNetPlusClassifier or KeptModel
        A fitted classifier.

    Returns
    -------
    ModelSignature
        Inputs in the order of the training table; outputs are the label and the probabilities.

    Examples
    --------
    >>> import pandas as pd
    >>> from qcl_mixnet import QCLMixNetClassifier
    >>> from qcl_mixnet.mlflow_model import model_signature
    >>> X = pd.DataFrame({"size": [1, 2, 8, 9], "colour": ["red", "red", "blue", "red"]})
    >>> model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, ["low", "low", "high", "high"])
    >>> signature = model_signature(model)
    >>> [(column["name"], column["type"]) for column in signature.inputs.to_dict()]
    [('size', 'double'), ('colour', 'any')]
    >>> signature.outputs.input_names()
    ['label', 'proba_high', 'proba_low']
    """
    names: Sequence[str | None] = column_names(model) or model.n_features_in_ * [None]
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.double if column.kind == "numbers" else AnyType(), name)
        for column, name in zip(input_columns(model.preprocessor_), names, strict=True)
    ]
    outputs: list[ColSpec | TensorSpec] = [ColSpec(_label_type(model.classes_.dtype), LABEL)]
    outputs += [ColSpec(DataType.double, name) for name in probability_columns(model)]
    return ModelSignature(Schema(inputs), Schema(outputs))


def pip_requirements_of_model(model: LoggedModel | None = None) -> list[str]:
    """Name this package and what decides how a model computes, at the versions of this machine.

    MLflow's own search for requirements would load the model in another process and ask pip.

    Parameters
    ----------
    model : KeptModel, optional
        A model whose library is to be named, too.

    Returns
    -------
    list of str
        Lines as of a requirements file, each with `==` and a version.

    Examples
    --------
    >>> from qcl_mixnet.mlflow_model import pip_requirements_of_model
    >>> lines = [*pip_requirements_of_model(), "my-columns==1.2"]  # `pip_requirements` of one's own
    >>> [line.partition("==")[0] for line in lines]
    ['qcl-mixnet', 'numpy', 'pandas', 'safetensors', 'scikit-learn', 'torch', 'my-columns']
    """
    # A local version such as 2.13.0+cpu is on no package index.
    pinned = [
        f"{name}=={version(name).partition('+')[0]}"
        for name in (*_PINNED, *getattr(model, "libraries", ()))
    ]
    return [f"qcl-mixnet=={__version__}", *pinned]


class ServedModel:
    """What MLflow calls: tables in, labels and probabilities out.

    Parameters
    ----------
    model : QCLMixNetClassifier, QCLMixNetPlusClassifier or KeptModel
        A fitted classifier.
    """

    def __init__(self, model: LoggedModel):
        self.model = model

    def get_raw_model(self) -> LoggedModel:
        """Give the estimator; MLflow's evaluation asks for it."""
        return self.model

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """Label and probability of every class, one row each; see `prediction_table`.

        Raises
        ------
        MlflowException
            When the model cannot read the table: its reason, which a client of the scoring server
            would not see otherwise.
        """
        if column_names(self.model) is None:
            # By position: the names that a client gives mean nothing to the model.
            model_input = model_input.set_axis(range(model_input.shape[1]), axis=1)
        try:
            return prediction_table(self.model, dates_from_text(self.model, model_input))
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error


def _load_pyfunc(data_path: str) -> ServedModel:
    """Load the artifact; MLflow finds this function by its name."""
    return ServedModel(load_fitted(data_path))


@contextmanager
def _without_pandas_warning() -> Iterator[None]:
    """Hide a warning of pandas 3 about a comparison within MLflow."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Operation with range is deprecated")
        yield


def _describe(
    model: LoggedModel,
    folder: Path,
    input_example: Any,
    pip_requirements: Sequence[str] | None,
) -> dict[str, Any]:
    """Save the model in a folder and say how MLflow is to keep it."""
    if isinstance(model, KeptModel):
        save_fitted(model, folder / "qcl_mixnet")
    else:
        check_is_fitted(model)
        model.save(folder / "qcl_mixnet")
    return {
        "loader_module": __name__,
        "data_path": str(folder / "qcl_mixnet"),
        "signature": model_signature(model),
        "input_example": rows_for_json(model, input_example),
        "pip_requirements": list(pip_requirements or pip_requirements_of_model(model)),
    }


def _label_type(dtype: np.dtype[Any]) -> DataType:
    types = {"b": DataType.boolean, "i": DataType.long, "u": DataType.long, "f": DataType.double}
    return types.get(dtype.kind, DataType.string)
