import pytest
from pydantic import ValidationError

from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.tuning.options import Dimension, TuningOptions


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"low": 2, "high": 1}, "low must be below high, got low 2 and high 1"),
        ({"low": 1, "high": 1}, "low must be below high"),
        ({"low": 0, "high": 1, "log": True}, "low must be above 0 on a logarithmic scale, got 0"),
        ({"low": 0, "high": float("inf")}, "low and high must be finite"),
        ({"low": 0.5, "high": 3, "type": "int"}, "low and high of an int must be whole"),
        ({"low": 1}, "give low and high, or choices"),
        ({}, "give low and high, or choices"),
        ({"choices": [1], "low": 0}, "either choices or a range"),
        ({"choices": ["a", "a"]}, "at least 2 different values"),
        ({"low": 0, "high": 1, "step": 1}, "Extra inputs are not permitted"),
        ({"low": 0, "high": 1, "type": "real"}, "'float' or 'int'"),
    ],
)
def test_dimension__bad_values__are_refused(fields, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Dimension.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "ends", "inside", "outside"),
    [
        ({"low": 0, "high": 2}, [0.0, 2.0], [0, 0.5, 2.0], [-0.1, 2.1, True, None, "1"]),
        ({"low": 1, "high": 3, "type": "int"}, [1, 3], [1, 2, 3.0], [0, 1.5, 4]),
        ({"choices": [1, "a", None]}, [1, "a", None], [1, "a", None], [True, 1.0, "b"]),
    ],
)
def test_dimension__ends_and_membership(fields, ends, inside, outside):
    dimension = Dimension.model_validate(fields)
    assert dimension.ends() == ends
    assert [type(end) for end in dimension.ends()] == [type(end) for end in ends]
    assert all(dimension.holds(value) for value in inside)
    assert not any(dimension.holds(value) for value in outside)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"n_trials": 0}, "greater than or equal to 1"),
        ({"folds": 1}, "greater than or equal to 2"),
        ({"repeats": 0}, "greater than or equal to 1"),
        ({"metric": "f1"}, "there is no such metric; choose among accuracy, "),
        ({"pruner": "mean"}, "'median', 'halving' or 'none'"),
        ({"study": "../up"}, "should match pattern"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"trials": 3}, "Extra inputs"),
        ({"space": {"a": 3}}, "valid dictionary or instance of Dimension"),
    ],
)
def test_tuning_options__bad_values__are_refused(fields, sentence):
    with pytest.raises(ValidationError, match=sentence):
        TuningOptions.model_validate(fields)


def test_tuning_options__null__leaves_a_parameter_out():
    space = {"a": {"low": 0, "high": 1}, "b": None}
    assert list(TuningOptions.model_validate({"space": space}).dimensions) == ["a"]


@pytest.mark.parametrize("metric", METRICS)
def test_tuning_options__every_metric__has_a_direction(metric):
    lower = {"log_loss", "brier"}
    assert TuningOptions(metric=metric).higher_is_better == (metric not in lower)
