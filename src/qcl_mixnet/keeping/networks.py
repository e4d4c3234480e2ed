"""The network baselines: their networks, graphs and preprocessing in safetensors and JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from qcl_mixnet.keeping.keeper import (
    Keeper,
    Parts,
    class_name,
    group,
    make,
    plain_parameters,
    prefixed,
)
from qcl_mixnet.persistence.fields import Tensors, plain_names, restore_names
from qcl_mixnet.persistence.networks import NETWORK_PREFIX, restore_members, stacked_arrays
from qcl_mixnet.persistence.preprocessor import preprocessor_state, restore_preprocessor

_DEEP = "MLPNetwork", "ResNet", "CNN", "GRU", "LSTM", "BiGRU", "BiLSTM"
_GRAPH = "GCN", "GraphSAGE", "GAT", "GIN", "JKNet"
DEEP_CLASSES = tuple(f"qcl_mixnet.baselines.deep.{name}Classifier" for name in _DEEP)
GRAPH_CLASSES = tuple(f"qcl_mixnet.baselines.graph.{name}Classifier" for name in _GRAPH)

_READER, _GRAPH_PREFIX = "preprocessor.", "graph."


class NetworkKeeper(Keeper):
    """A network that was trained by cross-entropy.

    How the training went, `history_`, is not kept.
    """

    name = "network"
    classes = DEEP_CLASSES

    def take_apart(self, model: Any) -> Parts:
        """Parameters and buffers of the network, and the preprocessing."""
        reader, numbers = preprocessor_state(model.preprocessor_)
        arrays = prefixed(stacked_arrays([model.network_]), NETWORK_PREFIX)
        arrays |= prefixed(numbers, _READER)
        return Parts(
            class_name=class_name(model),
            classes=model.classes_,
            parameters=plain_parameters(model),
            content={
                "preprocessor": reader,
                "feature_names": plain_names(getattr(model, "feature_names_in_", None)),
                "best_epoch": int(model.best_epoch_),
                "test_selected": bool(model.test_selected_),
            },
            arrays=arrays | self._of_training(model),
        )

    def put_together(self, parts: Parts, device: str) -> Any:
        """Lay the network out anew and give it its values."""
        model = make(parts, self.classes)
        _check_depth(parts)
        reader = restore_preprocessor(
            parts.content["preprocessor"], group(parts.arrays, _READER)
        ).set_output(transform="default")
        width = len(reader.get_feature_names_out())
        n_classes = len(parts.classes)
        (network,) = restore_members(
            lambda: model.make_network(width, n_classes),
            group(parts.arrays, NETWORK_PREFIX),
            NETWORK_PREFIX,
            not_negative=("running_var",),
        )
        model.classes_ = parts.classes
        model.preprocessor_ = reader
        model.n_features_in_ = reader.n_features_in_
        names = restore_names(parts.content["feature_names"], reader.n_features_in_)
        if names is not None:
            model.feature_names_in_ = names
        model.device_ = device
        model.network_ = network.to(device)
        model.best_epoch_ = int(parts.content["best_epoch"])
        model.test_selected_ = bool(parts.content["test_selected"])
        self._take_over(model, parts, width)
        return model

    def _of_training(self, model: Any) -> Tensors:  # noqa: ARG002
        """Arrays of training rows that predictions need."""
        return {}

    def _take_over(self, model: Any, parts: Parts, width: int) -> None:  # noqa: ARG002
        """Give the model what `_of_training` took."""
        if left := group(parts.arrays, _GRAPH_PREFIX):
            raise ValueError(f"unknown tensor {_GRAPH_PREFIX + min(left)!r}")


class GraphKeeper(NetworkKeeper):
    """A graph network, whose predictions need the training rows: preprocessed, they are kept."""

    name = "graph_network"
    classes = GRAPH_CLASSES
    libraries = ("torch-geometric",)

    def _of_training(self, model: Any) -> Tensors:
        graph = model.graph_
        return {
            f"{_GRAPH_PREFIX}rows": graph.x.cpu().numpy(),
            f"{_GRAPH_PREFIX}neighbors": graph.neighbors.cpu().numpy(),
        }

    def _take_over(self, model: Any, parts: Parts, width: int) -> None:
        from qcl_mixnet.baselines.neighbor_graph import TrainingGraph

        arrays = group(parts.arrays, _GRAPH_PREFIX)
        _check_graph(arrays, width)
        rows, neighbors = (torch.tensor(arrays[name]) for name in ("rows", "neighbors"))
        model.graph_ = TrainingGraph(rows.to(model.device_), model.n_neighbors, neighbors)


def _check_depth(parts: Parts) -> None:
    """No number that a file claims may keep the planning of layers busy: each has arrays."""
    for name, value in parts.parameters.items():
        layers = len(value) if isinstance(value, list) else value
        if (isinstance(value, list) or name in {"n_blocks", "n_layers"}) and layers > len(
            parts.arrays
        ):
            raise ValueError(f"{name}={value!r:.40} has more layers than there are tensors")


def _check_graph(arrays: Tensors, width: int) -> None:
    if set(arrays) != {"rows", "neighbors"}:
        raise ValueError(f"the tensors of '{_GRAPH_PREFIX}' are not 'rows' and 'neighbors'")
    rows, neighbors = arrays["rows"], arrays["neighbors"]
    if rows.dtype != np.float32 or rows.shape != (len(rows), width) or len(rows) < 2:
        raise ValueError(f"tensor '{_GRAPH_PREFIX}rows' is no float32 of {width} columns")
    if not np.isfinite(rows).all():
        raise ValueError(f"tensor '{_GRAPH_PREFIX}rows' holds NaN or infinity")
    fits = neighbors.dtype == np.int64 and neighbors.ndim == 2 and neighbors.shape[1] >= 1
    if not fits or len(neighbors) != len(rows):
        raise ValueError(f"tensor '{_GRAPH_PREFIX}neighbors' is no int64 with a row for each row")
    if neighbors.min() < 0 or neighbors.max() >= len(rows):
        raise ValueError(f"tensor '{_GRAPH_PREFIX}neighbors' names rows that there are not")
