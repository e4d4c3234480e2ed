"""Nodes of the evaluation pipeline."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from qcl_mixnet.data.roster import DatasetEntry
from qcl_mixnet.evaluation.cell_folder import CellFolder
from qcl_mixnet.evaluation.cells import CellResult
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

    def evaluate_dataset(
        self,
        entry: dict[str, Any],
        schema: dict[str, Any],
        splits: pd.DataFrame,
        protocol: EvaluationProtocol,
        models: dict[str, Any],
        options: dict[str, Any],
        **cells: CellFolder,
    ) -> tuple[pd.DataFrame, ...]:
        """Gather the tables of `GATHERED` of the pipeline, in its order.

        Metrics per model and repeat, scores per class, the data set's figures, its map, confusion
        and calibration of the control, and where each result comes from. The map is a t-SNE of the
        proposed model's representation of the first repeat's test rows, the one kept beside the
        result where nothing has changed.
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
            self._projection(proposed, cells, protocol.seed),
            gather_confusion(self.dataset, control, of_control, schema["class_names"]),
            gather_calibration(self.dataset, control, of_control),
            gather_provenance(self.dataset, current),
        )

    def _projection(
        self, results: dict[str, CellResult | None], cells: dict[str, CellFolder], seed: int
    ) -> pd.DataFrame:
        """Map representations, and keep the maps: t-SNE takes what a run without news does not."""
        keys = {name: result.record["key"] for name, result in results.items() if result}
        kept = [cells[name].projection(key) for name, key in keys.items()]
        kept = [points for points in kept if len(points)]
        previous = pd.concat(kept, ignore_index=True) if kept else None
        projection = project_first_repeat(self.dataset, results, seed=seed, previous=previous)
        for name, points in projection.groupby("model"):
            cells[str(name)].keep_projection(keys[str(name)], points)
        return projection
