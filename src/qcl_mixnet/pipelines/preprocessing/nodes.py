"""Nodes of the preprocessing pipeline."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.roster import DatasetEntry
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.preparation import prepare_dataset
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.split_columns import SplitColumns
from qcl_mixnet.project.datasets import Unavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrepareTable:
    """Check the table of one data set, encode its labels and draw its splits.

    A class for the reason that `IngestTable` is one.

    Parameters
    ----------
    dataset : str
        Name on the roster.
    """

    dataset: str

    def prepare_table(
        self, table: pd.DataFrame, entry: Mapping[str, Any], protocol: EvaluationProtocol
    ) -> tuple[pd.DataFrame | Unavailable, dict[str, Any]]:
        """Check a table, encode its labels and draw its splits.

        Gives a table with `label` and one `part_<seed>` column per repeat, and the schema.

        A table that cannot be used is reported and does not stop the others. Scaling and
        imputation belong to the models, which fit them on training rows.
        """
        # A mapping where the node runs as another pipeline's prerequisite: Kedro types the
        # parameters of the pipelines that a command names.
        checked = EvaluationProtocol.model_validate(protocol)
        declared = DatasetEntry.model_validate(entry)
        try:
            prepared = prepare_dataset(
                table,
                checked,
                self.dataset,
                dates=declared.dates,
                rare_levels=declared.rare_levels,
                split_by=SplitColumns(declared.groups, declared.time),
            )
        except (DataError, EvaluationError) as error:
            logger.warning("Refused: %s", error)
            return Unavailable(str(error), refused=True), {"refused": str(error)}
        return prepared.splits, prepared.schema
