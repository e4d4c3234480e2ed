"""The scores of all designs on a data set, from the files of its candidates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.evaluation.splits import Split
from qcl_mixnet.replay.cache import CandidateFolder, CandidateResult, ReplayData, candidate_key
from qcl_mixnet.replay.designs import SCORES, Said, blend, make_designs, score
from qcl_mixnet.replay.options import ReplayOptions

COLUMNS = ["dataset", "repeat", "design", *SCORES, "weights"]


def score_designs(
    data: ReplayData, options: ReplayOptions, folder: CandidateFolder
) -> pd.DataFrame:
    """Try every design on every split of a data set.

    Parameters
    ----------
    data : ReplayData
    options : ReplayOptions
    folder : CandidateFolder
        Files of the candidates; one that is not there counts as failed.

    Returns
    -------
    DataFrame
        `dataset`, `repeat`, `design`, `log_loss`, `macro_f1_argmax`, `macro_f1_power`,
        `macro_f1_tuned` (see `score`) and `weights`, the shares of its members in a blend; NaN
        and no weights for a design all of whose members failed.
    """
    rows = [
        {"dataset": data.name, "repeat": repeat, **row}
        for repeat, split in enumerate(data.splits)
        for row in _rows_of_split(data, split, options, folder)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows_of_split(
    data: ReplayData, split: Split, options: ReplayOptions, folder: CandidateFolder
) -> Iterator[dict[str, Any]]:
    results = {
        name: found
        for name, recipe in options.trained.items()
        if (found := folder.result(name, split.seed, candidate_key(data, split, recipe, options)))
        is not None
        and not found.failed
    }
    candidates, labels = finite_rows(results)
    for design in make_designs(options):
        blended = blend(design, candidates, labels) if candidates else None
        if blended is None:
            yield {"design": design.name, **dict.fromkeys(SCORES, np.nan), "weights": ""}
            continue
        said, weights = blended
        y_test = next(iter(results.values())).arrays["y_test"]
        shares = ", ".join(f"{name} {share:.2f}" for name, share in weights.items() if share)
        scores = score(said, labels, y_test, split.seed)
        yield {"design": design.name, **scores, "weights": shares}


def finite_rows(
    results: Mapping[str, CandidateResult],
) -> tuple[dict[str, Said], NDArray[np.int64]]:
    """Keep the training rows that every candidate has probabilities of.

    The only row of a class is in no fold, so that no network has left it out.

    Parameters
    ----------
    results : mapping of str to CandidateResult
        Of one block; none failed.

    Returns
    -------
    dict of str to Said, ndarray of int64
        What the candidates said of these rows and of the test rows, and the rows' labels.
    """
    if not results:
        return {}, np.empty(0, dtype=np.int64)
    arrays = {name: result.arrays for name, result in results.items()}
    finite = np.logical_and.reduce([np.isfinite(a["out_of_fold"]).all(1) for a in arrays.values()])
    labels = next(iter(arrays.values()))["y_train"][finite]
    return {name: Said(a["out_of_fold"][finite], a["test"]) for name, a in arrays.items()}, labels
