"""Cells of the benchmark grid: one model on one data set, all repeats, fitted and scored.

The one place where models meet data: QCL-MixNet, its ablations and all baselines go through
`run_cell`.
"""

from __future__ import annotations

import platform
import time
import traceback
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.evaluation.cell_data import CellData, split_parts
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.fitting import Fitted, final_step, fit_repeats, warm_up
from qcl_mixnet.evaluation.keys import cell_key, library_versions
from qcl_mixnet.evaluation.metrics import score_predictions
from qcl_mixnet.evaluation.own_process import own_process
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.search import GridFitWarning
from qcl_mixnet.evaluation.specs import ModelSpec, ModelSpecError, no_probabilities
from qcl_mixnet.evaluation.threads import limited_threads
from qcl_mixnet.evaluation.wording import LONGEST_LINE, printable, told
from qcl_mixnet.resuming.folder import resumed_seconds, work_clock

_MOST_WARNINGS = 1000


@dataclass(frozen=True)
class CellResult:
    """What a cell leaves behind.

    Attributes
    ----------
    record : dict
        JSON-able: status, key, protocol, parameters, metrics, seconds, versions.
    predictions : DataFrame
        `repeat`, `row`, `y_true`, `y_pred` and one `proba_<class>` per class; a row for
        every test row of every repeat. Empty when the cell failed.
    history : DataFrame
        `repeat`, `epoch` and what the model recorded; empty for models without epochs.
    representation : DataFrame
        `repeat`, `row`, `y_true` and `h_0`, `h_1` ...: what the `transform` of a model
        whose class has `transform_is_representation = True` makes of the test rows. Empty for
        all others: the `transform` of many a classifier is something else.
    """

    record: dict[str, Any]
    predictions: pd.DataFrame = field(default_factory=pd.DataFrame)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    representation: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def failed(self) -> bool:
        """Whether the model could not be fitted or scored."""
        return self.record["status"] == "failed"


def run_cell(
    data: CellData, spec: ModelSpec, protocol: EvaluationProtocol, *, n_jobs: int = 1
) -> CellResult:
    """Fit and score a model on every split of a data set.

    Parameters
    ----------
    data : CellData
    spec : ModelSpec
    protocol : EvaluationProtocol
    n_jobs : int, default=1
        Threads of the model and processes of its grid search.

    Returns
    -------
    CellResult
        Seconds count the trainings that went on where an earlier process was ended with all their
        parts; `resumed_seconds` of the record are those of the parts before. Those of fitting are
        without what only the first fit of a process does (compiling, say),
        if the model has a method `warm_up` for that. A model that raises gives a record with
        status "failed" and the error: the other cells of a run must not depend on it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from qcl_mixnet.evaluation.cell_data import CellData
    >>> from qcl_mixnet.evaluation.cells import run_cell
    >>> from qcl_mixnet.evaluation.protocol import EvaluationProtocol
    >>> from qcl_mixnet.evaluation.specs import ModelSpec
    >>> from qcl_mixnet.evaluation.splits import make_splits
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> splits = make_splits(y, repeats=2)
    >>> data = CellData(X, y.to_numpy(np.int64), 3, splits, fingerprint="hash of the data")
    >>> spec = ModelSpec(class_="sklearn.naive_bayes.GaussianNB", family="ml", label="NB")
    >>> result = run_cell(data, spec, EvaluationProtocol(repeats=2))
    >>> result.record["status"], round(result.record["metrics"]["macro_f1"], 2)
    ('ok', 0.97)
    >>> result.predictions.groupby("repeat").size().tolist()
    [36, 36]
    """
    started, before = work_clock(), resumed_seconds()
    repeats: list[_Repeat] = []
    error = trace = None
    with warnings.catch_warnings(record=True) as caught, limited_threads(n_jobs), own_process():
        warnings.simplefilter("default")
        try:
            warm_up(spec)
            for fitted in fit_repeats(data, spec, protocol, n_jobs):
                repeats.append(_score(data, spec, fitted, protocol))
        # Whatever a model may raise is a result of the benchmark, also that it wants to exit.
        except (Exception, SystemExit) as exception:
            error, trace = told(exception), printable(traceback.format_exc())
    record = {
        **_what_it_is(data.fingerprint, spec, protocol),
        "status": "failed" if error else "ok",
        "error": error,
        "traceback": trace,
        "test_selected": any(repeat.summary["test_selected"] for repeat in repeats),
        "seconds": work_clock() - started,
        "resumed_seconds": resumed_seconds() - before,
        "parameters": repeats[0].parameters if repeats else dict(spec.params),
        "metrics": _mean_metrics(repeats) if not error else {},
        "repeats": [repeat.summary for repeat in repeats],
        "grid_failures": [
            printable(str(w.message)) for w in caught if issubclass(w.category, GridFitWarning)
        ][:_MOST_WARNINGS],
        "warnings": sorted(
            {printable(f"{w.category.__name__}: {w.message}") for w in caught[:_MOST_WARNINGS]}
        ),
    }
    if error:
        return CellResult(record)
    return CellResult(
        record,
        predictions=pd.concat([r.predictions for r in repeats], ignore_index=True),
        history=pd.concat([r.history for r in repeats], ignore_index=True),
        representation=pd.concat([r.representation for r in repeats], ignore_index=True),
    )


def lost_cell(
    data_fingerprint: str,
    spec: ModelSpec,
    protocol: EvaluationProtocol,
    error: str,
    *,
    trace: str | None = None,
    seconds: float,
) -> CellResult:
    """Give the result of a cell whose process came to no end of its own.

    Parameters
    ----------
    data_fingerprint : str
        Hash of the table, its encoded labels and its splits.
    spec : ModelSpec
    protocol : EvaluationProtocol
    error : str
        What happened.
    trace : str, optional
        Where, if that is known.
    seconds : float
        How long it ran.
    """
    return CellResult(
        {
            **_what_it_is(data_fingerprint, spec, protocol),
            "status": "failed",
            "error": printable(error, LONGEST_LINE),
            "traceback": None if trace is None else printable(trace),
            "test_selected": False,
            "seconds": seconds,
            "resumed_seconds": 0.0,
            "parameters": dict(spec.params),
            "metrics": {},
            "repeats": [],
            "grid_failures": [],
            "warnings": [],
        }
    )


def _what_it_is(
    data_fingerprint: str, spec: ModelSpec, protocol: EvaluationProtocol
) -> dict[str, Any]:
    """Part of a record that is known whatever came out."""
    return {
        "key": cell_key(data_fingerprint, spec, protocol),
        "label": spec.label,
        "family": spec.family,
        "class": spec.class_,
        "protocol": protocol.model_dump(mode="json"),
        "data_fingerprint": data_fingerprint,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": library_versions(),
        "machine": platform.platform(),
    }


@dataclass(frozen=True)
class _Repeat:
    summary: dict[str, Any]
    parameters: dict[str, Any]
    predictions: pd.DataFrame
    history: pd.DataFrame
    representation: pd.DataFrame


def _score(
    data: CellData, spec: ModelSpec, fitted: Fitted, protocol: EvaluationProtocol
) -> _Repeat:
    """Score a fitted model on the test rows of its split."""
    split, model = fitted.split, fitted.model
    number = split.seed - protocol.seed
    _, (test_table, y_test) = split_parts(data, split)

    started = time.perf_counter()
    y_pred = _whole_numbers(model.predict(test_table))
    predict_seconds = time.perf_counter() - started
    final = final_step(fitted.inner)
    if not hasattr(model, "predict_proba"):  # known only now, for instance with a stacking
        raise ModelSpecError(no_probabilities(spec))
    (test_table, _) = split_parts(data, split)[1]  # a model may have written into the other
    proba = _all_classes(
        model.predict_proba(test_table), model.classes_, data.n_classes, len(y_test)
    )

    representation = pd.DataFrame()
    if getattr(final, "transform_is_representation", False):
        values = np.asarray(fitted.inner.transform(split_parts(data, split)[1][0]))
        representation = _test_frame(number, split.test, y_test, "h", values)

    metrics = score_predictions(y_test, y_pred, proba)
    metrics |= {"fit_seconds": fitted.seconds, "predict_seconds": predict_seconds}
    return _Repeat(
        summary={
            "repeat": number,
            "seed": split.seed,
            "metrics": metrics,
            "best_parameters": {
                k.rpartition("__")[2]: _plain(v) for k, v in fitted.best_parameters.items()
            },
            "best_epoch": _plain(getattr(final, "best_epoch_", None)),
            "diverged_at": _plain(getattr(final, "diverged_at_", None)),
            "device": str(getattr(final, "device_", "cpu")),
            "test_selected": bool(getattr(final, "test_selected_", False)),
        },
        parameters={
            name: value if isinstance(value, bool | int | float | str | None) else str(value)
            for name, value in final.get_params(deep=False).items()
        },
        predictions=_test_frame(number, split.test, y_test, "proba", proba, y_pred=y_pred),
        history=_history(final).assign(repeat=number),
        representation=representation,
    )


def _plain(value: Any) -> Any:
    """Write a value as JSON has it: numbers, texts, lists of them, or the text of anything else."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _history(model: Any) -> pd.DataFrame:
    """What a model recorded after every epoch; other libraries call other things so."""
    history = getattr(model, "history_", None)
    if not isinstance(history, pd.DataFrame) or "epoch" not in history:
        return pd.DataFrame()
    return history


def _whole_numbers(predicted: Any) -> NDArray[np.int64]:
    """Take predicted classes as numbers, where they are such; what is not is refused."""
    labels = np.asarray(predicted)
    if labels.dtype.kind not in "fO":
        return labels.astype(np.int64)
    numbers = labels.astype(np.float64)
    if not np.array_equal(numbers, np.round(numbers)):  # NaN is no number either
        raise EvaluationError("predict gave values that are no classes, but numbers between them.")
    return numbers.astype(np.int64)


def _all_classes(proba: Any, classes: Any, n_classes: int, n_rows: int) -> NDArray[np.float64]:
    """Give a class that the training rows lack the probability 0."""
    values, columns = np.asarray(proba, dtype=np.float64), np.asarray(classes, dtype=np.int64)
    if values.shape != (n_rows, len(columns)):
        raise EvaluationError(
            f"predict_proba gave an array of shape {values.shape} for {n_rows} rows and "
            f"{len(columns)} classes; a row for each row and a column for each class are needed."
        )
    full = np.zeros((n_rows, n_classes))
    full[:, columns] = values
    return full


def _test_frame(
    repeat: int,
    rows: NDArray[np.int64],
    y_true: NDArray[np.int64],
    prefix: str,
    values: NDArray[np.floating],
    **columns: NDArray[np.int64],
) -> pd.DataFrame:
    """Numbers of the test rows, their columns named `<prefix>_0` and so on."""
    frame = pd.DataFrame({"repeat": repeat, "row": rows, "y_true": y_true, **columns})
    names = [f"{prefix}_{i}" for i in range(values.shape[1])]
    return pd.concat([frame, pd.DataFrame(values, columns=names)], axis=1)


def _mean_metrics(repeats: list[_Repeat]) -> dict[str, float]:
    """Mean over the repeats and, with more than one, the standard deviation."""
    frame = pd.DataFrame([repeat.summary["metrics"] for repeat in repeats])
    means = frame.mean().to_dict()
    if len(frame) > 1:
        means |= frame.std().add_suffix("_std").to_dict()
    return {str(name): float(value) for name, value in means.items()}
