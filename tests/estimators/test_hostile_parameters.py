"""Each parameter works as documented or is refused by an error that names it."""

import numpy as np
import pandas as pd
import pytest
import torch

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.engine.threads import resolve_threads

N = 24
A = np.random.default_rng(0).normal(size=(N, 3))
Y = np.array(["a", "b", "b"] * 8)


def frame():
    return pd.DataFrame({"size": A[:, 0], "width": A[:, 1]})


def make_model(**parameters):
    return QCLMixNetClassifier(**{"epochs": 1, "random_state": 0, "n_jobs": 1} | parameters)


def check(X, expected, **parameters):
    """Fit and predict; `expected` is part of the error's message, None if there is to be none."""
    if expected is None:
        model = make_model(**parameters).fit(X, Y)
        probabilities = model.predict_proba(X)
        assert np.isfinite(probabilities).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        assert set(model.predict(X)) <= set(model.classes_)
        return
    with pytest.raises((ValueError, TypeError), match=expected):
        make_model(**parameters).fit(X, Y)


PARAMETERS = [
    *[("epochs", value) for value in (0, -1, 1.5, "1", None, np.nan)],
    *[("batch_size", value) for value in (1, 0, -1, 64.0, "big", None)],
    *[("learning_rate", value) for value in (0, -1, np.nan, np.inf, "fast", None)],
    *[("max_learning_rate", value) for value in (0, -1, np.nan, np.inf, "fast")],
    *[("weight_decay", value) for value in (-1, np.nan, np.inf)],
    *[("quantum", 1), ("quantum", "true"), ("attention", "yes"), ("mixup", None)],
    *[("n_qubits", value) for value in (3, 9, 4.0, "4", None)],
    *[("theta_std", value) for value in (-1, np.nan, np.inf)],
    *[("gate", "open"), ("neighbor_space", "outer"), ("intra_class", "l1")],
    *[("neighbor_pool", "all"), ("neighbor_pool", None), ("neighbor_classes", "other")],
    *[("n_neighbors", value) for value in (0, 2.0, None)],
    *[("mixup_alpha", value) for value in (0, np.inf)],
    *[("loss_weight", value) for value in (-0.1, 1.1, np.nan)],
    *[("focal_gamma", -1), ("variance_weight", np.inf), ("temperature", 0)],
    *[("supcon_reduction", "max"), ("triplet_margin", -1), ("triplet_distance", None)],
    *[("checkpoint", "best"), ("checkpoint", None)],
    *[("validation_fraction", value) for value in (0, 1, -1, "half")],
    *[("n_members", value) for value in (0, -1, 2.0, "3", None)],
    *[("bagging", value) for value in ("x", True, 3)],
    *[("calibrate", value) for value in ("yes", 1, None)],
    *[("decision", value) for value in ("f2", None, 3)],
    *[("categorical_features", value) for value in ("all", 3)],
    *[("device", value) for value in ("tpu", "", None, 0)],
    *[("n_jobs", value) for value in (0, 1.5, "all")],
    *[("random_state", value) for value in ("a", -1, 2**32, 1.0, np.random.default_rng(0))],
    *[("verbose", value) for value in (-1, "much", None)],
]


@pytest.mark.parametrize(("name", "value"), PARAMETERS, ids=lambda value: str(value)[:20])
def test_parameter__out_of_its_range__is_named(name, value):
    check(A, expected=rf"\b{name}\b", **{name: value})


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"decision": {"a": -1, "b": 1}}, "decision weight of class 'a' is -1"),
        ({"decision": {"a": 1}}, "Decision weights lack class 'b'"),
        ({"categorical_features": ["nope"]}, "categorical_features holds the name 'nope'"),
        ({"categorical_features": [9]}, "categorical_features holds position 9"),
        ({"categorical_features": [-1]}, "categorical_features holds position -1"),
        ({"categorical_features": [True]}, "categorical_features is a mask of 1"),
        ({"categorical_features": ["size", 1]}, "categorical_features holds values of type"),
        ({"checkpoint": "test"}, "eval_set belongs to checkpoint='test'"),
        ({"bagging": "folds"}, "n_members must be at least 2"),
        ({"validation_fraction": 1e-9, "checkpoint": "validation"}, "validation_fraction=1e-09"),
        ({"n_neighbors": 10**6}, None),
        ({"n_neighbors": 10**6, "neighbor_pool": "train"}, None),
        (
            {"neighbor_pool": "train", "neighbor_space": "embedding"},
            "neighbor_space='embedding' moves with it; use neighbor_space='input'",
        ),
        ({"neighbor_classes": "same"}, "use it with neighbor_pool='train'"),
        ({"batch_size": 10**9}, None),
        ({"mixup_alpha": 1e-300}, None),
        ({"mixup_alpha": 1e300}, None),
        ({"focal_gamma": 1e6}, None),
        ({"epochs": np.int64(1), "batch_size": np.int32(8), "n_jobs": np.int64(1)}, None),
        ({"n_members": np.int8(2), "n_neighbors": np.uint8(3), "mixup": np.True_}, None),
        ({"learning_rate": np.float32(0.1), "max_learning_rate": np.float64(0.1)}, None),
        ({"decision": pd.Series([1, 2], index=["b", "a"])}, None),
        ({"decision": pd.Series([1, 2])}, "Decision weights name 0, which is none of the classes"),
        ({"random_state": 2**32 - 1}, None),
        ({"random_state": None}, None),
        ({"n_jobs": -100}, None),
    ],
)
def test_parameters__unusual__work_or_are_named(parameters, expected):
    check(frame(), expected=expected, **parameters)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("device", ["cuda", "cuda:99"])
def test_device__cuda_where_there_is_none__is_named(device):
    check(A, expected=f"device='{device}' asks for CUDA", device=device)


@pytest.mark.parametrize("device", ["meta", "vulkan", "xpu", "hpu"])
def test_device__that_is_not_there__is_named(device):
    check(A, expected=f"device='{device}'", device=device)


def test_n_jobs__enormous__is_limited():
    assert resolve_threads(10**6) <= 1024
