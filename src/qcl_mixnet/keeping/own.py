"""QCL-MixNet and QCL-MixNet+, which have files of their own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from qcl_mixnet.keeping.keeper import Keeper, Parts, class_name

OWN_CLASSES = (
    "qcl_mixnet.estimators.classifier.QCLMixNetClassifier",
    "qcl_mixnet.estimators.plus.classifier.QCLMixNetPlusClassifier",
)

# Their names in this folder, and where `save` of the classifiers writes them.
_FILES = {"classifier.json": "model.json", "classifier.safetensors": "model.safetensors"}


class OwnKeeper(Keeper):
    """What `save` of the classifier writes, as it is."""

    name = "qcl_mixnet"
    files = tuple(_FILES)

    def refusal(self, model: Any) -> str | None:
        """Trees of a blend have no files."""
        if not getattr(model, "trees", False):
            return None
        return "trees of a QCL-MixNet+ have no file format of their own; train with trees=False"

    def take_apart(self, model: Any) -> Parts:
        """Let the classifier save itself."""
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "model")
            files = {
                name: (Path(folder) / "model" / there).read_bytes()
                for name, there in _FILES.items()
            }
        return Parts(class_name=class_name(model), classes=model.classes_, files=files)

    def put_together(self, parts: Parts, device: str) -> Any:
        """Let the classifier load itself."""
        from qcl_mixnet.estimators.loading import load_classifier

        with tempfile.TemporaryDirectory() as folder:
            for name, there in _FILES.items():
                (Path(folder) / there).write_bytes(parts.file(name))
            return load_classifier(folder, device=device)
