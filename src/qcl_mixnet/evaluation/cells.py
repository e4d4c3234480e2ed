"""Cells of the benchmark grid: one model on one data set, all repeats, fitted and scored.

The one place where models meet data: QCL-MixNet, its ablations and all baselines go through
:func:`run_cell`.
"""

from __future__ import annotations

import platform
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from qcl_mixnet.baselines.specs import ModelSpec, ModelSpecError, build_grid, build_model
from qcl_mixnet.evaluation.keys import cell_key, library_versions
from qcl_mixnet.evaluation.metrics import score_predictions
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.search import grid_search
from qcl_mixnet.evaluation.splits import Split


@dataclass(frozen=True)
class CellData:
    """A data set that is ready to be modelled.

    Attributes
    ----------
    features : DataFrame of shape (n_samples, n_features)
        Columns as they are in the source.
    labels : ndarray of shape (n_samples,), int64
        Classes encoded as 0 to ``n_classes - 1``.
    n_classes : int
        Number of classes of the whole table.
    splits : list of Split
        One per repeat.
    fingerprint : str
        Hash of all of the above.
    """

    features: pd.DataFrame
    labels: NDArray[np.int64]
    n_classes: int
    splits: list[Split]
    fingerprint: str


@dataclass(frozen=True)
class CellResult:
    """What a cell leaves behind.

    Attributes
    ----------
    record : dict
        JSON-able: status, key, protocol, parameters, metrics, seconds, versions.
    predictions : DataFrame
        ``repeat``, ``row``, ``y_true``, ``y_pred`` and one ``proba_<class>`` per class; a row for
        every test row of every repeat. Empty when the cell failed.
    history : DataFrame
        ``repeat``, ``epoch`` and what the model recorded; empty for models without epochs.
    representation : DataFrame
        ``repeat``, ``row``, ``y_true`` and ``h_0``, ``h_1`` ...: what a model that is a
        transformer, too, makes of the test rows; empty for all others.
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
        A model that raises gives a record with status "failed" and the error: the other cells of
        a run must not depend on it.
    """
    started = time.perf_counter()
    repeats: list[_Repeat] = []
    error = trace = None
    with warnings.catch_warnings(record=True) as caught, _limited_threads(n_jobs):
        warnings.simplefilter("default")
        try:
            for fitted in _fit_repeats(data, spec, protocol, n_jobs):
                repeats.append(_score(data, fitted, protocol))
        except Exception as exception:  # whatever a model may raise is a result of the benchmark
            error = f"{type(exception).__name__}: {exception}"
            trace = traceback.format_exc()
    record = {
        "status": "failed" if error else "ok",
        "error": error,
        "traceback": trace,
        "key": cell_key(data.fingerprint, spec, protocol),
        "label": spec.label,
        "family": spec.family,
        "class": spec.class_,
        "protocol": protocol.model_dump(mode="json"),
        "test_selected": any(repeat.summary["test_selected"] for repeat in repeats),
        "data_fingerprint": data.fingerprint,
        "seconds": time.perf_counter() - started,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": repeats[0].parameters if repeats else dict(spec.params),
        "metrics": _mean_metrics(repeats) if not error else {},
        "repeats": [repeat.summary for repeat in repeats],
        "warnings": sorted({f"{w.category.__name__}: {w.message}" for w in caught}),
        "versions": library_versions(),
        "machine": platform.platform(),
    }
    if error:
        return CellResult(record)
    return CellResult(
        record,
        predictions=pd.concat([r.predictions for r in repeats], ignore_index=True),
        history=pd.concat([r.history for r in repeats], ignore_index=True),
        representation=pd.concat([r.representation for r in repeats], ignore_index=True),
    )


@dataclass(frozen=True)
class _Repeat:
    summary: dict[str, Any]
    parameters: dict[str, Any]
    predictions: pd.DataFrame
    history: pd.DataFrame
    representation: pd.DataFrame


@dataclass(frozen=True)
class _Fitted:
    split: Split
    model: BaseEstimator
    best_parameters: dict[str, Any]
    seconds: float


def _fit_repeats(
    data: CellData, spec: ModelSpec, protocol: EvaluationProtocol, n_jobs: int
) -> Iterator[_Fitted]:
    """Fit on the training rows of every split: together, where the model's networks can be."""
    # Asked of the model, not imported: a change of the training code is nothing to other models.
    fit_together = getattr(build_model(spec, random_state=0), "fit_together", None)
    if fit_together is not None and len(data.splits) > 1 and not spec.grid:
        yield from _fit_together(fit_together, data, spec, protocol)
        return
    for split in data.splits:
        started = time.perf_counter()
        train, test = _parts(data, split)
        model, best = _fit(spec, protocol, split.seed, train, test, n_jobs)
        yield _Fitted(split, model, best, time.perf_counter() - started)


def _fit_together(
    fit_together: Callable[..., None],
    data: CellData,
    spec: ModelSpec,
    protocol: EvaluationProtocol,
) -> Iterator[_Fitted]:
    """Train the networks of all repeats as one group; each gets its share of the time."""
    started = time.perf_counter()
    models, tables, eval_sets = [], [], []
    for split in data.splits:
        train, test = _parts(data, split)
        model = build_model(spec, random_state=split.seed)
        models.append(model.set_params(checkpoint=protocol.checkpoint))
        tables.append(train)
        eval_sets.append(test if protocol.checkpoint == "test" else None)
    fit_together(models, tables, eval_sets)
    seconds = (time.perf_counter() - started) / len(models)
    for split, model in zip(data.splits, models, strict=True):
        yield _Fitted(split, model, {}, seconds)


Part = tuple[pd.DataFrame, NDArray[np.int64]]


def _parts(data: CellData, split: Split) -> tuple[Part, Part]:
    """Training and test rows of a split, with their labels."""
    train, test = (
        (data.features.iloc[rows], data.labels[rows]) for rows in (split.train, split.test)
    )
    return train, test


def _score(data: CellData, fitted: _Fitted, protocol: EvaluationProtocol) -> _Repeat:
    """Score a fitted model on the test rows of its split."""
    split, model = fitted.split, fitted.model
    number = split.seed - protocol.seed
    _, (test_table, y_test) = _parts(data, split)

    started = time.perf_counter()
    y_pred = np.asarray(model.predict(test_table), dtype=np.int64)
    predict_seconds = time.perf_counter() - started
    proba = _all_classes(model.predict_proba(test_table), model.classes_, data.n_classes)

    representation = pd.DataFrame()
    if hasattr(model, "transform"):
        representation = _test_frame(number, split.test, y_test, "h", model.transform(test_table))

    final = _final_step(model)
    metrics = score_predictions(y_test, y_pred, proba)
    metrics |= {"fit_seconds": fitted.seconds, "predict_seconds": predict_seconds}
    return _Repeat(
        summary={
            "repeat": number,
            "seed": split.seed,
            "metrics": metrics,
            "best_parameters": {
                k.rpartition("__")[2]: v for k, v in fitted.best_parameters.items()
            },
            "best_epoch": getattr(final, "best_epoch_", None),
            "diverged_at": getattr(final, "diverged_at_", None),
            "device": getattr(final, "device_", "cpu"),
            "test_selected": bool(getattr(final, "test_selected_", False)),
        },
        parameters={
            name: value if isinstance(value, bool | int | float | str | None) else str(value)
            for name, value in final.get_params(deep=False).items()
        },
        predictions=_test_frame(number, split.test, y_test, "proba", proba, y_pred=y_pred),
        history=getattr(final, "history_", pd.DataFrame()).assign(repeat=number),
        representation=representation,
    )


def _fit(
    spec: ModelSpec,
    protocol: EvaluationProtocol,
    seed: int,
    train: Part,
    test: Part,
    n_jobs: int,
) -> tuple[BaseEstimator, dict[str, Any]]:
    """Tune where there is a grid, and fit; only ``checkpoint="test"`` lets a model see ``test``."""
    model = build_model(spec, random_state=seed)
    chooses_on_test = (
        protocol.checkpoint == "test" and "checkpoint" in _final_step(model).get_params()
    )
    if chooses_on_test and isinstance(model, Pipeline):
        raise ModelSpecError(
            f"checkpoint='test' hands the test part to {spec.class_}, which must then read raw "
            f"tables: set preprocess: false and let it preprocess inside."
        )
    best: dict[str, Any] = {}
    grid = build_grid(spec)
    if grid:
        # The search has the processes, each of its fits one thread; it never sees the test part.
        checkpoint = "last" if chooses_on_test else protocol.checkpoint
        _set_if_known(_final_step(model), n_jobs=1, checkpoint=checkpoint)
        search = grid_search(model, grid, *train, folds=protocol.folds, seed=seed, n_jobs=n_jobs)
        model, best = search.best_estimator_, search.best_params_
    if chooses_on_test:
        model = clone(model).set_params(checkpoint="test")
        return model.fit(*train, eval_set=test), best
    if not grid:
        _set_if_known(_final_step(model), n_jobs=n_jobs, checkpoint=protocol.checkpoint)
        model.fit(*train)
    return model, best


def _final_step(model: BaseEstimator) -> BaseEstimator:
    return model[-1] if isinstance(model, Pipeline) else model


def _set_if_known(model: BaseEstimator, **values: Any) -> None:
    known = model.get_params(deep=False)
    model.set_params(**{name: value for name, value in values.items() if name in known})


def _all_classes(
    proba: NDArray[np.float64], classes: NDArray[np.int64], n_classes: int
) -> NDArray[np.float64]:
    """Give a class that the training rows lack the probability 0."""
    full = np.zeros((len(proba), n_classes))
    full[:, np.asarray(classes, dtype=np.int64)] = proba
    return full


def _test_frame(
    repeat: int,
    rows: NDArray[np.int64],
    y_true: NDArray[np.int64],
    prefix: str,
    values: NDArray[np.floating],
    **columns: NDArray[np.int64],
) -> pd.DataFrame:
    """Numbers of the test rows, their columns named ``<prefix>_0`` and so on."""
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


@contextmanager
def _limited_threads(n_threads: int) -> Iterator[None]:
    """Bound BLAS, OpenMP and PyTorch: the networks are small, and parallel runs share the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with threadpool_limits(n_threads):
            yield
    finally:
        torch.set_num_threads(before)
