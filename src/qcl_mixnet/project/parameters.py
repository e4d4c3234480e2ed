"""Everything that `conf/` may hold, as types: an unknown key or a bad value is one sentence."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.names import Name, as_text
from qcl_mixnet.data.roster import DatasetEntry, parse_entry
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.project.fit_options import FitOptions
from qcl_mixnet.project.grid_names import (
    nameable,
    names_of,
    untuned,
    with_names_as_text,
    with_tuned_models,
)
from qcl_mixnet.project.plan_options import PlanOptions
from qcl_mixnet.project.report_names import PublishOptions, Reports
from qcl_mixnet.project.resources import Resources
from qcl_mixnet.project.tracking_addresses import without_secrets
from qcl_mixnet.project.try_options import TryOptions
from qcl_mixnet.replay.options import ReplayOptions
from qcl_mixnet.scoring.training_columns import ColumnOrder, ExtraColumns
from qcl_mixnet.speed.measurement import SpeedOptions
from qcl_mixnet.statistics.comparison import ComparisonOptions
from qcl_mixnet.suggestions import did_you_mean, listed
from qcl_mixnet.tuning.options import TuningOptions

logger = logging.getLogger(__name__)

_Model = TypeVar("_Model", bound=BaseModel)


class ConfigurationError(ValueError):
    """The configuration cannot be used; the message says what to change."""


# Names become node names, folders and MLflow tags.
ModelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
# Says where an entry of the roster stands, given the section and the name: ("models", "knn").
Place = Callable[[str, object], str]


class Grid(BaseModel):
    """Which data sets and models this run has.

    On the command line: `--params=grid.datasets=glass+ecoli,grid.models=knn+qcl_mixnet`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    datasets: Annotated[list[str], BeforeValidator(names_of), Field(min_length=1)]
    models: Annotated[list[str], BeforeValidator(names_of), Field(min_length=1)]


class IngestionOptions(BaseModel):
    """Where downloads go and how patient they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    downloads: Name
    timeout: float = Field(default=30, gt=0)
    retries: int = Field(default=3, ge=0)
    backoff: float = Field(default=1, ge=0)


class InferenceOptions(BaseModel):
    """A table to score and the model that does it; see `conf/base/parameters_inference.yml`.

    Paths may be left out where nothing is scored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Name | None = None
    table: Name | None = None
    output: Name | None = None
    id_columns: Annotated[list[str], BeforeValidator(names_of)] = []
    column_order: ColumnOrder = "reorder"
    extra_columns: ExtraColumns = "ignore"
    chunk_rows: int = Field(default=100_000, ge=1)
    decision: str | None = None
    device: str = "auto"


class Configuration(BaseModel):
    """All parameters of the project.

    `data_root` and `raw_root` come from `--params` alone: the catalog reads them, to put
    results and raw tables in other folders for one run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    datasets: dict[str, DatasetEntry]
    models: dict[ModelName, ModelSpec]
    grid: Grid
    protocol: EvaluationProtocol
    ingestion: IngestionOptions
    resources: Resources
    statistics: ComparisonOptions = Field(default_factory=ComparisonOptions)
    speed: SpeedOptions = Field(default_factory=SpeedOptions)
    inference: InferenceOptions = Field(default_factory=InferenceOptions)
    fit: FitOptions = Field(default_factory=FitOptions)
    tuning: TuningOptions = Field(default_factory=TuningOptions)
    replay: ReplayOptions = Field(default_factory=ReplayOptions)
    plan: PlanOptions = Field(default_factory=PlanOptions)
    publish: PublishOptions = Field(default_factory=PublishOptions)
    try_: TryOptions = Field(default_factory=TryOptions, alias="try")  # a word of Python's own
    reports: Reports = Field(default_factory=Reports)
    data_root: Name | None = None
    raw_root: Name | None = None

    @property
    def families(self) -> list[str]:
        """Families of the grid's models: the tags that a run can be cut down to."""
        return sorted({self.models[name].family for name in self.grid.models})


def parse_configuration(
    parameters: Mapping[str, Any],
    given: Mapping[str, Any] | None = None,
    place: Place = lambda section, name: "conf/ or --params",  # noqa: ARG005
) -> Configuration:
    """Check the project's parameters.

    Parameters
    ----------
    parameters : mapping
        What Kedro's configuration loader returns for "parameters".
    given : mapping or None
        Those that this run was started with. An entry of the roster in them must be right, even if
        the grid has it not.
    place : callable
        Says where an entry of the roster stands, for messages.

    Raises
    ------
    ConfigurationError
        On an unknown key, a value out of range, a name in the grid, or of the control, that is on
        no roster, or a label that two models of the grid share.
    """
    parameters = with_tuned_models(with_names_as_text(parameters))
    checked: dict[str, Any] = dict(parameters)
    for section, parse_one, kind in (
        ("datasets", _parse_dataset, "data set"),
        ("models", _parse_model, "model"),
    ):
        entries = parameters.get(section, {})
        if not isinstance(entries, Mapping):
            raise ConfigurationError(
                f"'{section}' must be a mapping of names to entries, got {entries!r}; correct it "
                f"in conf/."
            )
        chosen, named = _named(checked.get("grid"), section), _named(given, section)
        roster = _Roster(kind, parse_one, chosen | named, partial(place, section))
        checked[section] = roster.check(entries, named)
    if "models" not in parameters:  # which must be there; a roster may be empty
        del checked["models"]
    configuration = _parse(Configuration, checked)
    grid, models = configuration.grid, configuration.models
    statistics = configuration.statistics
    # A project without QCL-MixNet need not name another control: it gets no comparison with one.
    controls = [statistics.control] if "control" in statistics.model_fields_set else []
    for kind, key, names, known in (
        ("data set", "grid.datasets", grid.datasets, configuration.datasets),
        (
            "data set",
            "replay.datasets",
            configuration.replay.datasets or [],
            configuration.datasets,
        ),
        ("model", "grid.models", grid.models, models),
        ("model", "statistics.control", controls, models),
    ):
        _check_names(kind, key, names, known)
    _check_labels({name: models[name].label for name in grid.models})
    return configuration


def parse_section(
    parameters: Mapping[str, Any],
    options: type[_Model],
    section: str,
    given: Mapping[str, Any] | None = None,
) -> _Model:
    """Check one section alone, for who reads no other, and the names of what was given.

    Parameters
    ----------
    parameters, given : mapping
        As for `parse_configuration`.
    options : type
        What the section holds.
    section : str

    Raises
    ------
    ConfigurationError
        On an unknown key or a value out of range.
    """
    for key, value in (given or {}).items():
        if key not in _known_keys(()):
            raise ConfigurationError(_unknown((key,), value))
    return _parse(options, parameters.get(section, {}), section)


def _parse(model: type[_Model], fields: Any, *path: str) -> _Model:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise ConfigurationError(_one_sentence(error, path)) from error


def _named(parameters: Mapping[str, Any] | None, section: str) -> set[str]:
    """Names in a list, or of a mapping's entries, as far as there are any."""
    names = parameters.get(section) if isinstance(parameters, Mapping) else None
    return {str(name) for name in names} if isinstance(names, list | Mapping) else set()


@dataclass(frozen=True)
class _Roster:
    """How the entries of one kind are checked: a bad one stops a run only if the run needs it."""

    kind: str
    parse_one: Callable[[Any, Any, str], Any]
    needed: Collection[str]
    place: Callable[[object], str]

    def check(self, entries: Mapping[Any, Any], named: Collection[str]) -> dict[str, Any]:
        """Check all entries, of which `named` are also in what the run was started with."""
        checked: dict[str, Any] = {}
        for name, fields in entries.items():
            place = self.place(name)
            if str(name) in named and "--params" not in place:
                place = f"{place} or --params"
            if str(name) in checked:
                raise ConfigurationError(
                    f"The {self.kind} '{name}' stands twice, as a number and as a text; write its "
                    f"name in quotes in {place}."
                )
            try:
                checked[str(name)] = self.parse_one(name, fields, place)
            except ConfigurationError as error:
                if str(name) in self.needed:
                    others = [str(other) for other in entries if other != name]
                    near = did_you_mean(str(name), others) if str(name) in named else ""
                    unknown = f"Unknown {self.kind} '{name}'{near} in --params, or a bad entry: "
                    raise ConfigurationError(f"{unknown if near else ''}{error}") from error
                logger.warning("The %s '%s' is left out: %s", self.kind, name, error)
        return checked


def _parse_dataset(name: object, fields: Any, place: str) -> DatasetEntry:
    try:
        return parse_entry(name, fields, place)
    except DataError as error:
        raise ConfigurationError(str(error)) from error


def _parse_model(name: object, fields: Any, place: str) -> ModelSpec:
    try:
        TypeAdapter(ModelName).validate_python(as_text(name))
        return ModelSpec.model_validate(fields)
    except ValidationError as error:
        raise ConfigurationError(_one_sentence(error, ("models", str(name)), place)) from error


def _check_names(kind: str, key: str, chosen: list[str], known: dict[str, Any]) -> None:
    for name in chosen:
        model = known.get(untuned(name) or "")
        if name not in known and isinstance(model, ModelSpec):
            raise ConfigurationError(
                f"The model '{untuned(name)}' cannot run as '{name}' in {key}: its entry under "
                f"conf/ does not say tunable: true; add that there, or remove '{name}'."
            )
        if name not in known:
            near = did_you_mean(name, nameable(known))
            raise ConfigurationError(
                f"Unknown {kind} '{name}'{near} in {key}; choose among {listed(known)}, or add an "
                f"entry for it under conf/."
            )
        if chosen.count(name) > 1:
            raise ConfigurationError(
                f"The {kind} '{name}' stands {chosen.count(name)} times in {key}; name it once."
            )


def _check_labels(labels: dict[str, str]) -> None:
    first_with: dict[str, str] = {}
    for name, label in labels.items():
        first = first_with.setdefault(label, name)
        if first != name:
            raise ConfigurationError(
                f"The models '{first}' and '{name}' of grid.models both have the label '{label}', "
                f"by which tables and figures could not tell them apart; give one of them another "
                f"label in conf/."
            )


def _one_sentence(
    error: ValidationError, path: tuple[str, ...] = (), place: str | None = None
) -> str:
    first, *others = error.errors(include_url=False)
    keys = (*path, *first["loc"])
    name = ".".join(map(str, keys))
    value = "" if isinstance(first["input"], Mapping) else f" (got {first['input']!r})"
    value = without_secrets(value)  # of an address
    more = f" There are {len(others)} more such errors." if others else ""
    if first["type"] == "extra_forbidden":
        return _unknown(keys, first["input"], place) + more
    cause = first["msg"].removeprefix("Value error, ")
    return (
        f"Parameter '{name}': {cause}{value}; correct it in {place or 'conf/ or --params'}.{more}"
    )


def _unknown(keys: tuple[str | int, ...], value: Any, place: str | None = None) -> str:
    name = ".".join(map(str, keys))
    got = "" if isinstance(value, Mapping) else f", got {value!r}"
    near = did_you_mean(str(keys[-1]), _known_keys(keys[:-1]))
    return (
        f"Unknown parameter '{name}'{near}{got}; remove it or correct its name in "
        f"{place or 'conf/ or --params'}."
    )


def _known_keys(path: tuple[str | int, ...]) -> list[str]:
    """Names of the parameters at a place such as ("models", "knn")."""
    here: Any = Configuration
    for key in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            fields = {field.alias or name: field for name, field in here.model_fields.items()}
            field = fields.get(str(key))
            here = field.annotation if field else None
        else:  # a mapping of names to entries
            here = next(iter(get_args(here)[1:]), None)
    if not (isinstance(here, type) and issubclass(here, BaseModel)):
        return []
    return [field.alias or name for name, field in here.model_fields.items()]
