"""Export of a trained classifier to ONNX: preprocessing, networks, decision."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torch import nn

from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model.layers import ValueAttention
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.persistence.fitted_state import FittedState
from qcl_mixnet.persistence.onnx_graph import (
    Graph,
    calibrated,
    entangled,
    linear,
    mean_of_members,
)
from qcl_mixnet.persistence.onnx_model import export
from qcl_mixnet.persistence.onnx_table import InputType, preprocessed

if TYPE_CHECKING:
    import onnx


def to_onnx(
    state: FittedState,
    path: str | os.PathLike[str] | None = None,
    *,
    input_dtype: InputType = "float64",
) -> onnx.ModelProto:
    """Export a fitted classifier: `QCLMixNetClassifier.to_onnx`.

    Scaling and everything after the logits are float64, the networks float32, as in
    `predict_proba`. Infinite numbers, which `predict_proba` refuses, give NaN or anything else.

    Parameters
    ----------
    state : FittedState
        The state of a fitted classifier.
    path, input_dtype
        As of `export`.

    Returns
    -------
    onnx.ModelProto
        As of `export`, which also says what it raises.
    """
    return export(
        state,
        "QCLMixNetClassifier",
        lambda graph: _probabilities(graph, state),
        path,
        input_dtype,
    )


def _probabilities(graph: Graph, state: FittedState) -> str:
    """Everything from the inputs to the calibrated probabilities, float64."""
    assert state.smallest_probability is not None  # the states that classifiers make have it
    x = preprocessed(graph, state.preprocessor).joined(graph)
    mean = mean_of_members(graph, network_logits(graph, stack(state.networks), x))
    return calibrated(graph, mean, state.calibration_temperature, state.smallest_probability)


def network_logits(graph: Graph, network: QCLMixNet, x: str) -> str:
    """Logits `(members, n_rows, n_classes)` of stacked networks, for rows that are preprocessed."""
    x = entangled(graph, network.entangle_input, x)
    if isinstance(network.attention, ValueAttention):
        value = linear(graph, network.attention.value, x)
        x = graph.add("Add", x, linear(graph, network.attention.out, value))
    x = _block(graph, network.hidden, x)
    x = entangled(graph, network.entangle_hidden, x)
    x = _block(graph, network.representation, x)
    return linear(graph, network.classifier, x)


def _block(graph: Graph, block: nn.Sequential, x: str) -> str:
    """A linear layer, batch norm and LeakyReLU."""
    layer, norm, activation = block
    assert isinstance(layer, nn.Linear)
    assert isinstance(norm, nn.BatchNorm1d)
    assert isinstance(activation, nn.LeakyReLU)
    x = linear(graph, layer, x, norm)
    return graph.add("LeakyRelu", x, alpha=activation.negative_slope)
