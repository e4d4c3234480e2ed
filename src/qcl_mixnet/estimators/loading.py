"""Reading a saved classifier whose class its files name."""

from __future__ import annotations

import os

from qcl_mixnet.estimators.classifier import QCLMixNetClassifier
from qcl_mixnet.estimators.plus.classifier import QCLMixNetPlusClassifier

SavedClassifier = QCLMixNetClassifier | QCLMixNetPlusClassifier


def load_classifier(path: str | os.PathLike[str], device: str = "auto") -> SavedClassifier:
    """Read a classifier that `save` wrote, of either class.

    Parameters
    ----------
    path : str or path
        The directory.
    device : str, default="auto"
        Where the networks go.

    Returns
    -------
    QCLMixNetClassifier or QCLMixNetPlusClassifier
        Fitted.

    Raises
    ------
    ModelFileError
        As `load` of the class.
    ValueError
        For a device that is not there.
    """
    from qcl_mixnet.persistence.files import saved_class

    if saved_class(path) == QCLMixNetPlusClassifier.__name__:
        return QCLMixNetPlusClassifier.load(path, device=device)
    # Also where no class is named: its `load` says what is wrong.
    return QCLMixNetClassifier.load(path, device=device)
