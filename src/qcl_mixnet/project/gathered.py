"""Whether the tables that were gathered of a data set's cells are still what gathering would give.

Beside them lies `gathered.json` with the key of all that they were made from, and their checksums.
Where both are right, a run reads the tables instead of every cell's predictions.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from qcl_mixnet.evaluation.cell_folder import RECORD
from qcl_mixnet.evaluation.keys import code_digest, digest, library_versions
from qcl_mixnet.project.datasets import CellDataset, TableDataset
from qcl_mixnet.writing import write_atomically

NOTE = "gathered.json"
_NODES = "qcl_mixnet.pipelines.evaluation.nodes"


class GatheredTables:
    """The gathered tables of a run.

    Parameters
    ----------
    catalog : CatalogProtocol
    key_of : callable
        Gives the key of the result that a cell has now.
    """

    def __init__(self, catalog: CatalogProtocol, key_of: Callable[[CellDataset], str]):
        self.catalog, self.key_of = catalog, key_of

    def stale(self, nodes: Iterable[Node]) -> list[Node]:
        """Nodes whose tables are not there, or not of what they would be made from now."""
        return [node for node in nodes if not self._is_current(node)]

    def remember(self, nodes: Iterable[Node]) -> None:
        """Note what tables that have just been made were made from."""
        for node in nodes:
            note = {"key": self._key(node), "files": _checksums(self._tables(node))}
            write_atomically(self._note(node), partial(_write, note))

    def _is_current(self, node: Node) -> bool:
        try:
            noted = json.loads(self._note(node).read_text(encoding="utf-8"))
            key, files = noted["key"], noted["files"]
            return bool(key == self._key(node) and files == _checksums(self._tables(node)))
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return False

    def _key(self, node: Node) -> str:
        models, found = self._loaded_once("params:models"), {}
        for name in node.inputs:
            dataset = self.catalog.get(name)
            if isinstance(dataset, CellDataset):
                record = dataset.folder.folder(self.key_of(dataset)) / RECORD
                found[name] = _checksum(record) if record.exists() else None
                found[f"{name} model"] = models[dataset.model]
            elif name.startswith("params:") and name != "params:models":
                found[name] = self._loaded_once(name)
            elif name.endswith(".schema"):  # its fingerprint is of the table and the splits, too
                found[name] = self.catalog.load(name)
        text = json.dumps(found, sort_keys=True, default=str)
        return digest({"inputs": text, "code": self._code, "libraries": library_versions()})

    def _loaded_once(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self.catalog.load(name)
        return self._loaded[name]

    @cached_property
    def _loaded(self) -> dict[str, Any]:
        return {}

    @cached_property
    def _code(self) -> str:
        return code_digest((_NODES,))

    def _tables(self, node: Node) -> list[Path]:
        datasets = [self.catalog.get(name) for name in node.outputs]
        return [dataset.path for dataset in datasets if isinstance(dataset, TableDataset)]

    def _note(self, node: Node) -> Path:
        return self._tables(node)[0].with_name(NOTE)


def _write(note: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(note), encoding="utf-8")


def _checksums(paths: Iterable[Path]) -> dict[str, str]:
    return {path.name: _checksum(path) for path in paths}


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
