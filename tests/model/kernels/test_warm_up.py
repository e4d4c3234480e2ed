import logging
from collections import Counter
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from numba.core.sigutils import normalize_signature

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.engine import kernels
from qcl_mixnet.model import cpu_step
from qcl_mixnet.model.kernels import compile_all, layers, loss, mixup, warm_up

TOLD = "The training kernels are being compiled for this CPU"


@pytest.fixture
def first_call(monkeypatch):
    monkeypatch.setattr(warm_up, "_done", False)


def test_compile_all__second_call__takes_no_time():
    assert compile_all() >= 0
    assert compile_all() == 0.0


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_members": 9, "n_jobs": 2},
        {"bagging": "folds", "n_members": 3},
        {"quantum": False, "attention": False, "mixup": False},
        {"neighbor_space": "embedding", "gate": "input"},
        {"intra_class": "mse", "supcon_reduction": "sum", "triplet_distance": "squared_euclidean"},
    ],
    ids=str,
)
def test_compile_all__any_training__calls_what_was_compiled(parameters, monkeypatch):
    called = {}

    def watch(module, name):
        kernel = getattr(module, name)

        def spy(*args):
            called.setdefault(name, set()).add(tuple(map(numba.typeof, args)))
            return kernel(*args)

        monkeypatch.setattr(module, name, spy)

    for name in warm_up._SIGNATURES["layers"]:
        watch(layers, name)
    watch(kernels, "take_rows")
    watch(mixup, "knn_mixup")
    watch(cpu_step, "hybrid_loss")
    X = np.random.default_rng(0).normal(size=(20, 1))
    QCLMixNetClassifier(epochs=1, random_state=0, **parameters).fit(X, np.arange(20) % 2)
    known = {name: types for part in warm_up._SIGNATURES.values() for name, types in part.items()}
    assert "hybrid_loss" in called
    for name, signatures in called.items():
        expected, _ = normalize_signature(f"void({', '.join(known[name])})")
        assert signatures == {expected}, name


class Kernel:
    """A kernel that says that it came from the cache, or that it was compiled."""

    def __init__(self, compiled, cache_path="/cache"):
        misses = Counter(one=int(compiled)) if compiled else Counter()
        self.stats = SimpleNamespace(cache_path=cache_path, cache_misses=misses)

    def compile(self, signature):
        assert signature.startswith("void(")


def replace_kernels(monkeypatch, make):
    for module in (kernels, mixup, layers, loss):
        for name in warm_up._SIGNATURES[module.__name__.rpartition(".")[2]]:
            monkeypatch.setattr(module, name, make())


@pytest.mark.parametrize(
    ("kernel", "told"),
    [
        ({"compiled": False}, []),
        ({"compiled": True}, ["once on this machine, and they are kept in /cache"]),
        ({"compiled": True, "cache_path": None}, ["in every process"]),
    ],
    ids=["cached", "not cached", "no cache"],
)
def test_compile_all__first_time_on_a_machine__says_so_once(
    kernel, told, first_call, monkeypatch, caplog
):
    replace_kernels(monkeypatch, lambda: Kernel(**kernel))
    with caplog.at_level(logging.WARNING):
        seconds = compile_all()
    assert (seconds > 0) == bool(told)
    assert len(caplog.messages) == len(told)
    for message, part in zip(caplog.messages, told, strict=True):
        assert message.startswith(TOLD)
        assert part in message


def test_compile_all__interrupted__is_not_done(first_call, monkeypatch):
    class Slow(Kernel):
        def compile(self, signature):
            raise KeyboardInterrupt

    replace_kernels(monkeypatch, lambda: Slow(compiled=True))
    with pytest.raises(KeyboardInterrupt):
        compile_all()
    assert not warm_up._done


def test_fit__before_the_first_step__compiles_all(monkeypatch):
    order = []
    monkeypatch.setattr(
        "qcl_mixnet.estimators.classifier.compile_all", lambda: order.append("compile")
    )
    monkeypatch.setattr(
        "qcl_mixnet.engine.members.train", lambda *a, **k: order.append("train") or exit_early()
    )

    def exit_early():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        QCLMixNetClassifier(device="cpu").fit(np.arange(8.0).reshape(4, 2), [0, 1, 0, 1])
    assert order == ["compile", "train"]
