"""The folder of kept models as a Kedro dataset."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError


class KeptModelsDataset(AbstractDataset[None, Path]):
    """The folder that kept models are written to.

    Loading gives its path: which folder in it is written hangs on the parameters of the run.

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

    def load(self) -> Path:
        """Give the path of the folder."""
        return self.path

    def save(self, data: None) -> None:  # noqa: ARG002
        """Refuse: models write themselves."""
        raise DatasetError(f"{self.path} is written by the fitting of models, and by no node.")

    def _exists(self) -> bool:
        return self.path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path)}
