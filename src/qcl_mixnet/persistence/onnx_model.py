"""ONNX models of classifiers: the graph from a table to labels, around the probabilities."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.persistence.onnx_graph import Graph, decided
from qcl_mixnet.persistence.onnx_table import (
    ELEMENT_TYPES,
    ML_DOMAIN,
    InputType,
    check_input_type,
    table_inputs,
)
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.version import __version__
from qcl_mixnet.writing import user_path, write_atomically

if TYPE_CHECKING:
    import onnx

# The newest operator sets that every runtime since 2022 reads; nothing of a later one is needed.
OPSET, ML_OPSET = 17, 2


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
    def decision_rule(self) -> DecisionRule:
        """How the probabilities become labels."""


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
        Of a fitted classifier.
    name : str
        Of the graph.
    probabilities : callable
        Adds everything from the inputs to the float64 probabilities, whose name it returns.
    path : str or path, optional
        A file to write as well; an older one is replaced.
    input_dtype : {"float64", "float32"}
        Type of the inputs that are numbers, and of the probabilities.

    Returns
    -------
    onnx.ModelProto
        Inputs as `table_inputs` has them; outputs "label" `(n_rows,)` and "probabilities"
        `(n_rows, n_classes)`.

    Raises
    ------
    ImportError
        Without the package onnx.
    ValueError
        For an unknown `input_dtype`, a categorical column with gaps that has the empty text as a
        level, labels that ONNX has no type for, and networks beyond the 2 GiB of a protocol buffer.
    """
    try:
        import onnx
        from onnx import helper
    except ImportError as error:
        raise ImportError(
            'ONNX export needs the package onnx; install it with pip install "qcl-mixnet[onnx]".'
        ) from error
    check_input_type(input_dtype)
    labels = _labels(state.classes)

    inputs = table_inputs(state.preprocessor, input_dtype)
    graph = Graph({one.name for one in inputs})
    found = probabilities(graph)
    best = decided(graph, found, state.decision_rule)
    graph.add("Gather", graph.constant(labels), best, output="label")
    element = getattr(onnx.TensorProto, ELEMENT_TYPES[input_dtype])
    graph.add("Cast", found, output="probabilities", to=element)

    opsets = [helper.make_opsetid("", OPSET)]
    if any(node.domain == ML_DOMAIN for node in graph.nodes):
        opsets.append(helper.make_opsetid(ML_DOMAIN, ML_OPSET))
    rows, n_classes = "n_rows", len(state.classes)
    label_type = helper.np_dtype_to_tensor_dtype(labels.dtype)
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            inputs,
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
        doc_string="Probabilities and label of every row of a table; see the metadata.",
    )
    helper.set_model_props(proto, _metadata(state, [one.name for one in inputs]))
    onnx.checker.check_model(proto, full_check=True)
    if path is not None:
        data = proto.SerializeToString()
        write_atomically(user_path(path), lambda part: part.write_bytes(data))
    return proto


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


def _metadata(state: Exportable, inputs: list[str]) -> dict[str, str]:
    properties = {
        "qcl_mixnet_version": __version__,
        "classes": json.dumps(state.classes.tolist()),
        "inputs": json.dumps(inputs),
    }
    if state.feature_names is not None:
        properties["feature_names"] = json.dumps(state.feature_names.tolist())
    return properties
