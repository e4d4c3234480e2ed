"""ONNX graphs: from the columns of a table to the rows that networks read.

A table of numbers alone is one input, "X". Any other has an input for every column, of the type of
its values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.persistence.onnx_dates import date_part_nodes
from qcl_mixnet.persistence.onnx_graph import Graph
from qcl_mixnet.preprocessing.features import factorize, numbers
from qcl_mixnet.preprocessing.input_columns import input_columns
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.preprocessing.tables import check_table

if TYPE_CHECKING:
    import onnx

InputType = Literal["float64", "float32"]
ELEMENT_TYPES: dict[str, str] = {"float64": "DOUBLE", "float32": "FLOAT"}
ML_DOMAIN = "ai.onnx.ml"
OUTPUTS = ("label", "probabilities")

# What stands for a gap in a categorical column.
GAP = ""


@dataclass(frozen=True)
class Block:
    """Columns of zeros and ones.

    Attributes
    ----------
    name : str
        Of the result, `(n_rows, width)`, float32.
    width : int
    """

    name: str
    width: int


@dataclass(frozen=True)
class Rows:
    """A preprocessed table.

    Attributes
    ----------
    numbers : str or None
        Name of the numbers `(n_rows, n_numbers)`, float32; None where there are none.
    gaps : str or None
        Name of where numbers had gaps, of the same shape.
    levels : list of Block
        The levels of each categorical column.
    """

    numbers: str | None
    gaps: str | None
    levels: list[Block]

    def joined(self, graph: Graph, *others: Block) -> str:
        """All columns side by side, and others behind them: what the networks of the paper read."""
        parts = [] if self.numbers is None else [self.numbers]
        parts += [block.name for block in (*self.levels, *others)]
        return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=-1)


def check_input_type(input_dtype: str) -> None:
    """Refuse a type that numbers cannot have."""
    if input_dtype not in get_args(InputType):
        raise ValueError(
            f"input_dtype={input_dtype!r} is none of {', '.join(map(repr, ELEMENT_TYPES))}."
        )


def table_inputs(
    preprocessor: TablePreprocessor, input_dtype: InputType
) -> list[onnx.ValueInfoProto]:
    """Describe the inputs of a graph.

    Parameters
    ----------
    preprocessor : TablePreprocessor
        A fitted one.
    input_dtype : {"float64", "float32"}
        Type of numbers.

    Returns
    -------
    list of onnx.ValueInfoProto
        "X" `(n_rows, n_features)` for numbers alone; else an input `(n_rows, 1)` for each column:
        numbers with NaN for gaps, dates as int64, text as strings.
    """
    from onnx import TensorProto, helper

    element = getattr(TensorProto, ELEMENT_TYPES[input_dtype])
    if _is_numeric(preprocessor):
        shape = ["n_rows", preprocessor.n_features_in_]
        return [helper.make_tensor_value_info("X", element, shape)]
    types = {"numbers": element, "dates": TensorProto.INT64, "categories": TensorProto.STRING}
    return [
        helper.make_tensor_value_info(name, types[column.kind], ["n_rows", 1])
        for name, column in zip(
            _input_names(preprocessor), input_columns(preprocessor), strict=True
        )
    ]


@own_settings()
def session_inputs(
    preprocessor: TablePreprocessor, X: Any, input_dtype: InputType
) -> dict[str, NDArray[Any]]:
    """Give a table as the arrays that an exported model takes: `onnx_inputs` of the classifiers.

    Parameters
    ----------
    preprocessor : TablePreprocessor
        A fitted one.
    X : DataFrame or array-like of shape (n_samples, n_features)
    input_dtype : {"float64", "float32"}

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    ValueError
        For an unknown `input_dtype`, and for columns that are not those of training.
    """
    check_input_type(input_dtype)
    table = check_table(preprocessor, X, reset=False)
    arrays = []
    encoder = preprocessor.encoder_
    for i, column in enumerate(input_columns(preprocessor)):
        cells = table.iloc[:, i]
        if column.kind == "numbers":
            arrays.append(numbers(cells, "it was numeric in training").astype(input_dtype))
        elif column.kind == "dates":
            assert encoder is not None  # what makes a column one of dates
            arrays.append(encoder.moments(table, i).view(np.int64))
        else:
            arrays.append(_texts(cells))
    if _is_numeric(preprocessor):
        return {"X": np.stack(arrays, axis=1)}
    names = _input_names(preprocessor)
    return {name: array[:, None] for name, array in zip(names, arrays, strict=True)}


def _texts(column: pd.Series) -> NDArray[np.object_]:
    codes, texts = factorize(column)
    return np.array([*texts, GAP], dtype=object)[codes]


def _is_numeric(preprocessor: TablePreprocessor) -> bool:
    return all(column.kind == "numbers" for column in input_columns(preprocessor))


def _input_names(preprocessor: TablePreprocessor) -> list[str]:
    """Names of the columns, or x0, x1, ...; those that are an output's get an underscore."""
    n_columns = preprocessor.n_features_in_
    columns = getattr(preprocessor, "feature_names_in_", [f"x{i}" for i in range(n_columns)])
    taken, names = {*OUTPUTS, ""}, []
    for name in map(str, columns):
        while name in taken:
            name += "_"
        taken.add(name)
        names.append(name)
    return names


def preprocessed(graph: Graph, preprocessor: TablePreprocessor) -> Rows:
    """Everything that a preprocessor does, in float64, then rounded to float32."""
    if _is_numeric(preprocessor):
        return Rows(*_scaled(graph, preprocessor, "X"), [])
    sources = _sources(preprocessor)
    names = _input_names(preprocessor)
    columns = [
        _number_column(graph, preprocessor, names, *sources[i])
        for i in preprocessor.numeric_columns_.tolist()
    ]
    levels = [
        _level_block(graph, preprocessor, names[sources[i][0]], sources[i][0], all_levels)
        for i, all_levels in zip(
            preprocessor.categorical_columns_.tolist(), preprocessor.levels_, strict=True
        )
    ]
    if not columns:
        return Rows(None, None, levels)
    side_by_side = graph.add("Concat", *columns, axis=-1)
    return Rows(*_scaled(graph, preprocessor, side_by_side), levels)


def _sources(preprocessor: TablePreprocessor) -> list[tuple[int, Any]]:
    """Column of the table, and part of its date, of each column that the preprocessor scales."""
    if preprocessor.encoder_ is None:
        return [(i, None) for i in range(preprocessor.n_features_in_)]
    return [*preprocessor.encoder_.outputs()]


def _number_column(
    graph: Graph, preprocessor: TablePreprocessor, names: list[str], position: int, part: Any
) -> str:
    """A column of numbers `(n_rows, 1)`, float64, gaps as NaN."""
    from onnx import TensorProto

    if part is None:
        return graph.add("Cast", names[position], to=TensorProto.DOUBLE)
    encoder = preprocessor.encoder_
    assert encoder is not None  # what makes parts of dates
    first = encoder.first_dates_[encoder.date_columns_ == position][0]
    return date_part_nodes(graph, names[position], part, first)


def _scaled(graph: Graph, preprocessor: TablePreprocessor, x: str) -> tuple[str, str]:
    """Numbers imputed and scaled, and where they had gaps."""
    from onnx import TensorProto

    x = graph.add("Cast", x, to=TensorProto.DOUBLE)
    gaps = graph.add("IsNaN", x)
    # A column without a training value is 0 whatever comes; its median, mean and scale say so.
    known = graph.add("And", graph.add("Not", gaps), graph.constant(preprocessor.has_values_))
    x = graph.add("Where", known, x, graph.constant(preprocessor.medians_))
    x = graph.add("Sub", x, graph.constant(preprocessor.means_))
    x = graph.add("Div", x, graph.constant(preprocessor.scales_))
    return graph.add("Cast", x, to=TensorProto.FLOAT), gaps


def _level_block(
    graph: Graph,
    preprocessor: TablePreprocessor,
    name: str,
    position: int,
    levels: NDArray[np.object_],
) -> Block:
    """Ones where a row has a level; unseen levels are all zeros, or the joined level's."""
    from onnx import TensorProto

    places = {level: i for i, level in enumerate(levels) if isinstance(level, str)}
    nowhere = len(levels)
    has_gaps = len(places) < len(levels)
    if has_gaps and GAP in places:
        raise ValueError(
            f"Column {name!r} has gaps and the empty text as a level, and ONNX has the empty text "
            "for gaps alone; replace the empty text before training, or use save() and load()."
        )
    others = nowhere
    encoder = preprocessor.encoder_
    if encoder is not None and position in encoder.joined_columns_:
        other = encoder.other_levels_[encoder.joined_columns_.tolist().index(position)]
        others = places.pop(other)
    places.setdefault(GAP, len(levels) - 1 if has_gaps else nowhere)
    codes = graph.add(
        "LabelEncoder",
        name,
        domain=ML_DOMAIN,
        keys_strings=list(places),
        values_int64s=list(places.values()),
        default_int64=others,
    )
    equal = graph.add("Equal", codes, graph.constant(np.arange(len(levels))))
    return Block(graph.add("Cast", equal, to=TensorProto.FLOAT), len(levels))
