"""What the parameters of the pipeline `inference` name: checked before anything is scored."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from qcl_mixnet.estimators.loading import SavedClassifier
from qcl_mixnet.estimators.predictions import LABEL, Predictor, probability_columns
from qcl_mixnet.keeping.kept_model import KeptModel
from qcl_mixnet.keeping.loading import load_fitted
from qcl_mixnet.preprocessing.tables import quoted
from qcl_mixnet.project.configuration import expanded
from qcl_mixnet.project.parameters import ConfigurationError, InferenceOptions
from qcl_mixnet.scoring.table_file import CSV_SUFFIXES, PARQUET_SUFFIXES, errors_as


class InferencePaths(NamedTuple):
    """Folder of the model, and files of the table and of its predictions."""

    model: Path
    table: Path
    output: Path


def inference_paths(options: InferenceOptions) -> InferencePaths:
    """Check the paths of model, table and output before anything is loaded.

    Raises
    ------
    ConfigurationError
        When a path is not given or cannot be used.
    """
    paths = {}
    for name in ("model", "table", "output"):
        value = getattr(options, name)
        if value is None:
            raise ConfigurationError(
                f"Parameter 'inference.{name}' is not given; say which {name} with "
                f"--params=inference.{name}=/a/path."
            )
        paths[name] = Path(expanded(value))
    for name in ("table", "output"):
        if paths[name].suffix.lower() not in CSV_SUFFIXES | PARQUET_SUFFIXES:
            known = ", ".join(sorted(CSV_SUFFIXES | PARQUET_SUFFIXES))
            raise ConfigurationError(
                f"inference.{name} is {paths[name]}, whose suffix is none of {known}; name a CSV "
                f"or Parquet file."
            )
    model, table, output = paths.values()
    if not model.is_dir():
        raise ConfigurationError(
            f"inference.model is {model}, and there is no such folder; name the one that a "
            f"classifier's save() or the pipeline fit wrote."
        )
    if not table.is_file():
        raise ConfigurationError(f"inference.table is {table}, and there is no such file.")
    if output.resolve() == table.resolve() or output.is_dir():
        raise ConfigurationError(
            f"inference.output is {output}, which is the table itself or a folder; name another "
            f"file."
        )
    return InferencePaths(model, table, output)


def load_model(folder: Path, device: str) -> SavedClassifier | KeptModel:
    """Load the model that is to score: one that `save` of a classifier or the pipeline `fit` wrote.

    Raises
    ------
    ConfigurationError
        When the folder holds no model or one that is not trusted, when the model's library is not
        installed, or when the device is not there.
    """
    try:
        return load_fitted(folder, device)
    except (ValueError, OSError, ImportError) as error:
        raise ConfigurationError(
            f"The model in {folder} cannot be loaded ({error}); correct inference.model or "
            f"inference.device."
        ) from error


def decide(model: SavedClassifier | KeptModel, decision: str) -> None:
    """Let a loaded model decide otherwise; its files stay as they are.

    Raises
    ------
    ConfigurationError
        For what is no decision among its classes, and for one that is tuned when the model kept no
        out-of-fold rows.
    """
    try:
        model.set_decision(decision)
    except ValueError as error:
        raise ConfigurationError(f"inference.decision cannot be used: {error}") from error


def check_id_names(names: Collection[str], model: Predictor) -> None:
    """Refuse ids that could not be told from predictions.

    Raises
    ------
    ConfigurationError
        When an id has the name of a column of predictions.
    """
    if taken := sorted({LABEL, *probability_columns(model)}.intersection(names)):
        raise ConfigurationError(
            f"inference.id_columns holds {quoted(taken)}, which is the name of a column of "
            f"predictions; rename it in the table."
        )


def output_errors(output: Path) -> AbstractContextManager[None]:
    """Turn what the file system says of an output into an error that names the parameter."""
    return errors_as(
        ConfigurationError,
        f"The predictions cannot be written to {output}",
        "free it, or choose another with --params=inference.output=/a/path",
        (OSError,),
    )
