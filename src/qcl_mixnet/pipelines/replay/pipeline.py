"""Replay: candidates of blends trained once, designs tried on what they said. No part of `full`."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines import ingestion, preprocessing
from qcl_mixnet.pipelines.replay.nodes import ScoreDesigns, TrainCandidates, report_replay
from qcl_mixnet.pipelines.statistics.nodes import concatenate
from qcl_mixnet.project.parameters import Configuration


def create_pipeline(configuration: Configuration) -> Pipeline:
    """Bring in the replay's data sets, train and try on each, then compare over all."""
    names = configuration.replay.datasets or configuration.grid.datasets
    grid = configuration.grid.model_copy(update={"datasets": names})
    own = configuration.model_copy(update={"grid": grid})
    return Pipeline(
        [
            ingestion.create_pipeline(own),
            preprocessing.create_pipeline(own),
            *(_of_dataset(name) for name in names),
            Pipeline(
                [
                    Node(
                        concatenate,
                        [f"replay_scores_{name}" for name in names],
                        "replay_scores",
                        name="collect_replay_scores",
                    ),
                    Node(
                        report_replay,
                        ["replay_scores", "params:replay"],
                        ["replay_designs", "replay_parts", "replay_figure"],
                        name="report_replay",
                    ),
                ],
                tags=["replay"],
            ),
        ]
    )


def _of_dataset(name: str) -> Pipeline:
    read = ["table", "splits", "schema", "params:replay", "params:protocol"]
    return Pipeline(
        [
            Node(
                TrainCandidates(name).train_candidates,
                [*read, "params:resources", "candidates_before"],
                "candidates",
                name="train_candidates",
            ),
            # "gather": what it made of a data set that cannot be used any more is removed.
            Node(
                ScoreDesigns(name).score_designs, [*read, "candidates"], "replay_scores",
                name="score_designs", tags=["gather"],
            ),
        ],
        namespace=name,
        outputs={"replay_scores": f"replay_scores_{name}"},
        parameters={"replay", "protocol", "resources"},
        tags=["replay"],
    )  # fmt: skip
