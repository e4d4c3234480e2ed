"""Export of a trained QCL-MixNet+ to ONNX: preprocessing, networks, blend, decision."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model.plus.neighbors import CATEGORY_SCALE, LEAST_VOTE, N_NEIGHBORS, Neighbors
from qcl_mixnet.model.plus.network import (
    CATEGORY_WIDTH,
    CLIP,
    FAR,
    ONE_HOT_LEVELS,
    SCALE_RATE,
    NumberEmbedding,
    PlusNetwork,
)
from qcl_mixnet.persistence.onnx_export import network_logits
from qcl_mixnet.persistence.onnx_graph import (
    Graph,
    calibrated,
    entangled,
    linear,
    mean_of_members,
)
from qcl_mixnet.persistence.onnx_model import export
from qcl_mixnet.persistence.onnx_table import Block, InputType, Rows, preprocessed
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
        "QCLMixNetPlusClassifier",
        lambda graph: _probabilities(graph, state),
        path,
        input_dtype,
    )


def _probabilities(graph: Graph, state: PlusState) -> str:
    """Everything from the inputs to the calibrated probabilities of the blend, float64."""
    smallest = state.smallest_probability
    assert smallest is not None  # the states that classifiers make have it
    rows = preprocessed(graph, state.preprocessor)
    indicators = _indicators(graph, state, rows)
    parts = []
    for member in state.members:
        mean = _mean(graph, member, rows, indicators)
        own = calibrated(graph, mean, member.temperature, smallest)
        parts.append(graph.add("Mul", own, graph.constant(np.float64(member.weight))))
    return calibrated(graph, graph.add("Sum", *parts), state.temperature, smallest)


def _indicators(graph: Graph, state: PlusState, rows: Rows) -> list[Block]:
    """Indicators of gaps, side by side, where the table had any."""
    from onnx import TensorProto

    columns = state.preprocessor.gap_columns_
    if len(columns) == 0:
        return []
    assert rows.gaps is not None  # what has gaps is numeric
    # Numeric columns are in the order of their positions.
    where = np.searchsorted(state.preprocessor.numeric_columns_, columns)
    found = graph.add("Gather", rows.gaps, graph.constant(where), axis=1)
    return [Block(graph.add("Cast", found, to=TensorProto.FLOAT), len(columns))]


def _mean(graph: Graph, member: MemberState, rows: Rows, indicators: list[Block]) -> str:
    """A member's probabilities `(n_rows, n_classes)` before its temperature, float64."""
    if isinstance(member, NetworksState):
        return mean_of_members(graph, _logits(graph, stack(member.networks), rows, indicators))
    if isinstance(member, PaperState):
        x = rows.joined(graph, *indicators)
        return mean_of_members(graph, network_logits(graph, stack(member.networks), x))
    assert isinstance(member, NeighborsState)
    return _votes(graph, member.neighbors, rows, indicators)


def _votes(graph: Graph, neighbors: Neighbors, rows: Rows, indicators: list[Block]) -> str:
    """What `Neighbors.votes` computes; distances by products of matrices, in float64."""
    from onnx import TensorProto

    parts = []
    if rows.numbers is not None:
        center, spread = (_constant(graph, one) for one in (neighbors.center, neighbors.scale))
        new = graph.add("Div", graph.add("Sub", rows.numbers, center), spread)
        parts.append(_clipped(graph, new))
    apart = graph.constant(np.float32(CATEGORY_SCALE))
    parts += [graph.add("Mul", block.name, apart) for block in (*rows.levels, *indicators)]
    new = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=-1)
    new = graph.add("Cast", new, to=TensorProto.DOUBLE)
    known = neighbors.rows.cpu().double().numpy()
    axes = graph.constant(np.array([-1]))
    squares = graph.add("ReduceSum", graph.add("Mul", new, new), axes, keepdims=1)
    products = graph.add("MatMul", new, graph.constant(-2 * known.T))
    distances = graph.add("Add", graph.add("Add", products, squares),
                          graph.constant(_offsets(neighbors, known)))  # fmt: skip
    k = graph.constant(np.array([min(N_NEIGHBORS, len(known))]))
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


def _offsets(neighbors: Neighbors, known: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = (known**2).sum(1)
    if neighbors.penalties is None:
        return squares
    return squares + neighbors.penalties.cpu().double().numpy()


def _logits(graph: Graph, network: PlusNetwork, rows: Rows, indicators: list[Block]) -> str:
    """Logits `(members, n_rows, n_classes)` of stacked networks."""
    h = _scaled_inputs(graph, network, rows, indicators)
    for i, layer in enumerate(network.hidden):
        assert isinstance(layer, nn.Linear)
        h = graph.add("Relu", linear(graph, layer, h))
        if i == 0:
            h = entangled(graph, network.entangle, h)
    return linear(graph, network.classifier, h)


def _scaled_inputs(graph: Graph, network: PlusNetwork, rows: Rows, indicators: list[Block]) -> str:
    """Embedded numbers and levels, and indicators, each by its learnt scale."""
    parts: list[Block] = []
    if rows.numbers is not None:
        embedded = _numbers(graph, network.numbers, rows.numbers)
        parts.append(Block(embedded, network.numbers.out_features))
    embeddings = iter(network.categories)
    for block in rows.levels:
        if block.width > ONE_HOT_LEVELS:
            embedding = next(embeddings)
            assert isinstance(embedding, nn.Linear)
            block = Block(linear(graph, embedding, block.name), CATEGORY_WIDTH)
        parts.append(block)
    scale = SCALE_RATE * network.input_scale.unsqueeze(-2)
    scaled, start = [], 0
    for part in (*parts, *indicators):
        own = _constant(graph, scale[..., start : start + part.width])
        # The scales have the axis of the members, which one-hot columns get by them.
        scaled.append(graph.add("Mul", part.name, own))
        start += part.width
    return scaled[0] if len(scaled) == 1 else graph.add("Concat", *scaled, axis=-1)


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
