"""Which data sets of a run can be used, and what is wrong with the others.

A data set that no source has is *not available*; one that is there but wrong is *refused*. Neither
stops the others.
"""

from collections.abc import Collection, Iterable, Mapping

from kedro.io import CatalogProtocol, DatasetError

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.project.datasets import TableDataset, Unavailable
from qcl_mixnet.project.freshness import is_current


def needs_ingestion(dataset: str, catalog: CatalogProtocol) -> bool:
    """Whether the table of a data set has to be brought in: not one that cannot be read.

    It may be the user's own, and must not be replaced without a word.
    """
    try:
        return not is_current(dataset, catalog)
    except DatasetError:
        return False


def without_table(datasets: Iterable[str], catalog: CatalogProtocol) -> dict[str, Unavailable]:
    """Data sets without a table of their present sources, after ingestion has tried."""
    problems = {}
    for name in datasets:
        try:
            current = is_current(name, catalog)
        except DatasetError as error:
            problems[name] = Unavailable(f"data set '{name}' cannot be read: {error}", refused=True)
            continue
        note = _note(f"{name}.table", catalog, forget=current)
        if not current:
            reason = f"data set '{name}' has no table; run the ingestion pipeline"
            problems[name] = note or Unavailable(reason)
    return problems


def refused_when_prepared(
    datasets: Iterable[str], catalog: CatalogProtocol
) -> dict[str, Unavailable]:
    """Data sets whose tables could not be checked or split, after preprocessing has tried."""
    notes = {name: _note(f"{name}.splits", catalog) for name in datasets}
    return {name: note for name, note in notes.items() if note is not None}


def stop_if_none_is_left(datasets: Collection[str], problems: Mapping[str, Unavailable]) -> None:
    """End a run that has data sets of which none can be used.

    Raises
    ------
    DatasetError
        When none is available.
    DataError
        When at least one of them was refused; the message has every reason.
    """
    if not datasets or len(problems) < len(datasets):
        return
    if not any(problem.refused for problem in problems.values()):
        raise DatasetError(
            f"No data set of this run is available: {', '.join(sorted(problems))}. The messages "
            f"above say what each one needs."
        )
    reasons = [problems[name].reason for name in sorted(problems)]
    if len(reasons) == 1:
        raise DataError(reasons[0])
    raise DataError(f"No data set of this run can be used: {'; '.join(reasons)}")


def problems_of(datasets: Iterable[str], catalog: CatalogProtocol) -> dict[str, Unavailable]:
    """What was wrong with data sets in the run that has just ended, by their notes."""
    problems = {}
    for name in datasets:
        note = _note(f"{name}.table", catalog) or _note(f"{name}.splits", catalog)
        if note is not None:
            problems[name] = note
    return problems


def _note(name: str, catalog: CatalogProtocol, *, forget: bool = False) -> Unavailable | None:
    dataset = catalog.get(name)
    if not isinstance(dataset, TableDataset):
        return None
    if forget:
        dataset.forget_note()
    return dataset.load_note()
