"""Boosted trees of XGBoost, LightGBM and CatBoost in their libraries' own formats."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier

from qcl_mixnet.keeping import skops_files
from qcl_mixnet.keeping.boosted_trees import check_lightgbm, checked_xgboost
from qcl_mixnet.keeping.keeper import Keeper, Parts, class_name, make, plain_parameters, prefixed
from qcl_mixnet.persistence.preprocessor import preprocessor_state, restore_preprocessor

XGBOOST_CLASSES = ("qcl_mixnet.baselines.classical.XGBoostClassifier",)
LIGHTGBM_CLASSES = ("qcl_mixnet.baselines.boosting.LightGBMClassifier",)
CATBOOST_CLASSES = ("qcl_mixnet.baselines.boosting.CatBoostClassifier",)

_READER = "reader."


class XGBoostKeeper(Keeper):
    """XGBoost's JSON: its binary form cannot be checked, and XGBoost dies of broken ones."""

    name = "xgboost"
    files = ("xgboost.json",)
    libraries = ("xgboost",)
    reads_tables = False

    def take_apart(self, model: Any) -> Parts:
        """Let XGBoost write."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "xgboost.json"
            model.model_.save_model(file)
            data = file.read_bytes()
        return Parts(
            class_name=class_name(model),
            classes=model.classes_,
            parameters=plain_parameters(model),
            files={"xgboost.json": data},
        )

    def put_together(self, parts: Parts, device: str) -> Any:  # noqa: ARG002
        """Let XGBoost read."""
        from xgboost import XGBClassifier

        model = make(parts, XGBOOST_CLASSES)
        model.model_ = XGBClassifier(**model.get_params(deep=False))
        with _reading("xgboost.json"):
            model.model_.load_model(bytearray(checked_xgboost(parts.file("xgboost.json"))))
        _check_count(int(model.model_.n_classes_), parts)
        model.classes_ = parts.classes
        model.n_features_in_ = int(model.model_.get_booster().num_features())
        return model


class _NativeTableKeeper(Keeper):
    """Models that read raw tables with a `NativeTable`."""

    classes: tuple[str, ...]

    def take_apart(self, model: Any) -> Parts:
        """Let the library write its trees; what reads the rows goes into JSON and arrays."""
        reader, arrays = preprocessor_state(model.table_.reader_)
        return Parts(
            class_name=class_name(model),
            classes=model.classes_,
            parameters=plain_parameters(model),
            content={"reader": reader, "keep_gaps": bool(model.table_.keep_gaps)},
            arrays=prefixed(arrays, _READER),
            files=self._write(model.model_),
        )

    def put_together(self, parts: Parts, device: str) -> Any:  # noqa: ARG002
        """Make the wrapper and let the library read its trees."""
        from qcl_mixnet.baselines.native_table import NativeTable

        model = make(parts, self.classes)
        reader = restore_preprocessor(
            parts.content["reader"],
            {name.removeprefix(_READER): array for name, array in parts.arrays.items()},
        )
        keep_gaps = bool(parts.content["keep_gaps"])
        model.table_ = NativeTable(keep_gaps=keep_gaps).read_with(reader)
        model.classes_ = parts.classes
        model.n_features_in_ = reader.n_features_in_
        model.model_ = self._read(parts, model)
        return model

    def reader(self, model: Any) -> Any:
        """What reads the rows."""
        return model.table_.reader_

    @abstractmethod
    def _write(self, library_model: Any) -> dict[str, bytes]:
        """Let the library write its classifier."""

    @abstractmethod
    def _read(self, parts: Parts, model: Any) -> Any:
        """Let the library read its classifier, and check that it is one for the wrapper."""


class LightGBMKeeper(_NativeTableKeeper):
    """LightGBM's text."""

    name = "lightgbm"
    files = ("model.txt",)
    libraries = ("lightgbm",)
    classes = LIGHTGBM_CLASSES

    def _write(self, library_model: Any) -> dict[str, bytes]:
        return {"model.txt": library_model.booster_.model_to_string().encode()}

    def _read(self, parts: Parts, model: Any) -> _Booster:
        from lightgbm import Booster

        with _reading("model.txt"):
            text = parts.file("model.txt").decode()
            check_lightgbm(text)
            booster = Booster(model_str=text)
        n_columns = model.n_features_in_
        if booster.num_feature() != n_columns:
            raise ValueError(f"the trees read {booster.num_feature()} columns, not {n_columns}")
        _check_count(max(2, booster.num_model_per_iteration()), parts)
        return _Booster(booster, effective_n_jobs(model.n_jobs))


class _Booster:
    """A booster of LightGBM with the one method that is asked of its classifier."""

    def __init__(self, booster: Any, n_threads: int) -> None:
        self.booster_ = booster
        self.n_threads = n_threads

    def predict_proba(self, table: pd.DataFrame) -> NDArray[np.floating]:
        """Probabilities of the classes."""
        found = np.asarray(self.booster_.predict(table, num_threads=self.n_threads))
        return np.column_stack([1.0 - found, found]) if found.ndim == 1 else found


class CatBoostKeeper(_NativeTableKeeper):
    """CatBoost's binary, or the class shares where no column of the table varied.

    The binary is checked by CatBoost alone.
    """

    name = "catboost"
    files = ("model.cbm", "model.skops")
    libraries = ("catboost", "skops")
    classes = CATBOOST_CLASSES

    def _write(self, library_model: Any) -> dict[str, bytes]:
        if isinstance(library_model, DummyClassifier):
            return {"model.skops": skops_files.dump(library_model)}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.cbm"
            library_model.save_model(str(file))
            return {"model.cbm": file.read_bytes()}

    def _read(self, parts: Parts, model: Any) -> Any:
        from catboost import CatBoostClassifier

        if "model.skops" in parts.files:
            dummy = skops_files.restore(parts.files["model.skops"], class_name(DummyClassifier()))
            _check_count(len(dummy.classes_), parts)
            return dummy
        trees = CatBoostClassifier()
        with _reading("model.cbm"):
            trees.load_model(blob=parts.file("model.cbm"), format="cbm")
        _check_count(len(trees.classes_), parts)
        if len(trees.feature_names_) != model.n_features_in_:
            raise ValueError(
                f"the trees read {len(trees.feature_names_)} columns, not {model.n_features_in_}"
            )
        return trees


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn what a library says of its file into one sentence."""
    try:
        yield
    except Exception as error:  # each library has errors of its own
        said = " ".join(str(error).split())[:200]
        raise ValueError(f"{name} cannot be read ({type(error).__name__}: {said})") from error


def _check_count(n_classes: int, parts: Parts) -> None:
    if n_classes != len(parts.classes):
        raise ValueError(f"the trees tell {n_classes} classes apart, not {len(parts.classes)}")
