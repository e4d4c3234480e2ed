"""Where a data set is fetched from, and whether it has to be fetched again."""

from pathlib import Path

from kedro.io import CatalogProtocol

from qcl_mixnet.data.ingestion import source_fingerprint
from qcl_mixnet.data.roster import DatasetEntry
from qcl_mixnet.data.sources import FetchContext
from qcl_mixnet.data.sources.files import local_file
from qcl_mixnet.project.configuration import expanded, project_root
from qcl_mixnet.project.parameters import IngestionOptions


def fetch_context(dataset: str, options: IngestionOptions) -> FetchContext:
    """Say where and how patiently to fetch a data set."""
    return FetchContext(
        dataset=dataset,
        downloads=Path(expanded(options.downloads)),
        project_root=project_root(),
        timeout=options.timeout,
        retries=options.retries,
        backoff=options.backoff,
    )


def is_current(dataset: str, catalog: CatalogProtocol) -> bool:
    """Whether `data/01_raw` holds the table of the data set's present sources.

    A table without a note of where it came from was put there by the user, and stays. One that came
    from the user's folder stays when that folder is no longer named.
    """
    if not catalog.exists(f"{dataset}.table"):
        return False
    provenance = catalog.load(f"{dataset}.table").attrs.get("provenance")
    if provenance is None:
        return True
    if provenance.get("source") == "local_folder" and local_file(dataset) is None:
        return True
    entry = DatasetEntry.model_validate(catalog.load(f"params:datasets.{dataset}"))
    options = IngestionOptions.model_validate(catalog.load("params:ingestion"))
    context = fetch_context(dataset, options)
    return provenance.get("entry_sha256") == source_fingerprint(dataset, entry, context)
