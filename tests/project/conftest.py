"""A tracking database of a test's own, and parameters that are good until a test changes them."""

import copy
import shutil
import socket

import pytest

from qcl_mixnet.project.parameters import (
    ConfigurationError,
    parse_configuration,
)


@pytest.fixture
def uri(tmp_path, new_database):
    shutil.copy(new_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def refused_port():
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


GOOD = {
    "datasets": {
        "glass": {"label": "Glass", "sources": [{"type": "openml", "data_id": 41}]},
        "mine": {"label": "Mine", "sources": [{"type": "file", "path": "mine.csv"}]},
    },
    "models": {
        "tree": {"class": "sklearn.tree.DecisionTreeClassifier", "family": "ml", "label": "DT"},
        "net": {
            "class": "qcl_mixnet.estimators.classifier.QCLMixNetClassifier", "family": "proposed",
            "label": "Net", "preprocess": False,
        },
    },
    "grid": {"datasets": ["glass", "mine"], "models": ["tree", "net"]},
    "protocol": {"seed": 1, "checkpoint": "validation"},
    "ingestion": {"downloads": "data/downloads"},
    "resources": {},
    "statistics": {"control": "net"},
    "speed": {},
    "inference": {},
    "tuning": {"model": "net"},
}  # fmt: skip


def change(path, value):
    """The good configuration with one value at a dotted path; numbers count list items."""
    parameters = copy.deepcopy(GOOD)
    place = parameters
    *parents, last = path.split(".")
    for name in parents:
        place = place[int(name) if isinstance(place, list) else name]
    place[last] = value
    return parameters


def refusal(parameters):
    with pytest.raises(ConfigurationError) as caught:
        parse_configuration(parameters)
    message = str(caught.value)
    assert "\n" not in message
    return message
