"""The file of a study as a Kedro dataset."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from qcl_mixnet.project.tracking import RunBinding
from qcl_mixnet.project.tuning_runs import TrialRuns
from qcl_mixnet.tuning.options import TuningOptions


@dataclass(frozen=True)
class TrackedStudy:
    """Where a study is kept, and the run that its trials belong to.

    Attributes
    ----------
    path : Path
    dataset : str
    binding : RunBinding
    """

    path: Path
    dataset: str
    binding: RunBinding = field(default_factory=RunBinding)

    @contextmanager
    def tracked(self, options: TuningOptions) -> Iterator[TrialRuns]:
        """Open the data set's run, and close it as what became of the search."""
        runs = TrialRuns(self.binding, self.dataset)
        runs.begin(options)
        status = "FAILED"
        try:
            yield runs
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            runs.end(status)


class StudyDataset(AbstractDataset[None, TrackedStudy]):
    """The SQLite file of a data set's studies.

    Loading gives its place: a search writes every trial when it is finished, not all at its end.

    Parameters
    ----------
    path : str
        The file.
    dataset : str
        Name that the runs of the trials carry.
    metadata : dict, optional
        For plugins such as Kedro-Viz.
    """

    def __init__(self, *, path: str, dataset: str, metadata: dict[str, Any] | None = None):
        self.path = Path(path)
        self.dataset = dataset
        self.metadata = metadata
        self.binding = RunBinding()

    def bind(self, binding: RunBinding) -> None:
        """Say which run the trials belong to; plain strings, so it travels to any worker."""
        self.binding = binding

    def load(self) -> TrackedStudy:
        """Give the place of the study."""
        return TrackedStudy(self.path, self.dataset, self.binding)

    def save(self, data: None) -> None:  # noqa: ARG002
        """Refuse: the search itself writes."""
        raise DatasetError(f"{self.path} is written by the search of trials, and by no node.")

    def _exists(self) -> bool:
        return self.path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path), "dataset": self.dataset}
