"""Fit: a model on all rows of a data set, kept in a folder. No part of `full`."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines import ingestion, preprocessing
from qcl_mixnet.pipelines.fit.nodes import fit_model
from qcl_mixnet.project.fitting import fit_names
from qcl_mixnet.project.parameters import Configuration


def create_pipeline(configuration: Configuration) -> Pipeline:
    """Bring the data set in, which the grid need not have, check it, and fit.

    Raises
    ------
    ConfigurationError
        When the model or the data set is not given or not known, or the model cannot be kept.
    """
    names = fit_names(configuration)
    grid = configuration.grid.model_copy(update={"datasets": [names.dataset]})
    of_dataset = configuration.model_copy(update={"grid": grid})
    common = ("protocol", "fit", "resources")
    parameters = [f"params:models.{names.model}", *(f"params:{name}" for name in common)]
    node = Node(
        fit_model,
        ["table", "schema", "kept_models", *parameters],
        "fit_report",
        name="fit_model",
        tags=["fit"],
    )
    fit_one = Pipeline(
        [node],
        namespace=names.dataset,
        inputs={"kept_models"},
        parameters={name.removeprefix("params:") for name in parameters},
        outputs={"fit_report"},
    )
    return Pipeline(
        [ingestion.create_pipeline(of_dataset), preprocessing.create_pipeline(of_dataset), fit_one]
    )
