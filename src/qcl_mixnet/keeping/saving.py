"""Writing a fitted model of the roster, without pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.estimators.decision_rules import OutOfFold
from qcl_mixnet.estimators.tuned_decision import TunedDecisionClassifier
from qcl_mixnet.evaluation.search import SearchedClassifier
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.keeping.keeper import Keeper, prefixed
from qcl_mixnet.keeping.keepers import BY_NAME, keeper_of
from qcl_mixnet.keeping.kept_model import KeptModel
from qcl_mixnet.keeping.loading import (
    ARRAYS_FILE,
    DECISION_PREFIX,
    KEPT_FILE,
    MODEL_PREFIX,
    PREPROCESSOR_PREFIX,
    load_fitted,
)
from qcl_mixnet.keeping.schema import FORMAT, SCHEMA_VERSION
from qcl_mixnet.persistence.checked import (
    MAX_JSON_BYTES,
    check_target,
    checksum,
    describe,
    reason,
    write_folder,
)
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.persistence.fields import (
    Tensors,
    header,
    out_of_fold_tensors,
    plain_classes,
    plain_rule,
)
from qcl_mixnet.persistence.preprocessor import preprocessor_state
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.writing import user_path

# Beyond that, the decision of the kept model cannot be tuned again; it stays as it is.
MAX_OUT_OF_FOLD_BYTES = 128 * 2**20

_NAMES = {KEPT_FILE, ARRAYS_FILE, *(name for keeper in BY_NAME.values() for name in keeper.files)}


@own_settings()
def save_fitted(
    model: Any,
    path: str | os.PathLike[str],
    *,
    spec: ModelSpec | Mapping[str, Any] | None = None,
    dataset: Mapping[str, Any] | None = None,
    git_commit: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a fitted model of the roster to a directory, without pickle.

    Parameters
    ----------
    model : classifier
        Fitted: what `build_model` makes of an entry of the roster, a search for the best of its
        grid, a `TunedDecisionClassifier` around either, or a `KeptModel`.
    path : str or path
        The directory. It appears, with all of its content, when everything is written and has been
        read again.
    spec : ModelSpec or mapping, optional
        The entry of the roster, for who reads the files. None: that of a `KeptModel`.
    dataset : mapping, optional
        What the model was fitted on, in values that JSON has. None: that of a `KeptModel`.
    git_commit : str, optional
        Of the project that fitted the model. None: that of a `KeptModel`.
    overwrite : bool, default=False
        Replace a model that is kept there.

    Raises
    ------
    NotFittedError
        Before `fit`.
    FileExistsError
        When `path` exists and is neither empty nor, with `overwrite`, a kept model.
    ModelFileError
        For a model that cannot be kept, and for labels or parameters that files cannot hold.

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
    >>> type(kept).__name__, kept.predict_proba(X).shape
    ('KeptModel', (178, 3))
    """
    target = user_path(path).resolve()  # what a link leads to is replaced, not the link
    check_target(target, _NAMES, overwrite=overwrite)
    if isinstance(model, KeptModel):
        known = model.provenance
        spec, dataset = spec or known.spec, dataset or known.dataset
        git_commit = git_commit or known.git_commit
    inner, rule, rows = _without_wrappers(model)
    preprocessor, classifier = _steps(inner)
    keeper = keeper_of(classifier, behind_preprocessor=preprocessor is not None)
    if isinstance(spec, ModelSpec):
        spec = spec.model_dump(mode="json", by_alias=True)
    try:
        content, files = _encoded(keeper, classifier, preprocessor, _row_tensors(rows))
        content |= {
            "git_commit": git_commit,
            "spec": None if spec is None else dict(spec),
            "dataset": None if dataset is None else dict(dataset),
            **({"decision_weights": None} if rule is None else plain_rule(rule)),
        }
        content["sha256"] = checksum(content)
        text = json.dumps(content, indent=1, allow_nan=False) + "\n"
        if len(text) > MAX_JSON_BYTES:
            raise ValueError(f"{KEPT_FILE} would have more than {MAX_JSON_BYTES} bytes")
    except ModelFileError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelFileError(f"The model cannot be kept in {target}: {reason(error)}.") from error

    def fill(folder: Path) -> None:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        (folder / KEPT_FILE).write_text(text, encoding="ascii")
        load_fitted(folder, "cpu")  # nothing is put in place that could not be read

    write_folder(target, fill)


def _without_wrappers(model: Any) -> tuple[Any, DecisionRule | None, OutOfFold | None]:
    """The pipeline or bare model within, and a decision around it with the rows it was tuned on."""
    rule = rows = None
    if isinstance(model, KeptModel):
        return model.model, model.own_rule, model.out_of_fold
    check_is_fitted(model)
    if isinstance(model, TunedDecisionClassifier):
        rule, classes = model.decision_rule_, model.classes_
        rows = OutOfFold(
            model.out_of_fold_proba_, model.out_of_fold_labels_, model.out_of_fold_weights_
        )
        model = model.estimator_
        if not np.array_equal(model.classes_, classes):
            raise ModelFileError(
                "A TunedDecisionClassifier cannot be kept whose classifier knows other labels "
                "than it does itself; fit both on the same rows."
            )
    if isinstance(model, SearchedClassifier):
        model = model.search_
    if isinstance(model, GridSearchCV | RandomizedSearchCV):
        model = model.best_estimator_
    return model, rule, rows


def _row_tensors(rows: OutOfFold | None) -> Tensors:
    """Out-of-fold rows with probabilities, unless they are too many to keep."""
    if rows is None:
        return {}
    seen = ~np.isnan(rows.probabilities).any(axis=1)
    kept = np.asarray(rows.probabilities[seen], dtype=np.float64)
    if kept.nbytes > MAX_OUT_OF_FOLD_BYTES:
        return {}
    weights = None if rows.weights is None else rows.weights[seen]
    return prefixed(out_of_fold_tensors(kept, rows.labels[seen], weights), DECISION_PREFIX)


def _steps(model: Any) -> tuple[TablePreprocessor | None, Any]:
    """The preprocessing of a pipeline, if the model is one, and the classifier."""
    if not isinstance(model, Pipeline):
        return None, model
    kinds = [type(step) for _, step in model.steps]
    if len(kinds) != 2 or kinds[0] is not TablePreprocessor:
        names = ", ".join(kind.__name__ for kind in kinds)
        raise ModelFileError(
            f"A pipeline of {names} cannot be kept: only a TablePreprocessor with a classifier "
            "behind it can."
        )
    return model[0], model[1]


def _encoded(
    keeper: Keeper, classifier: Any, preprocessor: TablePreprocessor | None, rows: Tensors
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The document, but for what is known of the model's origin, and the other files."""
    parts = keeper.take_apart(classifier)
    arrays: Tensors = rows | prefixed(parts.arrays, MODEL_PREFIX)
    document = None
    if preprocessor is not None:
        document, numbers = preprocessor_state(preprocessor)
        arrays |= prefixed(numbers, PREPROCESSOR_PREFIX)
    files = dict(parts.files)
    if arrays:
        whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        files[ARRAYS_FILE] = safetensors.numpy.save(whole)
    content = header(parts.class_name, SCHEMA_VERSION)
    content["format"] = FORMAT
    content["library_versions"] |= {name: version(name) for name in keeper.libraries}
    return content | {
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "keeper": keeper.name,
        "parameters": parts.parameters,
        "content": parts.content,
        "classes": plain_classes(parts.classes),
        "preprocessor": document,
        "files": {name: describe(data).model_dump() for name, data in files.items()},
    }, files
