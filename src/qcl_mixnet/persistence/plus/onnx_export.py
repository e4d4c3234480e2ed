"""Export of a trained QCL-MixNet+ to ONNX: imputation, scaling, networks, blend, decision."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model.plus.network import CLIP, SCALE_RATE, NumberEmbedding, PlusNetwork
from qcl_mixnet.persistence.onnx_graph import (
    Graph,
    InputType,
    calibrated,
    entangled,
    export,
    linear,
    mean_of_members,
    preprocessed,
)
from qcl_mixnet.persistence.plus.state import PlusState

if TYPE_CHECKING:
    import onnx


def to_onnx(
    state: PlusState,
    path: str | os.PathLike[str] | None = None,
    *,
    input_dtype: InputType = "float64",
) -> onnx.ModelProto:
    """Export a fitted classifier: `QCLMixNetPlusClassifier.to_onnx`.

    Scaling and everything after the logits are float64, the networks float32, as in
    `predict_proba`. Infinite numbers, which `predict_proba` refuses, give NaN or anything else.

    Parameters
    ----------
    state : PlusState
        The state of a classifier that was fitted on a table of numeric columns.
    path, input_dtype
        As of `export`.

    Returns
    -------
    onnx.ModelProto
        As of `export`, which also says what it raises.
    """
    return export(
        state,
        "QCLMixNetPlusClassifier",
        lambda graph: _probabilities(graph, state),
        path,
        input_dtype,
    )


def _probabilities(graph: Graph, state: PlusState) -> str:
    """Everything from "X" to the calibrated probabilities of the blend, float64."""
    smallest = state.smallest_probability
    assert smallest is not None  # the states that classifiers make have it
    x, indicators = _inputs(graph, state)
    parts = []
    for member in state.members:
        mean = mean_of_members(graph, _logits(graph, stack(member.networks), x, indicators))
        own = calibrated(graph, mean, member.temperature, smallest)
        parts.append(graph.add("Mul", own, graph.constant(np.float64(member.weight))))
    return calibrated(graph, graph.add("Sum", *parts), state.temperature, smallest)


def _inputs(graph: Graph, state: PlusState) -> tuple[str, str | None]:
    """Preprocessed numbers, and indicators of gaps where the table had any."""
    from onnx import TensorProto

    x, gaps = preprocessed(graph, state.preprocessor)
    columns = state.preprocessor.gap_columns_
    if len(columns) == 0:
        return x, None
    found = graph.add("Gather", gaps, graph.constant(columns), axis=1)
    return x, graph.add("Cast", found, to=TensorProto.FLOAT)


def _logits(graph: Graph, network: PlusNetwork, x: str, indicators: str | None) -> str:
    """Logits `(members, n_rows, n_classes)` of stacked networks."""
    scale = SCALE_RATE * network.input_scale.unsqueeze(-2)
    width = network.numbers.out_features
    h = graph.add("Mul", _numbers(graph, network.numbers, x), _constant(graph, scale[..., :width]))
    if indicators is not None:
        # The scales have the axis of the members, which the indicators get by them.
        scaled = graph.add("Mul", indicators, _constant(graph, scale[..., width:]))
        h = graph.add("Concat", h, scaled, axis=-1)
    for i, layer in enumerate(network.hidden):
        assert isinstance(layer, nn.Linear)
        h = graph.add("Relu", linear(graph, layer, h))
        if i == 0:
            h = entangled(graph, network.entangle, h)
    return linear(graph, network.classifier, h)


def _numbers(graph: Graph, numbers: NumberEmbedding, x: str) -> str:
    """Numbers `(n_rows, n_numbers)` as the networks embed them, `(members, n_rows, ...)`."""
    center, spread = numbers.center.unsqueeze(-2), numbers.scale.unsqueeze(-2)
    scaled = graph.add("Sub", x, _constant(graph, center))
    scaled = graph.add("Div", scaled, _constant(graph, spread))
    part = graph.add("Div", scaled, graph.constant(np.float32(CLIP)))
    square = graph.add("Add", graph.add("Mul", part, part), graph.constant(np.float32(1)))
    scaled = graph.add("Div", scaled, graph.add("Sqrt", square))
    if numbers.kind == "none":
        return scaled
    if numbers.kind == "periodic":
        encoded = _waves(graph, numbers, scaled)
    else:
        encoded = _ramps(graph, numbers, x)
    # Columns before rows: each column has a dense layer of its own.
    encoded = graph.add("Transpose", encoded, perm=[0, 2, 1, 3])
    embedded = graph.add("MatMul", encoded, _constant(graph, numbers.weight))
    embedded = graph.add("Add", embedded, _constant(graph, numbers.bias.unsqueeze(-2)))
    if numbers.kind != "periodic":
        embedded = graph.add("Relu", embedded)
    embedded = graph.add("Transpose", embedded, perm=[0, 2, 1, 3])
    n_numbers, width = numbers.bias.shape[-2:]
    shape = graph.constant(np.array([0, 0, n_numbers * width]))  # 0: as it is
    return graph.add("Concat", scaled, graph.add("Reshape", embedded, shape), axis=-1)


def _waves(graph: Graph, numbers: NumberEmbedding, scaled: str) -> str:
    each = graph.add("Unsqueeze", scaled, graph.constant(np.array([-1])))
    turns = graph.add("Mul", each, _constant(graph, numbers.frequency.unsqueeze(-3)))
    turns = graph.add("Add", turns, _constant(graph, numbers.phase.unsqueeze(-3)))
    return graph.add("Cos", graph.add("Mul", turns, graph.constant(np.float32(2 * np.pi))))


def _ramps(graph: Graph, numbers: NumberEmbedding, x: str) -> str:
    each = graph.add("Unsqueeze", x, graph.constant(np.array([-1])))
    ramps = graph.add("Mul", each, _constant(graph, numbers.slope.unsqueeze(-3)))
    ramps = graph.add("Add", ramps, _constant(graph, numbers.offset.unsqueeze(-3)))
    return graph.add("Clip", ramps, *(graph.constant(np.float32(bound)) for bound in (0, 1)))


def _constant(graph: Graph, tensor: Tensor) -> str:
    return graph.constant(tensor.detach().cpu().numpy())
