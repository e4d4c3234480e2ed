"""ONNX graphs of classifiers: what all of them share, around the probabilities of each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.model.layers import QuantumEntanglementLayer
from qcl_mixnet.model.variational import VariationalLayer
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.version import __version__
from qcl_mixnet.writing import user_path, write_atomically

if TYPE_CHECKING:
    import onnx

# The newest operator set that every runtime since 2022 reads; nothing of a later one is needed.
OPSET = 17

# A protocol buffer, and so a file without external data, can hold no more.
_MAX_BYTES = 2**31 - 1

_ELEMENT_TYPES: dict[str, str] = {"float64": "DOUBLE", "float32": "FLOAT"}

InputType = Literal["float64", "float32"]


class Exportable(Protocol):
    """What a graph needs of a classifier's state besides its networks."""

    @property
    def feature_names(self) -> NDArray[np.object_] | None:
        """Names of the table's columns, where it had any."""

    @property
    def classes(self) -> NDArray[Any]:
        """Labels, sorted."""

    @property
    def preprocessor(self) -> TablePreprocessor:
        """What turns a table into the rows that the networks read."""

    @property
    def decision_weights(self) -> NDArray[np.float64]:
        """What the probabilities are multiplied by."""


class Graph:
    """Nodes and constants of an ONNX graph, each result named by a number."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.n_bytes = 0

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its result."""
        from onnx import helper

        output = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def add_many(self, operator: str, n_outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Append a node of several results and return their names."""
        from onnx import helper

        name = f"{operator}_{len(self.nodes)}"
        outputs = [f"{name}_{i}" for i in range(n_outputs)]
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
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array.reshape(np.shape(values)), name))
        return name


@own_settings()
def export(
    state: Exportable,
    name: str,
    probabilities: Callable[[Graph], str],
    path: str | os.PathLike[str] | None,
    input_dtype: InputType,
) -> onnx.ModelProto:
    """Make the ONNX model of a classifier: `to_onnx` of the classifiers.

    Parameters
    ----------
    state : Exportable
        Of a classifier that was fitted on a table of numeric columns.
    name : str
        Of the graph.
    probabilities : callable
        Adds everything from the input "X" to the float64 probabilities, whose name it returns.
    path : str or path, optional
        A file to write as well; an older one is replaced.
    input_dtype : {"float64", "float32"}
        Type of the input and of the probabilities.

    Returns
    -------
    onnx.ModelProto
        Input "X" `(n_rows, n_features)`; outputs "label" `(n_rows,)` and "probabilities"
        `(n_rows, n_classes)`.

    Raises
    ------
    ImportError
        Without the package onnx.
    ValueError
        For an unknown `input_dtype`, a table with categorical columns, labels that ONNX has no
        type for, and networks beyond the 2 GiB of a protocol buffer.
    """
    try:
        import onnx
        from onnx import helper
    except ImportError as error:
        raise ImportError(
            'ONNX export needs the package onnx; install it with pip install "qcl-mixnet[onnx]".'
        ) from error
    if input_dtype not in _ELEMENT_TYPES:
        raise ValueError(
            f"input_dtype={input_dtype!r} is none of {', '.join(map(repr, _ELEMENT_TYPES))}."
        )
    _check_numeric(state.preprocessor)
    labels = _labels(state.classes)

    graph = Graph()
    found = probabilities(graph)
    weighted = graph.add("Mul", found, graph.constant(state.decision_weights))
    best = graph.add("ArgMax", weighted, axis=1, keepdims=0)
    graph.add("Gather", graph.constant(labels), best, output="label")
    element = getattr(onnx.TensorProto, _ELEMENT_TYPES[input_dtype])
    graph.add("Cast", found, output="probabilities", to=element)

    opsets = [helper.make_opsetid("", OPSET)]
    rows, n_features, n_classes = "n_rows", state.preprocessor.n_features_in_, len(state.classes)
    label_type = helper.np_dtype_to_tensor_dtype(labels.dtype)
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [helper.make_tensor_value_info("X", element, [rows, n_features])],
            [
                helper.make_tensor_value_info("label", label_type, [rows]),
                helper.make_tensor_value_info("probabilities", element, [rows, n_classes]),
            ],
            graph.constants,
        ),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="qcl-mixnet",
        producer_version=__version__,
        doc_string="Probabilities and label of every row of X, gaps as NaN; see the metadata.",
    )
    helper.set_model_props(proto, _metadata(state))
    onnx.checker.check_model(proto, full_check=True)
    if path is not None:
        data = proto.SerializeToString()
        write_atomically(user_path(path), lambda part: part.write_bytes(data))
    return proto


def preprocessed(graph: Graph, preprocessor: TablePreprocessor) -> tuple[str, str]:
    """Rows `(n_rows, n_features)`, imputed and scaled in float64, then rounded to float32.

    Returns
    -------
    rows, gaps : str
        Names of the rows, and of where "X" had gaps.
    """
    from onnx import TensorProto

    x = graph.add("Cast", "X", to=TensorProto.DOUBLE)
    gaps = graph.add("IsNaN", x)
    # A column without a training value is 0 whatever comes; its median, mean and scale say so.
    known = graph.add("And", graph.add("Not", gaps), graph.constant(preprocessor.has_values_))
    x = graph.add("Where", known, x, graph.constant(preprocessor.medians_))
    x = graph.add("Sub", x, graph.constant(preprocessor.means_))
    x = graph.add("Div", x, graph.constant(preprocessor.scales_))
    return graph.add("Cast", x, to=TensorProto.FLOAT), gaps


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


def _check_numeric(preprocessor: TablePreprocessor) -> None:
    if len(preprocessor.categorical_columns_):
        position = preprocessor.categorical_columns_[0]
        names = getattr(preprocessor, "feature_names_in_", range(preprocessor.n_features_in_))
        raise ValueError(
            f"Column {names[position]!r} is categorical, and ONNX export is for numeric tables; "
            "encode it as numbers before training, or use save() and load()."
        )


def _labels(classes: NDArray[Any]) -> NDArray[Any]:
    """Labels in a type that ONNX has: integers as int64, text as objects."""
    kind = classes.dtype.kind
    if kind in "iu" and np.can_cast(classes.dtype, np.int64):
        return classes.astype(np.int64)
    if kind in "bf" or classes.dtype == np.uint64:
        return classes.astype({"b": np.bool_, "f": np.float64, "u": np.uint64}[kind])
    if kind in "UO" and all(isinstance(label, str) for label in classes.tolist()):
        return classes.astype(object)
    raise ValueError(
        f"Labels of dtype {classes.dtype} have no counterpart in ONNX; train on integers or text."
    )


def _array(tensor: Any) -> NDArray[np.float64]:
    return tensor.detach().cpu().double().numpy()


def _metadata(state: Exportable) -> dict[str, str]:
    properties = {
        "qcl_mixnet_version": __version__,
        "classes": json.dumps(state.classes.tolist()),
    }
    if state.feature_names is not None:
        properties["feature_names"] = json.dumps(state.feature_names.tolist())
    return properties
