"""Reading a kept model: every file is checked, and nothing but known classes is made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
from sklearn.pipeline import Pipeline

from qcl_mixnet.engine.devices import resolve_device
from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.estimators.decision_rules import OutOfFold
from qcl_mixnet.estimators.loading import SavedClassifier, load_classifier
from qcl_mixnet.keeping.keeper import Keeper, Parts, group
from qcl_mixnet.keeping.keepers import BY_NAME
from qcl_mixnet.keeping.kept_model import KeptModel, Provenance
from qcl_mixnet.keeping.schema import FORMAT, OLDEST_VERSION, SCHEMA_VERSION, KeptDocument
from qcl_mixnet.persistence.checked import (
    check_checksum,
    parse_tensors,
    read_content,
    read_expected,
    reason,
    saved_directory,
)
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.persistence.fields import (
    OUT_OF_FOLD,
    Tensors,
    grouped,
    restore_classes,
    restore_out_of_fold,
    restore_rule,
)
from qcl_mixnet.persistence.preprocessor import restore_preprocessor

KEPT_FILE = "kept.json"
ARRAYS_FILE = "arrays.safetensors"
MAX_FILE_BYTES = 2 * 2**30

# How the names of arrays begin: of a pipeline's preprocessor, and of its model or a bare one.
PREPROCESSOR_PREFIX, MODEL_PREFIX = "pipeline.", "model."
# And of the rows that a decision around them was tuned on.
DECISION_PREFIX = "decision."

# What keepers and the libraries behind them raise for parts that do not fit.
_UNUSABLE = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RuntimeError,
)  # fmt: skip


@own_settings()
def load_fitted(
    path: str | os.PathLike[str], device: str = "auto", *, max_bytes: int = MAX_FILE_BYTES
) -> KeptModel | SavedClassifier:
    """Read a model that `save_fitted` wrote; nothing in the files is executed.

    Parameters
    ----------
    path : str or path
        The directory. One that `save` of a classifier wrote is read, too.
    device : str, default="auto"
        Where networks go, whatever device they were trained on.
    max_bytes : int, default=2 GiB
        Largest file that is read.

    Returns
    -------
    KeptModel, or QCLMixNetClassifier or QCLMixNetPlusClassifier where its own `save` wrote
        Fitted; its predictions are bit-equal on the same CPU and versions of libraries.

    Raises
    ------
    ModelFileError
        A ValueError: when the files are missing, too large, changed, of another version, or hold
        what is not trusted.
    ModuleNotFoundError
        When the model's library is not installed.
    ValueError
        For a device that is not there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> from qcl_mixnet import load_fitted, save_fitted
    >>> from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> model = make_pipeline(TablePreprocessor(), GaussianNB()).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_fitted(model, Path(folder) / "wine")
    ...     kept = load_fitted(Path(folder) / "wine")
    >>> bool((kept.predict(X) == model.predict(X)).all())
    True
    """
    device = resolve_device(device)
    directory = saved_directory(path)
    if not os.path.lexists(directory / KEPT_FILE):
        return load_classifier(directory, device=device)
    document, keeper = read_document(directory / KEPT_FILE)
    contents = {
        name: read_expected(directory / name, expected, KEPT_FILE, max_bytes)
        for name, expected in document.files.items()
    }
    arrays: Tensors = {}
    if ARRAYS_FILE in contents:
        arrays = parse_tensors(directory / ARRAYS_FILE, contents.pop(ARRAYS_FILE))
    try:
        return _put_together(document, keeper, arrays, contents, device)
    except ModelFileError:
        raise
    except _UNUSABLE as error:
        raise ModelFileError(
            f"{directory} does not hold a usable model: {_said(error)}; keep the model anew."
        ) from error


def read_document(file: Path) -> tuple[KeptDocument, Keeper]:
    """Read the JSON of a kept model: format and version, then the checksum, then every field.

    Returns
    -------
    document : KeptDocument
    keeper : Keeper
        The one that it names.

    Raises
    ------
    ModelFileError
        When anything in it is not as `save_fitted` leaves it.
    """
    content = read_content(file, FORMAT)
    found = content.get("schema_version")
    if type(found) is not int or not OLDEST_VERSION <= found <= SCHEMA_VERSION:  # True is none
        raise ModelFileError(
            f"{file} has schema version {found!r:.40}, written by qcl-mixnet "
            f"{content.get('package_version')!r:.40}, and this qcl-mixnet reads version "
            f"{OLDEST_VERSION} to {SCHEMA_VERSION} of a kept model; install the version that wrote "
            "it, or keep the model anew."
        )
    check_checksum(file, content)
    try:
        document = KeptDocument.model_validate(content)
    except pydantic.ValidationError as error:
        raise ModelFileError(f"{file} is damaged: {reason(error)}; keep the model anew.") from error
    keeper = BY_NAME.get(document.keeper)
    if keeper is None:
        raise ModelFileError(
            f"{file} names the keeper {document.keeper!r:.40}, which this qcl-mixnet does not "
            "have; keep the model anew."
        )
    # Names come from this list alone, so that none leads out of the folder.
    if unknown := set(document.files) - {ARRAYS_FILE, *keeper.files}:
        raise ModelFileError(
            f"{file} names the file {min(unknown)!r:.60}, which no such model has; keep the model "
            "anew."
        )
    return document, keeper


def _put_together(
    document: KeptDocument,
    keeper: Keeper,
    arrays: Tensors,
    files: dict[str, bytes],
    device: str,
) -> KeptModel:
    known = (PREPROCESSOR_PREFIX, MODEL_PREFIX, DECISION_PREFIX)
    if unknown := [name for name in arrays if not name.startswith(known)]:
        raise ValueError(f"unknown tensor {unknown[0]!r:.60}")
    classes = restore_classes(document.classes)
    parts = Parts(
        class_name=document.class_name,
        classes=classes,
        parameters=document.parameters,
        content=document.content,
        arrays=group(arrays, MODEL_PREFIX),
        files=files,
    )
    model = keeper.put_together(parts, device)
    if not _same_labels(model.classes_, classes):
        raise ValueError("the labels of the model are not those of the document")
    rule = None
    if document.decision_weights is not None:
        rule = restore_rule(document.decision_weights, document.decision_rule, len(classes))
    tensors = grouped(group(arrays, DECISION_PREFIX), [OUT_OF_FOLD])[OUT_OF_FOLD]
    probabilities, labels, weights = restore_out_of_fold(tensors, len(classes))
    rows = None
    if probabilities is not None and labels is not None:
        rows = OutOfFold(probabilities, labels, weights)
    fitted, preprocessor = _with_preprocessor(model, document, keeper, arrays)
    return KeptModel(
        fitted,
        preprocessor=preprocessor,
        classes=classes,
        decision_rule=rule,
        out_of_fold=rows,
        provenance=Provenance(
            spec=document.spec, dataset=document.dataset, git_commit=document.git_commit
        ),
        libraries=keeper.libraries,
    )


def _with_preprocessor(
    model: Any, document: KeptDocument, keeper: Keeper, arrays: Tensors
) -> tuple[Any, Any]:
    """The model behind its preprocessing, if it has one, and what reads its tables."""
    numbers = group(arrays, PREPROCESSOR_PREFIX)
    if document.preprocessor is None:
        if numbers or not keeper.reads_tables:
            raise ValueError("the preprocessing of the tables is missing")
        return model, keeper.reader(model)
    preprocessor = restore_preprocessor(document.preprocessor, numbers)
    width = len(preprocessor.get_feature_names_out())
    if model.n_features_in_ != width:
        raise ValueError(
            f"the model reads {model.n_features_in_} columns, and its preprocessing makes {width}"
        )
    return Pipeline([("preprocess", preprocessor), ("model", model)]), preprocessor


def _same_labels(found: Any, expected: Any) -> bool:
    return bool(
        np.asarray(found).tolist() == expected.tolist()
        and {type(v) for v in np.asarray(found).tolist()} == {type(v) for v in expected.tolist()}
    )


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return reason(error)
