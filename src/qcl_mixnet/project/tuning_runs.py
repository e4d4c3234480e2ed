"""Trials of a search as runs of MLflow: one of each data set, and below it one of each trial."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from qcl_mixnet.project.tracking import MAX_VALUE_LENGTH, RunBinding, flatten
from qcl_mixnet.project.tracking_addresses import public_address, reason
from qcl_mixnet.tuning.options import TuningOptions
from qcl_mixnet.tuning.search import TrialRecord
from qcl_mixnet.tuning.tune import Best

logger = logging.getLogger(__name__)


class TrialRuns:
    """Runs of MLflow for one data set: its own, a child of the session's run, and one a trial.

    A server that fails costs the view, not the study: the failure is logged once, and nothing more
    is sent for this data set.

    Parameters
    ----------
    binding : RunBinding
        The session's run.
    dataset : str
        Name of the data set.
    """

    def __init__(self, binding: RunBinding, dataset: str):
        self.binding = binding
        self.dataset = dataset
        self.run_id: str | None = None

    def begin(self, options: TuningOptions) -> None:
        """Open the data set's run."""
        if self.binding.tracked:
            self._send(lambda client: self._open(client, options), always=True)

    def add(self, split: int, record: TrialRecord) -> None:
        """Add a finished trial as a child of the data set's run."""
        self._send(lambda client: self._create(client, split, record))

    def finish(self, best: Sequence[Best]) -> None:
        """Add what was found to the data set's run."""
        metrics = {
            f"{name}/split_{found.split}": score
            for found in best
            for name, score in (("best_score", found.score), ("first_score", found.first_score))
        }
        parameters = {f"best.split_{found.split}": found.parameters for found in best}
        self._send(lambda client: _log(client, self._id(), metrics, parameters))

    def end(self, status: str) -> None:
        """Close the data set's run."""
        self._send(lambda client: client.set_terminated(self._id(), status))

    def _send(self, action: Callable[[Any], None], *, always: bool = False) -> None:
        if self.run_id is None and not always:
            return
        from mlflow.tracking import MlflowClient

        try:
            action(MlflowClient(tracking_uri=self.binding.tracking_uri))
        except Exception as error:  # a server that answers with nonsense confuses MLflow at will
            self.run_id = None
            logger.warning(
                "The trials of '%s' are in the study's file, but no more of them go to MLflow at "
                "%s (%s).",
                self.dataset, public_address(self.binding.tracking_uri),
                reason(error, self.binding.tracking_uri),
            )  # fmt: skip

    def _open(self, client: Any, options: TuningOptions) -> None:
        run = client.create_run(
            self.binding.experiment_id,
            run_name=f"{self.dataset}.tuning",
            tags=self._tags(self.binding.run_id, options.model, options.study),
        )
        self.run_id = run.info.run_id
        self.model, self.study = options.model, options.study
        _log(client, self._id(), {}, {"tuning": options.model_dump(mode="json")})

    def _create(self, client: Any, split: int, record: TrialRecord) -> None:
        now = int(1000 * time.time())
        tags = self._tags(self._id(), self.model, self.study) | {"state": record.state}
        if record.error:
            tags["error"] = record.error[:MAX_VALUE_LENGTH]
        run = client.create_run(
            self.binding.experiment_id,
            run_name=f"{self.dataset}.split_{split}.trial_{record.number}",
            start_time=now - int(1000 * record.seconds),
            tags=tags,
        )
        metrics = {"score": record.score, "seconds": record.seconds, "trial": record.number}
        _log(client, run.info.run_id, metrics, {"split": split, **record.parameters})
        _log_folds(client, run.info.run_id, record.fold_scores)
        client.set_terminated(run.info.run_id, "FAILED" if record.error else "FINISHED")

    def _tags(self, parent: str, model: str, study: str) -> dict[str, str]:
        provenance = {name: str(value) for name, value in self.binding.provenance.items()}
        return {
            "mlflow.parentRunId": parent, "dataset": self.dataset, "model": model, "study": study,
            **provenance,
        }  # fmt: skip

    def _id(self) -> str:
        assert self.run_id is not None  # `_send` does nothing else
        return self.run_id


def _log(client: Any, run_id: str, metrics: dict[str, float], parameters: dict[str, Any]) -> None:
    from mlflow.entities import Metric, Param

    now = int(1000 * time.time())
    points = [Metric(name, v, now, 0) for name, v in metrics.items() if math.isfinite(v)]
    flat = flatten(parameters)
    params = [Param(name, str(value)[:MAX_VALUE_LENGTH]) for name, value in flat.items()]
    client.log_batch(run_id, metrics=points, params=params)


def _log_folds(client: Any, run_id: str, scores: list[list[float]]) -> None:
    """Add the scores of all folds as one series, in the order in which they were measured."""
    from mlflow.entities import Metric

    now = int(1000 * time.time())
    series = [score for folds in scores for score in folds]
    points = [Metric("fold_score", s, now, i) for i, s in enumerate(series) if math.isfinite(s)]
    client.log_batch(run_id, metrics=points)
