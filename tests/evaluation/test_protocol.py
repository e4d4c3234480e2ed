import json

import pytest
from pydantic import ValidationError

from qcl_mixnet.evaluation.protocol import EvaluationProtocol


def test_protocol__defaults__are_the_projects():
    assert EvaluationProtocol().model_dump() == {
        "seed": 42, "repeats": 1, "test_size": 0.2, "folds": 3, "checkpoint": "last"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("seed", 1.5),
        ("repeats", 0),
        ("test_size", 0.0),
        ("test_size", 1.0),
        ("folds", 1),
        ("checkpoint", "best"),
        ("sede", 1),
    ],
)
def test_protocol__value_out_of_range_or_unknown_field__is_refused(field, value):
    with pytest.raises(ValidationError) as caught:
        EvaluationProtocol(**{field: value})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", 0), ("repeats", 1), ("test_size", 0.999), ("folds", 2), ("checkpoint", "validation")],
)
def test_protocol__value_at_the_limit__is_accepted(field, value):
    assert getattr(EvaluationProtocol(**{field: value}), field) == value


def test_protocol__cannot_be_changed():
    protocol = EvaluationProtocol()
    with pytest.raises(ValidationError, match="frozen"):
        protocol.seed = 7
    assert protocol.seed == 42


def test_protocol__json__gives_it_back():
    protocol = EvaluationProtocol(seed=7, repeats=2, test_size=0.3, folds=5, checkpoint="test")
    text = json.dumps(protocol.model_dump(mode="json"))
    assert EvaluationProtocol.model_validate(json.loads(text)) == protocol
