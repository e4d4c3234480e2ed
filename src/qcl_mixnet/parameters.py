"""Everything that ``conf/`` may hold, as types: an unknown key or a bad value is one sentence."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from qcl_mixnet.baselines.specs import ModelSpec
from qcl_mixnet.data.roster import DatasetEntry, parse_roster
from qcl_mixnet.data.training_columns import ColumnOrder, ExtraColumns
from qcl_mixnet.evaluation.comparison import ComparisonOptions
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.speed import SpeedOptions


class ConfigurationError(ValueError):
    """The configuration cannot be used; the message says what to change."""


def _names(value: Any) -> Any:
    """Read ``a+b`` as a list: ``--params`` splits at commas."""
    return value.split("+") if isinstance(value, str) else value


# Names become node names, folders and MLflow tags.
ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Grid(BaseModel):
    """Which data sets and models this run has.

    On the command line: ``--params=grid.datasets=glass+ecoli,grid.models=knn+qcl_mixnet``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    datasets: Annotated[list[str], BeforeValidator(_names), Field(min_length=1)]
    models: Annotated[list[str], BeforeValidator(_names), Field(min_length=1)]


class IngestionOptions(BaseModel):
    """Where downloads go and how patient they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    downloads: str
    timeout: float = Field(default=30, gt=0)
    retries: int = Field(default=3, ge=0)
    backoff: float = Field(default=1, ge=0)


class Resources(BaseModel):
    """What a run may use; results do not depend on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_jobs: int = Field(default=1, ge=1)
    wait_seconds: float = Field(default=0, ge=0)


class InferenceOptions(BaseModel):
    """A table to score and the model that does it; see ``conf/base/parameters_inference.yml``.

    Paths may be left out where nothing is scored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = None
    table: str | None = None
    output: str | None = None
    id_columns: Annotated[list[str], BeforeValidator(_names)] = []
    column_order: ColumnOrder = "reorder"
    extra_columns: ExtraColumns = "ignore"
    chunk_rows: int = Field(default=100_000, ge=1)
    device: str = "auto"


# A folder inside the reporting layer: it may not lead out of it.
ReportFolder = Annotated[str, Field(pattern=r"^[\w=+-][\w.=+-]*(/[\w=+-][\w.=+-]*)*$")]


class Reports(BaseModel):
    """Names of one's own for the folders of reports, instead of environment and hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmark: ReportFolder | None = None
    speed: ReportFolder | None = None
    inference: ReportFolder | None = None


class Configuration(BaseModel):
    """All parameters of the project.

    ``data_root`` and ``raw_root`` come from ``--params`` alone: the catalog reads them, to put
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
    reports: Reports = Field(default_factory=Reports)
    data_root: str | None = None
    raw_root: str | None = None

    @property
    def families(self) -> list[str]:
        """Families of the grid's models: the tags that a run can be cut down to."""
        return sorted({self.models[name].family for name in self.grid.models})


def parse_configuration(parameters: dict[str, Any]) -> Configuration:
    """Check the project's parameters.

    Parameters
    ----------
    parameters : dict
        What Kedro's configuration loader returns for "parameters".

    Raises
    ------
    ConfigurationError
        On an unknown key, a value out of range, a name in the grid, or of the control, that is on
        no roster, or a label that two models of the grid share.
    """
    roster = parameters.get("datasets", {})
    if not isinstance(roster, dict):
        raise ConfigurationError(
            f"'datasets' must be a mapping of names to entries, got {roster!r}; correct it in "
            f"conf/."
        )
    try:
        roster = parse_roster(roster)
        configuration = Configuration.model_validate({**parameters, "datasets": roster})
    except ValidationError as error:
        raise ConfigurationError(_one_sentence(error)) from error
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    grid, models = configuration.grid, configuration.models
    statistics = configuration.statistics
    # A project without QCL-MixNet need not name another control: it gets no comparison with one.
    controls = [statistics.control] if "control" in statistics.model_fields_set else []
    for kind, key, chosen, known in (
        ("data set", "grid.datasets", grid.datasets, configuration.datasets),
        ("model", "grid.models", grid.models, models),
        ("model", "statistics.control", controls, models),
    ):
        _check_names(kind, key, chosen, known)
    _check_labels({name: models[name].label for name in grid.models})
    return configuration


def _check_names(kind: str, key: str, chosen: list[str], known: dict[str, Any]) -> None:
    for name in chosen:
        if name not in known:
            raise ConfigurationError(
                f"Unknown {kind} '{name}' in {key}; choose among {', '.join(sorted(known))}, "
                f"or add an entry for it under conf/."
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


def _one_sentence(error: ValidationError) -> str:
    first, *others = error.errors(include_url=False)
    place = ".".join(map(str, first["loc"]))
    value = "" if isinstance(first["input"], dict) else f" (got {first['input']!r})"
    more = f" There are {len(others)} more such errors." if others else ""
    if first["type"] == "extra_forbidden":
        return f"Unknown parameter '{place}'{value}; remove it or correct its name in conf/.{more}"
    return f"Parameter '{place}': {first['msg']}{value}; correct it in conf/ or --params.{more}"
