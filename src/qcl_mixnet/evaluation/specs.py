"""Model specifications: from a few lines of YAML to an estimator, or to one clear sentence.

Everything that can be wrong with a specification is found when the model is built, before any
training: a misspelt parameter, a value out of its range, in the grid too.
"""

from __future__ import annotations

import difflib
import importlib
import traceback
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline

from qcl_mixnet.data.names import Name
from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

_MODEL_STEP = "model"
# By its path, as all models are: this room imports none.
_TUNED_DECISION = "qcl_mixnet.estimators.tuned_decision.TunedDecisionClassifier"


class ModelSpecError(ValueError):
    """A model specification that cannot be built. The message says what to change."""


class ModelSpec(BaseModel):
    """What `conf/base/models/<model>.yml` says of a model.

    Attributes
    ----------
    class_ : str
        Dotted path of a classifier like scikit-learn's with `predict_proba`; `class` in YAML.
    params : dict
        Constructor parameters that differ from the class's defaults. An estimator among them is
        written `{class: dotted.path, params: {...}}`.
    grid : dict of str to list, optional
        Parameters to choose by cross-validation and the values to try.
    family : {"proposed", "ablation", "ml", "dl", "gnn", "peer"}
        Group of the model in tables.
    label : str
        Name of the model in tables.
    preprocess : bool
        Put `TablePreprocessor` before the model; false for one that reads raw tables itself.
    decision : {"argmax", "macro_f1", "balanced_accuracy"}
        How labels come from probabilities. All but "argmax", the model's own `predict`, wrap the
        model, its preprocessing and its grid search in `TunedDecisionClassifier`, which tunes one
        weight a class for that score.
    tunable : bool
        `<model>_tuned` in `grid.models` stands for this model with `decision: macro_f1`.
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
    family: Literal["proposed", "ablation", "ml", "dl", "gnn", "peer"]
    label: Name = Field(min_length=1)
    preprocess: bool = True
    decision: Literal["argmax", "macro_f1", "balanced_accuracy"] = "argmax"
    tunable: bool = False


def build_model(
    spec: ModelSpec, *, random_state: int, encoder: ColumnEncoder | None = None
) -> BaseEstimator:
    """Build the unfitted estimator of a specification, without what tunes its decision.

    Parameters
    ----------
    spec : ModelSpec
    random_state : int
        Seed of the estimator and of every estimator nested in it, where it has the parameter.
        A `random_state` among the parameters wins.
    encoder : ColumnEncoder, optional
        Of dates and rare levels: what models do not do themselves is done by a copy before them.

    Returns
    -------
    estimator
        `Pipeline([("preprocess", TablePreprocessor()), ("model", ...)])`, or the bare model.

    Raises
    ------
    ModelSpecError
        If the class cannot be imported, is no classifier or gives no probabilities, or a
        parameter's name or value, in `params` or `grid`, is not one that it takes.

    Examples
    --------
    >>> from qcl_mixnet.evaluation.specs import ModelSpec, build_model
    >>> entry = {"class": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 3}}
    >>> spec = ModelSpec(**entry, family="ml", label="Tree")
    >>> build_model(spec, random_state=42)["model"]
    DecisionTreeClassifier(max_depth=3, random_state=42)
    """
    # A clone, so that seeding a nested estimator does not reach into the specification.
    try:
        model = clone(_construct(spec.class_, spec.params))
    except RuntimeError as error:
        raise ModelSpecError(
            f"Model class {spec.class_} cannot be cloned ({error}); store every parameter in the "
            "constructor as it is, and change it in fit."
        ) from error
    if not is_classifier(model):
        raise ModelSpecError(
            f"Model class {spec.class_} is not a scikit-learn classifier; derive it from "
            "ClassifierMixin and BaseEstimator."
        )
    for name, values in (spec.grid or {}).items():
        for value in values:
            _validate(_with_params(clone(model), {name: value}, spec.class_), spec.class_)
    for candidate in ParameterGrid(spec.grid or {}):
        if _lacks_probabilities(clone(model).set_params(**candidate)):
            raise ModelSpecError(no_probabilities(spec, candidate))
    given = _flat_names(spec.params)
    seeds = {
        name: random_state
        for name in model.get_params(deep=True)
        if name.rpartition("__")[2] == "random_state" and name not in given
    }
    model.set_params(**seeds)
    encoding = {} if encoder is None else encoder.get_params(deep=False)
    if spec.preprocess:
        steps = [("preprocess", TablePreprocessor(**encoding))]
    elif encoder is not None and not _encodes_itself(spec, encoder):
        steps = [("encode", clone(encoder))]
    else:
        names = {"dates", "rare_levels"} & encoding.keys() & model.get_params(deep=False).keys()
        return model.set_params(**{name: encoding[name] for name in names})
    return Pipeline([*steps, (_MODEL_STEP, model)])


def with_decision(spec: ModelSpec, estimator: BaseEstimator, *, random_state: int) -> BaseEstimator:
    """Wrap a model, or the search for one, for its decision to be tuned.

    Parameters
    ----------
    spec : ModelSpec
        The model; its `decision` is not "argmax".
    estimator : classifier
        Unfitted: `build_model`'s, or a search for the best of its grid.
    random_state : int
        Seed of the folds that the decision is tuned on.

    Returns
    -------
    classifier
        Unfitted `TunedDecisionClassifier`.
    """
    tuned = _import_class(_TUNED_DECISION)
    wrapped: BaseEstimator = tuned(estimator, metric=spec.decision, random_state=random_state)
    return wrapped


def build_grid(
    spec: ModelSpec, encoder: ColumnEncoder | None = None
) -> dict[str, list[Any]] | None:
    """Give the grid in the parameter names of `build_model`'s estimator.

    Parameters
    ----------
    spec : ModelSpec
    encoder : ColumnEncoder, optional
        The one that `build_model` gets.

    Returns
    -------
    dict of str to list, or None if there is nothing to search
    """
    encodes = encoder is not None and not _encodes_itself(spec, encoder)
    prefix = f"{_MODEL_STEP}__" if spec.preprocess or encodes else ""
    grid = {f"{prefix}{name}": list(values) for name, values in (spec.grid or {}).items()}
    return grid or None


def _encodes_itself(spec: ModelSpec, encoder: ColumnEncoder) -> bool:
    """Whether a model that reads raw tables does what an encoder before it would do."""
    encodes = getattr(_import_class(spec.class_), "encodes_columns", False)
    return encodes and encoder.max_levels == ColumnEncoder().max_levels


def class_paths(spec: ModelSpec) -> list[str]:
    """Dotted paths of a model's class, those in its parameters, and what tunes its decision."""
    paths, pending = [spec.class_], [*spec.params.values()]
    if spec.decision != "argmax":
        paths.append(_TUNED_DECISION)
    while pending:
        value = pending.pop()
        if _is_estimator_spec(value):
            paths.append(value["class"])
            pending += (value.get("params") or {}).values()
    return paths


def no_probabilities(spec: ModelSpec, candidate: Mapping[str, Any] | None = None) -> str:
    """Say that a model has no `predict_proba`, and what to do.

    Parameters
    ----------
    spec : ModelSpec
    candidate : mapping, optional
        Values of the grid with which it has none.
    """
    chosen = ", ".join(f"{name}={value!r}" for name, value in (candidate or {}).items())
    return (
        f"Model {spec.label!r} ({spec.class_}{f' with {chosen}' if chosen else ''}) gives no "
        "probabilities (predict_proba), without which it cannot be scored; set the parameter that "
        "turns them on if it has one, or wrap it: class: "
        "sklearn.calibration.CalibratedClassifierCV with params: {estimator: {class: "
        f"{spec.class_}}}}}."
    )


def _lacks_probabilities(model: BaseEstimator) -> bool:
    try:
        model.predict_proba  # noqa: B018 - asked for, not called
    except AttributeError as error:
        # A stacking gives what an estimator gives that it makes or fits later: not known yet.
        asked = error.__cause__ if isinstance(error.__cause__, AttributeError) else error
        later = asked.obj is None and asked.name == "predict_proba"
        return not (later or str(asked.name).endswith("_"))
    return False


def _is_estimator_spec(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("class"), str)


def _flat_names(params: Mapping[str, Any]) -> set[str]:
    """Names of all parameters given, those of an estimator `a` among them as `a__name`."""
    names = set(params)
    for name, value in params.items():
        if _is_estimator_spec(value):
            names |= {f"{name}__{inner}" for inner in _flat_names(value.get("params") or {})}
    return names


def _construct(path: str, params: Mapping[str, Any]) -> BaseEstimator:
    """Make an estimator with its parameters set and checked, estimators among them made first."""
    made = {
        name: _construct_inner(name, value, path) if _is_estimator_spec(value) else value
        for name, value in params.items()
    }
    model_class = _import_class(path)
    try:
        model = model_class()
    except TypeError as error:
        raise ModelSpecError(
            f"Model class {path} cannot be made without arguments ({error}); "
            "give its parameters defaults."
        ) from error
    if not isinstance(model, BaseEstimator):
        raise ModelSpecError(
            f"Model class {path} is not a scikit-learn classifier; derive it from "
            "ClassifierMixin and BaseEstimator."
        )
    return _validate(_with_params(model, made, path), path)


def _construct_inner(name: str, value: Mapping[str, Any], path: str) -> BaseEstimator:
    unknown = sorted(set(value) - {"class", "params"})
    params = value.get("params") or {}
    if unknown or not isinstance(params, Mapping):
        raise ModelSpecError(
            f"Parameter {name!r} of model class {path} holds an estimator, which has a class and "
            f"params, a mapping, and nothing else; got {dict(value)!r}."
        )
    return _construct(value["class"], params)


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
            f"Model class {path} cannot be imported ({error}); correct its path, install the "
            "package that holds it, or put a module of your own into src/ of the project."
        ) from error
    except Exception as error:  # a module of the user's own may raise anything
        frame = traceback.extract_tb(error.__traceback__)[-1]
        # A syntax error has its place in its words.
        place = (
            "" if isinstance(error, SyntaxError) else f" ({frame.filename}, line {frame.lineno})"
        )
        raise ModelSpecError(
            f"Model class {path} cannot be imported: {type(error).__name__}: {error}{place}; "
            "correct that module."
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
    if close := difflib.get_close_matches(name, candidates, n=1):
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
