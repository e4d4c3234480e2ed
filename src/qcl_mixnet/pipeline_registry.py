"""The pipelines of the project, listed one by one.

Not `find_pipelines`: it loads only the pipelines that the command names, and `full` is composed
of all of them.
"""

import logging

from kedro.pipeline import Pipeline

from qcl_mixnet.pipelines import (
    evaluation,
    fit,
    inference,
    ingestion,
    plan,
    preprocessing,
    publish,
    replay,
    reporting,
    speed,
    statistics,
    training,
    try_table,
    tuning,
)
from qcl_mixnet.project.parameters import (
    Configuration,
    ConfigurationError,
    InferenceOptions,
    parse_section,
)
from qcl_mixnet.project.registration import configuration_loader, run_in_progress
from qcl_mixnet.project.try_options import TryOptions
from qcl_mixnet.speed.measurement import SpeedOptions

logger = logging.getLogger(__name__)

# In the order in which they follow from each other.
STAGES = {
    "ingestion": ingestion.create_pipeline,
    "preprocessing": preprocessing.create_pipeline,
    "training": training.create_pipeline,
    "evaluation": evaluation.create_pipeline,
    "statistics": statistics.create_pipeline,
    "reporting": reporting.create_pipeline,
}
BENCHMARK = (*STAGES, "full", "__default__", "replay", "plan", "publish")


class Registry(dict[str, Pipeline]):
    """Pipelines by name, and why others could not be made: who asks for one of those is told."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals: dict[str, ConfigurationError] = {}

    def __missing__(self, name: str) -> Pipeline:
        if name in self.refusals:
            raise self.refusals[name]
        raise KeyError(name)


def register_pipelines() -> Registry:
    """Make every pipeline for the data sets and models of this run.

    What is wrong with the roster or the grid stops the benchmark's pipelines, but not those that
    need neither. It is logged, and raised when a benchmark's pipeline is asked for.

    Raises
    ------
    ConfigurationError
        When `conf/` cannot be read at all.
    """
    loader = configuration_loader()
    parameters = loader["parameters"]
    registry = Registry()
    # Two are for tables of the user's own, the other measures the machine, not the models.
    for name, options, pipeline in (
        ("inference", InferenceOptions, inference.create_pipeline()),
        ("speed", SpeedOptions, speed.create_pipeline()),
        ("try", TryOptions, try_table.create_pipeline()),
    ):
        try:
            parse_section(parameters, options, name, loader.runtime_params)
            registry[name] = pipeline
        except ConfigurationError as error:
            registry.refusals[name] = error
    try:
        registry.update(_benchmark(loader.configuration))
    except ConfigurationError as error:
        registry.refusals.update(dict.fromkeys((*BENCHMARK, "tuning", "fit"), error))
        if not run_in_progress():  # a run tells it where it matters
            logger.warning("The benchmark cannot run: %s", error)
        return registry
    # They need the same rosters, but are no part of `full`.
    for name, create in (("tuning", tuning.create_pipeline), ("fit", fit.create_pipeline)):
        try:
            registry[name] = create(loader.configuration)
        except ConfigurationError as error:
            registry.refusals[name] = error
    return registry


def _benchmark(configuration: Configuration) -> dict[str, Pipeline]:
    stages = {name: create(configuration) for name, create in STAGES.items()}
    # Pipeline([...]) of a list, not sum(...): that one is quadratic in the nodes.
    full = Pipeline(list(stages.values()))
    own = {
        "replay": replay.create_pipeline(configuration),
        "plan": plan.create_pipeline(configuration),
        "publish": publish.create_pipeline(),
    }
    return {**stages, "full": full, "__default__": full, **own}
