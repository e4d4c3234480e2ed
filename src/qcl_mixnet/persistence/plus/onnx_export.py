"""Export of a trained QCL-MixNet+ to ONNX: imputation, scaling, networks, blend, decision."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model.plus.neighbors import CATEGORY_SCALE, LEAST_VOTE, N_NEIGHBORS, Neighbors
from qcl_mixnet.model.plus.network import CLIP, FAR, SCALE_RATE, NumberEmbedding, PlusNetwork
from qcl_mixnet.persistence.onnx_export import network_logits
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
from qcl_mixnet.persistence.plus.state import (
    MemberState,
    NeighborsState,
    NetworksState,
    PaperState,
    PlusState,
)

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
        mean = _mean(graph, member, x, indicators)
        own = calibrated(graph, mean, member.temperature, smallest)
        parts.append(graph.add("Mul", own, graph.constant(np.float64(member.weight))))
    return calibrated(graph, graph.add("Sum", *parts), state.temperature, smallest)


def _mean(graph: Graph, member: MemberState, x: str, indicators: str | None) -> str:
    """A member's probabilities `(n_rows, n_classes)` before its temperature, float64."""
    if isinstance(member, NetworksState):
        return mean_of_members(graph, _logits(graph, stack(member.networks), x, indicators))
    rows = x if indicators is None else graph.add("Concat", x, indicators, axis=-1)
    if isinstance(member, PaperState):
        return mean_of_members(graph, network_logits(graph, stack(member.networks), rows))
    assert isinstance(member, NeighborsState)
    return _votes(graph, member.neighbors, x, indicators)


def _votes(graph: Graph, neighbors: Neighbors, x: str, indicators: str | None) -> str:
    """What `Neighbors.votes` computes; distances by products of matrices, in float64."""
    from onnx import TensorProto

    new = graph.add("Div", graph.add("Sub", x, _constant(graph, neighbors.center)),
                    _constant(graph, neighbors.scale))  # fmt: skip
    new = _clipped(graph, new)
    if indicators is not None:
        apart = graph.add("Mul", indicators, graph.constant(np.float32(CATEGORY_SCALE)))
        new = graph.add("Concat", new, apart, axis=-1)
    new = graph.add("Cast", new, to=TensorProto.DOUBLE)
    rows = neighbors.rows.cpu().double().numpy()
    axes = graph.constant(np.array([-1]))
    squares = graph.add("ReduceSum", graph.add("Mul", new, new), axes, keepdims=1)
    products = graph.add("MatMul", new, graph.constant(-2 * rows.T))
    distances = graph.add("Add", graph.add("Add", products, squares),
                          graph.constant((rows**2).sum(1)))  # fmt: skip
    k = graph.constant(np.array([min(N_NEIGHBORS, len(rows))]))
    nearest, indices = graph.add_many("TopK", 2, distances, k, axis=-1, largest=0)
    votes = graph.add("Div", nearest, graph.constant(np.float64(-neighbors.bandwidth)))
    votes = graph.add("Unsqueeze", graph.add("Softmax", votes, axis=-1), graph.constant(
        np.array([1])))  # fmt: skip
    one_hot = np.eye(neighbors.n_classes)[neighbors.labels.cpu().numpy()]
    classes = graph.add("Gather", graph.constant(one_hot), indices, axis=0)
    shares = graph.add("Squeeze", graph.add("MatMul", votes, classes), graph.constant(
        np.array([1])))  # fmt: skip
    shares = graph.add("Add", shares, graph.constant(np.float64(LEAST_VOTE)))
    total = np.float64(1 + neighbors.n_classes * LEAST_VOTE)
    return graph.add("Div", shares, graph.constant(total))


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
    scaled = _clipped(graph, scaled)
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


def _clipped(graph: Graph, scaled: str) -> str:
    """What `clipped` computes."""
    bounds = (graph.constant(np.float32(bound)) for bound in (-FAR, FAR))
    scaled = graph.add("Clip", scaled, *bounds)
    part = graph.add("Div", scaled, graph.constant(np.float32(CLIP)))
    square = graph.add("Add", graph.add("Mul", part, part), graph.constant(np.float32(1)))
    return graph.add("Div", scaled, graph.add("Sqrt", square))


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
