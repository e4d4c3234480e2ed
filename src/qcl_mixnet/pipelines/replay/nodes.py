"""Nodes of the replay pipeline."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.preparation import cell_data
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.project.resources import Resources
from qcl_mixnet.replay.cache import CandidateFolder, CandidateResult, ReplayData, train_missing
from qcl_mixnet.replay.comparison import compare_designs, designs_table
from qcl_mixnet.replay.designs import check_names
from qcl_mixnet.replay.figures import plot_parts
from qcl_mixnet.replay.options import ReplayOptions
from qcl_mixnet.replay.parts import parts_table, value_parts
from qcl_mixnet.replay.scoring import score_designs
from qcl_mixnet.reporting.rendering import Table


@dataclass(frozen=True)
class TrainCandidates:
    """Train the candidates of one data set that its folder lacks.

    A class for the reason that `IngestTable` is one; the node is its method, as Kedro saves what a
    generator yields one by one if it is a function.

    Parameters
    ----------
    dataset : str
        Name on the roster.
    """

    dataset: str

    def train_candidates(
        self,
        table: pd.DataFrame,
        splits: pd.DataFrame,
        schema: dict[str, Any],
        options: ReplayOptions,
        protocol: EvaluationProtocol,
        resources: Resources,
        folder: CandidateFolder,
    ) -> Iterator[CandidateResult]:
        """Give one result after another: each is saved before the next training begins."""
        options = ReplayOptions.model_validate(options)
        check_names(options)
        data = _data(self.dataset, table, splits, schema, options, protocol)
        n_jobs = Resources.model_validate(resources).n_jobs
        yield from train_missing(data, options, folder, n_jobs=n_jobs)


@dataclass(frozen=True)
class ScoreDesigns:
    """Try all designs on one data set.

    Parameters
    ----------
    dataset : str
        Name on the roster.
    """

    dataset: str

    def score_designs(
        self,
        table: pd.DataFrame,
        splits: pd.DataFrame,
        schema: dict[str, Any],
        options: ReplayOptions,
        protocol: EvaluationProtocol,
        folder: CandidateFolder,
    ) -> pd.DataFrame:
        """Give a row for every design and split."""
        options = ReplayOptions.model_validate(options)
        data = _data(self.dataset, table, splits, schema, options, protocol)
        return score_designs(data, options, folder)


def _data(
    name: str,
    table: pd.DataFrame,
    splits: pd.DataFrame,
    schema: dict[str, Any],
    options: ReplayOptions,
    protocol: EvaluationProtocol,
) -> ReplayData:
    if split_by := schema.get("split_by"):
        kind = next(iter(split_by))
        raise EvaluationError(
            f"data set '{name}' has `{kind}: {split_by[kind]}`, and a replay draws its own splits "
            "at random; leave it out of replay.datasets."
        )
    cells = cell_data(table, splits, schema)
    protocol = EvaluationProtocol.model_validate(protocol)
    return ReplayData.of(name, table, cells.labels, cells.n_classes, protocol, options.repeats)


def report_replay(scores: pd.DataFrame, options: ReplayOptions) -> tuple[Table, Table, Figure]:
    """Compare the designs over the data sets: a table of them, and what each part is worth."""
    options = ReplayOptions.model_validate(options)
    designs = designs_table(compare_designs(scores, options), options, options.repeats)
    parts = parts_table(value_parts(scores, options), options)
    return designs, parts, plot_parts(scores, options)
