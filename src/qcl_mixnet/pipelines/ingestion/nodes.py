"""Nodes of the ingestion pipeline."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.ingestion import ingest
from qcl_mixnet.data.roster import DatasetEntry
from qcl_mixnet.data.sources.files import local_file
from qcl_mixnet.project.datasets import Unavailable
from qcl_mixnet.project.freshness import fetch_context
from qcl_mixnet.project.parameters import IngestionOptions

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class IngestTable:
    """Bring one data set in from the first source that has it.

    A class whose method is the node, and not `functools.partial`: a node needs a name that survives
    the way to a worker process, and multiprocessing strips a partial's. Kedro-Viz shows the code of
    a method, too, with the sentence on top that says what the node does.

    Parameters
    ----------
    dataset : str
        Name on the roster.
    """

    dataset: str

    def ingest_table(
        self, entry: Mapping[str, Any], options: Mapping[str, Any]
    ) -> pd.DataFrame | Unavailable:
        """Fetch the table; one that no source has, or that is wrong, does not stop the others."""
        context = fetch_context(self.dataset, IngestionOptions.model_validate(options))
        local_file(self.dataset)  # a wrong setting for all data sets ends the run
        try:
            return ingest(self.dataset, DatasetEntry.model_validate(entry), context)
        except SourceUnavailableError as error:
            logger.warning("%s", error)
            return Unavailable(str(error))
        except DataError as error:
            reason = str(error)
            if f"'{self.dataset}'" not in reason:
                reason = f"data set '{self.dataset}' cannot be used: {reason}"
            logger.warning("Refused: %s", reason)
            return Unavailable(reason, refused=True)
