"""Tuning: a model's parameters by Optuna, on training rows. No part of `full`."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines.tuning.nodes import draw_tuning, gather_tuning, score_tuned, tune_model
from qcl_mixnet.project.parameters import Configuration
from qcl_mixnet.project.selection import check_tuned_model

DATA = ["table", "splits", "schema", "tuning_study"]


def create_pipeline(configuration: Configuration) -> Pipeline:
    """One namespace per data set of the grid, and a table of all.

    Raises
    ------
    ConfigurationError
        When the model to tune is not on the roster.
    """
    check_tuned_model(configuration.tuning.model, configuration.models)
    model = f"params:models.{configuration.tuning.model}"
    common = [model, "params:protocol", "params:tuning", "params:resources"]
    names = configuration.grid.datasets
    of_one = Pipeline(
        [
            Node(
                tune_model,
                [*DATA, *common],
                ["tuning_trials", "tuning_importances", "tuning_models"],
                name="tune",
                tags=["tuning"],
            ),
            Node(
                score_tuned,
                [*DATA, "tuning_trials", "tuning_models", *common],
                "scores",
                name="score_tuned",
                # Old scores of a data set that cannot be used now are removed, as gathered ones.
                tags=["tuning", "gather"],
            ),
            Node(
                draw_tuning,
                ["tuning_trials", "tuning_importances", "params:tuning"],
                ["tuning_history_figure", "tuning_importances_figure"],
                name="draw_tuning",
                tags=["tuning"],
            ),
        ]
    )
    parameters = {name.removeprefix("params:") for name in common}
    return Pipeline(
        [
            *(
                Pipeline(
                    of_one,
                    namespace=name,
                    parameters=parameters,
                    outputs={"scores": f"tuning_scores_{name}"},
                )
                for name in names
            ),
            Node(
                gather_tuning,
                [f"tuning_scores_{name}" for name in names],
                "tuning_scores",
                name="gather_tuning",
                tags=["tuning"],
            ),
        ]
    )
