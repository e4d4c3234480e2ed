"""What determines a training has one hash, and anything else another."""

import functools
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn

from qcl_mixnet.engine.fingerprint import Fingerprint, generator_state, set_generator_state


def digest(**parts):
    return Fingerprint(**parts).hexdigest()


@dataclass
class Options:
    rate: float = 0.1
    name: str = "a"
    shown: int = field(default=0, compare=False)


class Thing:
    def __init__(self, value):
        self.value = value

    def method(self):
        return self.value


def network(seed=0, momentum=0.1):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2, momentum=momentum))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2), (1, 1.0), (1, True), (None, 0), ("1", 1), ((1, 2), [1, 2]), (["ab"], ["a", "b"]),
        ({"a": 1}, {"a": 2}), ({"a": 1}, {"b": 1}), (0.3, 0.1 + 0.2),
        (np.zeros(3), np.zeros(3, np.float32)), (np.zeros((2, 3)), np.zeros((3, 2))),
        (torch.zeros(2), torch.tensor([0.0, -0.0])), (torch.zeros(2), np.zeros(2, np.float32)),
        (Options(), Options(rate=0.2)), (Thing(1), Thing(2)), (Thing(1).method, Thing(2).method),
        (len, abs),
        (np.random.default_rng(0).random, np.random.default_rng(1).random),
        (nn.ReLU, nn.GELU), (functools.partial(max, 1), functools.partial(max, 2)),
        (np.random.default_rng(0), np.random.default_rng(1)),
        (torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)),
        (network(), network(seed=1)), (network(), network(momentum=0.2)),
        ({"a", "b"}, {"a", "c"}), (torch.float32, torch.float64),
    ],
)  # fmt: skip
def test_hash__different_values__differs(one, other):
    assert digest(value=one) != digest(value=other)


def test_hash__equal_values__is_the_same():
    def parts():
        return {
            "net": network(), "x": torch.ones(2, 3), "rng": np.random.default_rng(3),
            "options": Options(), "of": Thing([1, {"a": (2, 3)}]), "scale": np.float64(2.0),
        }  # fmt: skip

    assert digest(**parts()) == digest(**parts())
    assert digest(**parts() | {"options": Options(shown=5)}) == digest(**parts())


def test_hash__tensor_that_members_share__as_large_as_it_looks_and_read_once():
    x = torch.arange(6.0).view(1, 2, 3)
    assert digest(x=x.expand(4, 2, 3)) != digest(x=x.expand(5, 2, 3))
    assert digest(x=x.expand(4, 2, 3)) != digest(x=(x + 1).expand(4, 2, 3))


def test_hash__things_that_hold_one_another__ends():
    one, other = Thing(None), Thing(None)
    one.value, other.value = other, one
    assert len(digest(value=one)) == 64


def test_walk__finds_generators_and_buffers_each_once():
    net, rng, other = network(), np.random.default_rng(0), torch.Generator()
    found = Fingerprint(net=net, again=net, of=Thing([rng, other, rng]))
    assert found.generators == [rng, other]
    assert [id(buffer) for buffer in found.buffers] == [id(buffer) for buffer in net.buffers()]
    assert len(found.buffers) == 3


def closure():
    inside = 3
    return lambda: inside


@pytest.mark.parametrize(
    "value", [lambda: 1, closure(), np.array([object()]), object(), (i for i in ())]
)
def test_walk__what_has_no_content__is_refused(value):
    with pytest.raises(TypeError):
        digest(value=value)


@pytest.mark.parametrize(
    "make", [np.random.default_rng, lambda s: torch.Generator().manual_seed(s)]
)
def test_generator_state__put_back__draws_the_same(make):
    generator, other = make(7), make(8)

    def draw(one):
        if isinstance(one, torch.Generator):
            return torch.rand(4, generator=one).tolist()
        return [*one.random(3), one.integers(5, dtype=np.int32)]

    draw(generator)
    state = generator_state(generator)
    expected = draw(generator)
    set_generator_state(other, state)
    assert draw(other) == expected
