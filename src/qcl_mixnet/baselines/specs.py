"""Model specifications: from a few lines of YAML to an estimator, or to one clear sentence.

Everything that can be wrong with a specification is found when the model is built, before any
training: a misspelt parameter, a value out of its range, in the grid too.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.pipeline import Pipeline

from qcl_mixnet.data.names import Name
from qcl_mixnet.data.preprocessing import TablePreprocessor

_MODEL_STEP = "model"


class ModelSpecError(ValueError):
    """A model specification that cannot be built. The message says what to change."""


class ModelSpec(BaseModel):
    """What `conf/base/models/<model>.yml` says of a model.

    Attributes
    ----------
    class_ : str
        Dotted path of a scikit-learn style classifier; `class` in YAML.
    params : dict
        Constructor parameters that differ from the class's defaults.
    grid : dict of str to list, optional
        Parameters to choose by cross-validation and the values to try.
    family : {"proposed", "ablation", "ml", "dl", "gnn"}
        Group of the model in tables.
    label : str
        Name of the model in tables.
    preprocess : bool
        Put `TablePreprocessor` before the model. Only for a model that reads raw tables is it
        false.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_by_alias=True,
        validate_by_name=True,
        # As JSON, .inf and .nan of YAML must not become the null that they are not.
        ser_json_inf_nan="constants",
    )

    class_: str = Field(alias="class", min_length=1)
    params: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] | None = Field(
        default=None, min_length=1
    )
    family: Literal["proposed", "ablation", "ml", "dl", "gnn"]
    label: Name = Field(min_length=1)
    preprocess: bool = True


def build_model(
    spec: ModelSpec, *, random_state: int, overrides: Mapping[str, Any] | None = None
) -> BaseEstimator:
    """Build the unfitted estimator of a specification.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    random_state : int
        Seed of the estimator and of every estimator nested in it, where it has the parameter.
        A `random_state` among the parameters wins.
    overrides : mapping, optional
        Parameters that replace those of `spec`.

    Returns
    -------
    estimator
        `Pipeline([("preprocess", TablePreprocessor()), ("model", ...)])`, or the bare model if
        `spec.preprocess` is false.

    Raises
    ------
    ModelSpecError
        If the class cannot be imported or is no classifier, or a parameter's name or value, in
        `params`, `overrides` or `grid`, is not one that it takes.
    """
    params = {**spec.params, **(overrides or {})}
    # A clone, so that seeding a nested estimator does not reach into the specification.
    model = clone(_construct(spec.class_, params))
    for name, values in (spec.grid or {}).items():
        for value in values:
            _validate(_with_params(clone(model), {name: value}, spec.class_), spec.class_)
    seeds = {
        name: random_state
        for name in model.get_params(deep=True)
        if name.rpartition("__")[2] == "random_state" and name not in params
    }
    model.set_params(**seeds)
    if not spec.preprocess:
        return model
    return Pipeline([("preprocess", TablePreprocessor()), (_MODEL_STEP, model)])


def build_grid(
    spec: ModelSpec, *, overrides: Mapping[str, Any] | None = None
) -> dict[str, list[Any]] | None:
    """Give the grid in the parameter names of `build_model`'s estimator.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    overrides : mapping, optional
        As in `build_model`. A parameter named here is fixed, hence no longer searched.

    Returns
    -------
    dict of str to list, or None if there is nothing to search
    """
    prefix = f"{_MODEL_STEP}__" if spec.preprocess else ""
    fixed = overrides or {}
    grid = {
        f"{prefix}{name}": list(values)
        for name, values in (spec.grid or {}).items()
        if name not in fixed
    }
    return grid or None


def _construct(path: str, params: Mapping[str, Any]) -> BaseEstimator:
    """Make an estimator with its parameters set and checked."""
    model_class = _import_class(path)
    try:
        model = model_class()
    except TypeError as error:
        raise ModelSpecError(
            f"Model class {path} cannot be made without arguments ({error}); "
            "give its parameters defaults."
        ) from error
    if not isinstance(model, BaseEstimator) or not is_classifier(model):
        raise ModelSpecError(
            f"Model class {path} is not a scikit-learn classifier; derive it from "
            "ClassifierMixin and BaseEstimator."
        )
    return _validate(_with_params(model, params, path), path)


def _import_class(path: str) -> Any:
    module_name, _, name = path.rpartition(".")
    if not module_name:
        raise ModelSpecError(
            f"Model class {path!r} is not a dotted path; write it like "
            "sklearn.ensemble.RandomForestClassifier."
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ModelSpecError(
            f"Model class {path} cannot be imported ({error}); "
            "correct its path, or install the package that holds it."
        ) from error
    if not isinstance(getattr(module, name, None), type):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise ModelSpecError(
            f"Module {module_name} has no class {name!r}{_suggestion(name, classes)}"
        )
    return getattr(module, name)


def _with_params(model: BaseEstimator, params: Mapping[str, Any], path: str) -> BaseEstimator:
    """Set parameters, refusing names that the estimator does not list."""
    known = model.get_params(deep=True)
    unknown = [name for name in params if name not in known]
    if unknown:
        raise ModelSpecError(
            f"Unknown parameter {unknown[0]!r} of model class {path}"
            f"{_suggestion(unknown[0], known)}"
        )
    try:
        return model.set_params(**params)
    except ValueError as error:
        raise ModelSpecError(f"Model class {path}: {error}") from error


def _suggestion(name: str, known: Iterable[str]) -> str:
    """End a sentence on an unknown name with the nearest known one, or with all of them."""
    candidates = sorted(known)
    close = difflib.get_close_matches(name, candidates, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; choose one of: {', '.join(candidates)}." if candidates else "; there is none."


def _validate(model: BaseEstimator, path: str) -> BaseEstimator:
    """Check the values as `fit` would, for estimators that declare what they take."""
    if hasattr(model, "_parameter_constraints"):
        try:
            model._validate_params()
        except ValueError as error:
            raise ModelSpecError(f"Model class {path}: {error}") from error
    return model
