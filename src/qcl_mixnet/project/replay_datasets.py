"""The Kedro dataset of a replay's candidates."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from qcl_mixnet.replay.cache import CandidateFolder, CandidateResult


class CandidatesDataset(AbstractDataset[CandidateResult, CandidateFolder]):
    """What the candidates said of one data set: a folder with a file for each.

    Loading gives the folder, saving adds a file to it.

    Parameters
    ----------
    path : str
        The folder.
    metadata : dict, optional
        For plugins such as Kedro-Viz.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None):
        self.path = Path(path)
        self.metadata = metadata
        self.folder = CandidateFolder(self.path)

    def load(self) -> CandidateFolder:
        """Give the folder."""
        return self.folder

    def save(self, data: CandidateResult) -> None:
        """Write the file of one result."""
        self.folder.save(data)

    def _exists(self) -> bool:
        return self.path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}
