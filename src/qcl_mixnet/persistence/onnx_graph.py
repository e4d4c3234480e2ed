"""ONNX graphs: nodes and constants, and the layers that the networks of all classifiers share."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from qcl_mixnet.decisions.rule import SMALLEST_PROBABILITY, DecisionRule
from qcl_mixnet.model.layers import QuantumEntanglementLayer
from qcl_mixnet.model.variational import VariationalLayer

if TYPE_CHECKING:
    import onnx

# A protocol buffer, and so a file without external data, can hold no more.
_MAX_BYTES = 2**31 - 1


class Graph:
    """Nodes and constants of an ONNX graph, each result named by a number.

    Parameters
    ----------
    reserved : collection of str
        Names of inputs, which no result may have.
    """

    def __init__(self, reserved: Collection[str] = ()) -> None:
        self.reserved = frozenset(reserved)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.n_bytes = 0

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its result."""
        from onnx import helper

        output = output or self._free(f"{operator}_{len(self.nodes)}")
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def add_many(self, operator: str, n_outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Append a node of several results and return their names."""
        from onnx import helper

        name = f"{operator}_{len(self.nodes)}"
        outputs = [self._free(f"{name}_{i}") for i in range(n_outputs)]
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=name, **attributes))
        return outputs

    def constant(self, values: Any) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper

        array = np.ascontiguousarray(values)
        self.n_bytes += array.nbytes
        if self.n_bytes > _MAX_BYTES:
            raise ValueError(
                f"The networks have more than {_MAX_BYTES} bytes, which ONNX cannot hold in one "
                "file; use save(), or fewer members or columns."
            )
        name = self._free(f"constant_{len(self.constants)}")
        self.constants.append(numpy_helper.from_array(array.reshape(np.shape(values)), name))
        return name

    def _free(self, name: str) -> str:
        """A name as it is, or with a mark behind it where an input has it."""
        return self._free(f"{name}'") if name in self.reserved else name


def entangled(graph: Graph, layer: nn.Module, x: str) -> str:
    """A quantum-entanglement layer or a circuit, or nothing where there is none."""
    if isinstance(layer, VariationalLayer):
        return _circuit(graph, layer, x)
    if not isinstance(layer, QuantumEntanglementLayer):
        return x
    theta = layer.theta.detach().cpu().unsqueeze(-2)  # (members, 1, width)
    projected = graph.add("Mul", x, graph.constant(theta.cos().numpy()))
    gated = projected if layer.gate == "projected" else x
    rotated = graph.add("Mul", gated, graph.constant(theta.sin().numpy()))
    axes = graph.constant(np.array([-1]))
    gate = graph.add("Sigmoid", graph.add("ReduceSum", rotated, axes, keepdims=1))
    return graph.add("Mul", projected, gate)


def _circuit(graph: Graph, layer: VariationalLayer, x: str) -> str:
    """A variational layer: real numbers alone, and its gates as they were trained."""
    half = graph.add("Mul", linear(graph, layer.encode, x), graph.constant(np.float32(0.5)))
    cos, sin = graph.add("Cos", half), graph.add("Sin", half)
    state = ""
    for qubit in reversed(range(layer.n_qubits)):
        place = graph.constant(np.array([qubit]))
        turned = [graph.add("Gather", part, place, axis=-1) for part in (cos, sin)]
        if state:
            turned = [graph.add("Mul", state, amplitude) for amplitude in turned]
        state = graph.add("Concat", *turned, axis=-1)
    gates = layer.gates().detach().cpu().numpy()
    for number in range(gates.shape[1]):
        # An encoded state has no imaginary part.
        rows = gates.shape[-1] // (1 if number else 2)
        state = graph.add("MatMul", state, graph.constant(gates[:, number, :rows]))
    readout = graph.constant(layer.readout().cpu().numpy())
    expectations = graph.add("MatMul", graph.add("Mul", state, state), readout)
    return graph.add("Add", x, linear(graph, layer.decode, expectations))


def linear(graph: Graph, layer: nn.Linear, x: str, norm: nn.BatchNorm1d | None = None) -> str:
    """A stacked linear layer, with the batch norm that follows it worked into its weights."""
    weight, bias = _array(layer.weight), _array(layer.bias)
    if norm is not None:
        scale = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
        weight = weight * scale[..., None]
        bias = (bias - _array(norm.running_mean)) * scale + _array(norm.bias)
    weight = weight.swapaxes(-1, -2).astype(np.float32)  # (members, inputs, outputs)
    product = graph.add("MatMul", x, graph.constant(weight))
    return graph.add("Add", product, graph.constant(bias[:, None].astype(np.float32)))


def mean_of_members(graph: Graph, logits: str) -> str:
    """Mean probabilities `(n_rows, n_classes)`, float64, of logits `(members, n_rows, ...)`."""
    from onnx import TensorProto

    of_members = graph.add("Softmax", graph.add("Cast", logits, to=TensorProto.DOUBLE), axis=-1)
    return graph.add("ReduceMean", of_members, axes=[0], keepdims=0)


def calibrated(graph: Graph, probabilities: str, temperature: float, smallest: float) -> str:
    """Probabilities to the power 1 / temperature, normalised; they count as `smallest` or more."""
    floor = graph.constant(np.float64(smallest))
    logarithms = graph.add("Log", graph.add("Max", probabilities, floor))
    divisor = graph.constant(np.float64(temperature))
    return graph.add("Softmax", graph.add("Div", logarithms, divisor), axis=-1)


def decided(graph: Graph, probabilities: str, rule: DecisionRule) -> str:
    """Codes `(n_rows,)` of the classes, int64: `DecisionRule.apply`."""
    scores = probabilities
    if rule.temperature != 1:
        floor = graph.constant(np.float64(SMALLEST_PROBABILITY))
        power = graph.constant(np.float64(1 / rule.temperature))
        scores = graph.add("Pow", graph.add("Max", scores, floor), power)
    scores = graph.add("Mul", scores, graph.constant(rule.weights))
    if rule.costs is not None:
        scores = graph.add("MatMul", scores, graph.constant(-rule.costs))
    if rule.positive is None:
        return graph.add("ArgMax", scores, axis=1, keepdims=0)
    others = np.zeros(len(rule.weights))
    others[rule.positive] = -np.inf
    best = graph.add("ArgMax", graph.add("Add", scores, graph.constant(others)), axis=1, keepdims=0)
    positive = graph.constant(np.int64(rule.positive))
    own = graph.add("Gather", probabilities, positive, axis=1)
    reached = graph.add("GreaterOrEqual", own, graph.constant(np.float64(rule.threshold)))
    return graph.add("Where", reached, positive, best)


def _array(tensor: Any) -> NDArray[np.float64]:
    return tensor.detach().cpu().double().numpy()
