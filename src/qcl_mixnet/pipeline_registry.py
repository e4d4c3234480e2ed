"""The pipelines of the project, listed one by one.

Not ``find_pipelines``: it loads only the pipelines that the command names, and ``full`` is composed
of all of them.
"""

from kedro.pipeline import Pipeline

from qcl_mixnet.configuration import load_configuration
from qcl_mixnet.pipelines import (
    evaluation,
    inference,
    ingestion,
    preprocessing,
    reporting,
    speed,
    statistics,
    training,
)


def register_pipelines() -> dict[str, Pipeline]:
    """Make every pipeline for the data sets and models of this run.

    Raises
    ------
    ConfigurationError
        When ``conf/`` or ``--params`` cannot be used.
    """
    configuration = load_configuration()
    stages = {
        "ingestion": ingestion.create_pipeline(configuration),
        "preprocessing": preprocessing.create_pipeline(configuration),
        "training": training.create_pipeline(configuration),
        "evaluation": evaluation.create_pipeline(configuration),
        "statistics": statistics.create_pipeline(configuration),
        "reporting": reporting.create_pipeline(configuration),
    }
    # Pipeline([...]) of a list, not sum(...): that one is quadratic in the nodes.
    full = Pipeline(list(stages.values()))
    # One measures the machine, not the models; the other is for tables of the user's own.
    extra = {
        "speed": speed.create_pipeline(configuration),
        "inference": inference.create_pipeline(configuration),
    }
    return {**stages, **extra, "full": full, "__default__": full}
