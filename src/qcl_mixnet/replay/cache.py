"""The files of candidates: what each said of a block, under a key of all that it depends on."""

from __future__ import annotations

import json
import logging
import traceback
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.data.ingestion import content_sha256
from qcl_mixnet.data.schema import TARGET
from qcl_mixnet.evaluation.keys import code_digest, digest, library_versions
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.splits import Split, make_splits
from qcl_mixnet.evaluation.wording import printable
from qcl_mixnet.replay.options import ReplayOptions
from qcl_mixnet.replay.training import (
    Block,
    CandidateRecipe,
    NetworkRecipe,
    Trained,
    make_block,
    train_candidate,
)
from qcl_mixnet.writing import strict_json, write_atomically

logger = logging.getLogger(__name__)

_KEY_DIGITS = 16
_DAMAGED = (
    OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile,
    RecursionError,  # brackets that are nested thousands deep
)  # fmt: skip
_ARRAYS = ("out_of_fold", "test", "y_train", "y_test")


@dataclass(frozen=True)
class CandidateResult:
    """What one candidate said of one block.

    Attributes
    ----------
    record : dict
        JSON-able: `candidate`, `seed`, `key`, `status` ("ok" or "failed"), `error`, `traceback`,
        `best_epoch`, `seconds`.
    arrays : dict of str to ndarray
        `out_of_fold` and `test`, the probabilities; `y_train` and `y_test`. Empty where it failed.
    """

    record: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    @property
    def failed(self) -> bool:
        """Whether it could not be trained."""
        return self.record["status"] == "failed"


@dataclass(frozen=True)
class ReplayData:
    """A data set with the splits of a replay.

    Attributes
    ----------
    name : str
    features : DataFrame of shape (n_samples, n_features)
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    n_classes : int
    splits : list of Split
    fingerprint : str
        Hash of the table.
    test_size : float
        Share of the test parts, which the splits come from.
    """

    name: str
    features: pd.DataFrame
    labels: NDArray[np.int64]
    n_classes: int
    splits: list[Split]
    fingerprint: str
    test_size: float

    @classmethod
    def of(
        cls,
        name: str,
        table: pd.DataFrame,
        labels: NDArray[np.int64],
        n_classes: int,
        protocol: EvaluationProtocol,
        repeats: int,
    ) -> ReplayData:
        """Draw the splits: the protocol's, but as many as the replay has.

        Parameters
        ----------
        name : str
        table : DataFrame of shape (n_samples, n_features + 1)
            Features and the column `target`.
        labels : ndarray of shape (n_samples,)
            The target, encoded.
        n_classes : int
        protocol : EvaluationProtocol
        repeats : int

        Raises
        ------
        EvaluationError
            When the table cannot be split.
        """
        splits = make_splits(
            labels, test_size=protocol.test_size, repeats=repeats, seed=protocol.seed
        )
        fingerprint = content_sha256(table)
        features = table.drop(columns=TARGET)
        return cls(name, features, labels, n_classes, splits, fingerprint, protocol.test_size)

    def block(self, split: Split, options: ReplayOptions) -> Block:
        """Take a split's parts."""
        return make_block(self.features, self.labels, self.n_classes, split, options.max_rows)


def candidate_key(
    data: ReplayData, split: Split, recipe: CandidateRecipe, options: ReplayOptions
) -> str:
    """Hash all that a candidate's probabilities depend on.

    The name of the candidate is none of it, nor what designs are tried.

    Returns
    -------
    str
        Hexadecimal SHA-256.
    """
    fields = asdict(recipe)
    if isinstance(recipe, NetworkRecipe):
        del fields["recipe"]["name"]
    return digest(
        {
            "data": data.fingerprint,
            "split": [split.seed, data.test_size],
            "max_rows": options.max_rows,
            "max_steps": options.max_steps,
            "recipe": [type(recipe).__name__, fields],
            "code": code_digest((train_candidate.__module__,)),
            "libraries": library_versions(),
        }
    )


@dataclass(frozen=True)
class CandidateFolder:
    """Files of the candidates of a data set: `<candidate>/<seed of the split>-<key>.npz`.

    Attributes
    ----------
    path : Path
    """

    path: Path

    def file(self, candidate: str, seed: int, key: str) -> Path:
        """Where a result lies, whether or not it is there."""
        return self.path / candidate / f"{seed}-{key[:_KEY_DIGITS]}.npz"

    def result(self, candidate: str, seed: int, key: str) -> CandidateResult | None:
        """Read a result.

        Returns
        -------
        CandidateResult or None
            None where there is none of this key; where its file is damaged, with a warning.
        """
        path = self.file(candidate, seed, key)
        if not path.exists():
            return None
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                record = json.loads(str(stored["record"]))
                if record["key"] != key:
                    raise ValueError(f"it has the key {record['key']}")
                names = () if record["status"] == "failed" else _ARRAYS
                arrays = {name: stored[name] for name in names}
        except _DAMAGED as error:
            logger.warning("%s is damaged (%s); the candidate is trained again.", path, error)
            return None
        return CandidateResult(record, arrays)

    def save(self, result: CandidateResult) -> None:
        """Write a result as a whole."""
        record = result.record
        path = self.file(record["candidate"], record["seed"], record["key"])
        text = json.dumps(strict_json(record), allow_nan=False)
        write_atomically(path, partial(_write, record=text, arrays=result.arrays))


def _write(path: Path, *, record: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    with path.open("wb") as file:
        np.savez(file, record=np.array(record), **arrays)  # type: ignore[arg-type]


def train_missing(
    data: ReplayData, options: ReplayOptions, folder: CandidateFolder, *, n_jobs: int = 1
) -> Iterator[CandidateResult]:
    """Train what the folder lacks, one candidate on one split after another.

    Parameters
    ----------
    data : ReplayData
    options : ReplayOptions
    folder : CandidateFolder
        Only read: who takes the results saves each before asking for the next.
    n_jobs : int, default=1
        Threads.

    Yields
    ------
    CandidateResult
        Status "failed" for a candidate that raised: the others do not depend on it. One that
        failed before is tried again.
    """
    missing = [
        (split, name, recipe, key)
        for split in data.splits
        for name, recipe in options.trained.items()
        for key in [candidate_key(data, split, recipe, options)]
        if (found := folder.result(name, split.seed, key)) is None or found.failed
    ]
    total = len(data.splits) * len(options.trained)
    logger.info(
        "%s: %d of %d trainings of candidates to do.", data.name, len(missing), total
    )  # fmt: skip
    for i, (split, name, recipe, key) in enumerate(missing, start=1):
        block = data.block(split, options)
        result = _try(name, recipe, key, block, options, n_jobs)
        outcome = f"failed: {result.record['error']}" if result.failed else "trained"
        logger.log(
            logging.WARNING if result.failed else logging.INFO,
            "[%d/%d] %s.%s, split %d: %s in %.1f s",
            i, len(missing), data.name, name, split.seed, outcome, result.record["seconds"],
        )  # fmt: skip
        yield result


def _try(
    name: str,
    recipe: CandidateRecipe,
    key: str,
    block: Block,
    options: ReplayOptions,
    n_jobs: int,
) -> CandidateResult:
    record = {"candidate": name, "seed": block.seed, "key": key}
    try:
        trained = train_candidate(recipe, block, max_steps=options.max_steps, n_jobs=n_jobs)
        _check(trained)
    except Exception as error:  # whatever a candidate may raise is a result of the replay
        said = printable(f"{type(error).__name__}: {error}")
        trace = printable(traceback.format_exc())
        failure = {"status": "failed", "error": said, "traceback": trace, "seconds": 0.0}
        return CandidateResult({**record, **failure}, {})
    arrays = {
        "out_of_fold": trained.out_of_fold,
        "test": trained.test,
        "y_train": block.y_train,
        "y_test": block.y_test,
    }
    found = {"best_epoch": trained.best_epoch, "seconds": trained.seconds}
    return CandidateResult({**record, "status": "ok", "error": None, **found}, arrays)


def _check(trained: Trained) -> None:
    if not np.isfinite(trained.test).all():
        raise ValueError("some probabilities of test rows are not finite")
