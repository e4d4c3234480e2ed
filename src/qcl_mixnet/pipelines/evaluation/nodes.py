"""Nodes of the evaluation pipeline."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from qcl_mixnet.data.roster import DatasetEntry
from qcl_mixnet.evaluation.cell_folder import CellFolder
from qcl_mixnet.evaluation.confusion import gather_calibration, gather_confusion
from qcl_mixnet.evaluation.description import describe_dataset
from qcl_mixnet.evaluation.gathering import gather_metrics, gather_per_class
from qcl_mixnet.evaluation.keys import cell_key
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.provenance import gather_provenance
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.reporting.representation import project_first_repeat
from qcl_mixnet.statistics.comparison import ComparisonOptions


@dataclass(frozen=True)
class EvaluateDataset:
    """Gather what the cells of one data set found.

    A class for the reason that `IngestTable` is one.

    Parameters
    ----------
    dataset : str
        Name on the roster.
    """

    dataset: str
    __name__ = "evaluate_dataset"

    def __call__(
        self,
        entry: dict[str, Any],
        schema: dict[str, Any],
        splits: pd.DataFrame,
        protocol: EvaluationProtocol,
        models: dict[str, Any],
        options: dict[str, Any],
        previous_projection: pd.DataFrame,
        **cells: CellFolder,
    ) -> tuple[pd.DataFrame, ...]:
        """Gather the tables of `GATHERED` of the pipeline, in its order.

        Metrics per model and repeat, scores per class, the data set's figures, its map, confusion
        and calibration of the control, and where each result comes from. The map is a t-SNE of the
        proposed model's representation of the first repeat's test rows, the previous one where
        nothing has changed.
        """
        # A mapping where the node runs as another pipeline's prerequisite, as in preprocessing.
        protocol = EvaluationProtocol.model_validate(protocol)
        specs = {name: ModelSpec.model_validate(models[name]) for name in cells}
        current = {
            name: folder.result(cell_key(schema["fingerprint"], specs[name], protocol))
            for name, folder in cells.items()
        }
        proposed = {name: current[name] for name in current if specs[name].family == "proposed"}
        control = ComparisonOptions.model_validate(options).control
        of_control = current.get(control)
        return (
            gather_metrics(self.dataset, current, specs, protocol, schema["fingerprint"]),
            gather_per_class(self.dataset, current, schema["class_names"]),
            describe_dataset(self.dataset, DatasetEntry.model_validate(entry), schema, splits),
            project_first_repeat(
                self.dataset, proposed, seed=protocol.seed, previous=previous_projection
            ),
            gather_confusion(self.dataset, control, of_control, schema["class_names"]),
            gather_calibration(self.dataset, control, of_control),
            gather_provenance(self.dataset, current),
        )
