"""Which keeper has the models of a class, and which models nobody can keep."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline

from qcl_mixnet.evaluation.specs import ModelSpec, build_model
from qcl_mixnet.keeping.boosted import (
    CATBOOST_CLASSES,
    LIGHTGBM_CLASSES,
    XGBOOST_CLASSES,
    CatBoostKeeper,
    LightGBMKeeper,
    XGBoostKeeper,
)
from qcl_mixnet.keeping.keeper import Keeper, class_name
from qcl_mixnet.keeping.neighbors import NEIGHBOR_CLASSES, NeighborsKeeper
from qcl_mixnet.keeping.networks import DEEP_CLASSES, GRAPH_CLASSES, GraphKeeper, NetworkKeeper
from qcl_mixnet.keeping.own import OWN_CLASSES, OwnKeeper
from qcl_mixnet.keeping.skops_files import SkopsKeeper
from qcl_mixnet.persistence.errors import ModelFileError

_BY_CLASS: dict[str, Keeper] = {
    name: keeper
    for keeper, names in (
        (OwnKeeper(), OWN_CLASSES),
        (NetworkKeeper(), DEEP_CLASSES),
        (GraphKeeper(), GRAPH_CLASSES),
        (NeighborsKeeper(), NEIGHBOR_CLASSES),
        (XGBoostKeeper(), XGBOOST_CLASSES),
        (LightGBMKeeper(), LIGHTGBM_CLASSES),
        (CatBoostKeeper(), CATBOOST_CLASSES),
    )
    for name in names
}
_OTHERS = SkopsKeeper()
BY_NAME = {keeper.name: keeper for keeper in (*_BY_CLASS.values(), _OTHERS)}

_PICKLE_ALONE = "{} writes its models by pickle alone, which may run anything when it is read"
# Models whose libraries have no format that a file of unknown source may have.
_REFUSED = {
    "qcl_mixnet.baselines.boosting.ChimeraBoostClassifier": "ChimeraBoost",
    "qcl_mixnet.baselines.boosting.ExplainableBoostingClassifier": "interpret",
    "qcl_mixnet.baselines.pytabkit_models.RealMLPClassifier": "pytabkit",
    "qcl_mixnet.baselines.pytabkit_models.TunedRealMLPClassifier": "pytabkit",
    "qcl_mixnet.baselines.pytabkit_models.TabMClassifier": "pytabkit",
}


def keeper_of(model: Any, *, behind_preprocessor: bool) -> Keeper:
    """Find the keeper of a model, fitted or not.

    Parameters
    ----------
    model : classifier
        Without preprocessing, search and tuned decision around it.
    behind_preprocessor : bool
        Whether a `TablePreprocessor` makes the rows that the model reads.

    Raises
    ------
    ModelFileError
        When nobody can keep it.
    """
    keeper = _BY_CLASS.get(class_name(model), _OTHERS)
    library = _REFUSED.get(class_name(model))
    reason = _PICKLE_ALONE.format(library) if library else keeper.refusal(model)
    if reason is None and not (keeper.reads_tables or behind_preprocessor):
        reason = (
            "it reads raw tables without this package's preprocessing, so that nobody would know "
            "their columns; let a TablePreprocessor stand before it (`preprocess: true`)"
        )
    if reason is not None:
        raise ModelFileError(f"{type(model).__name__} cannot be kept: {reason}.")
    return keeper


def check_keepable(spec: ModelSpec) -> None:
    """Refuse a model that could not be kept before any training.

    Parameters
    ----------
    spec : ModelSpec

    Raises
    ------
    ModelFileError
        When nobody can keep what the specification builds.
    ModelSpecError
        As `build_model`.
    """
    model = build_model(spec, random_state=0)
    behind = isinstance(model, Pipeline)
    keeper_of(model[-1] if isinstance(model, Pipeline) else model, behind_preprocessor=behind)
