"""Nodes of the evaluation pipeline."""

import logging
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qcl_mixnet.baselines.specs import ModelSpec
from qcl_mixnet.data.roster import DatasetEntry
from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.description import describe_dataset
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.gathering import current_results, gather_metrics, gather_per_class
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.reporting.representation import project_representation

logger = logging.getLogger(__name__)

_MAP_COLUMNS = ["row", "y_true", "x", "y", "dataset", "model", "test_selected"]


@dataclass(frozen=True)
class EvaluateDataset:
    """Gather what the cells of one data set found.

    A class for the reason that ``IngestTable`` is one.

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
        **results: CellResult | None,
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Metrics per model and repeat, scores per class, the data set's figures, and its map.

        The map is a t-SNE of the proposed model's representation of the first repeat's test rows.
        """
        # A mapping where the node runs as another pipeline's prerequisite, as in preprocessing.
        protocol = EvaluationProtocol.model_validate(protocol)
        specs = {name: ModelSpec.model_validate(models[name]) for name in results}
        current = current_results(results, specs, protocol, schema["fingerprint"])
        proposed = {name: current[name] for name in current if specs[name].family == "proposed"}
        return (
            gather_metrics(self.dataset, current, specs, protocol, schema["fingerprint"]),
            gather_per_class(self.dataset, current, schema["class_names"]),
            describe_dataset(self.dataset, DatasetEntry.model_validate(entry), schema, splits),
            project_first_repeat(self.dataset, proposed, seed=protocol.seed),
        )


def project_first_repeat(
    dataset: str, results: dict[str, CellResult | None], *, seed: int
) -> pd.DataFrame:
    """Map the first repeat's test rows of each model that left a representation of them."""
    maps = [pd.DataFrame(columns=_MAP_COLUMNS)]
    for model, result in results.items():
        if result is None or result.representation.empty:
            continue
        frame = result.representation
        try:
            places = project_representation(frame[frame["repeat"] == 0], seed=seed)
        except EvaluationError as error:
            logger.warning("%s on %s is left out of figure 4: %s", model, dataset, error)
            continue
        selected = result.record["test_selected"]
        maps.append(places.assign(dataset=dataset, model=model, test_selected=selected))
    return pd.concat([one for one in maps if len(one)] or maps, ignore_index=True)
