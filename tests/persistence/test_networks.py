import numpy as np
import pytest
import torch

from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.persistence.networks import network_state, restore_networks
from qcl_mixnet.persistence.schema import Architecture


def make_networks(n=2, **parts):
    generator = torch.Generator().manual_seed(0)
    return [QCLMixNet.build(4, 3, generator=generator, **parts).eval() for _ in range(n)]


def round_trip(networks):
    architecture, tensors = network_state(networks)
    return restore_networks(Architecture(**architecture), tensors, n_inputs=4, n_classes=3)


@pytest.mark.parametrize(
    "parts",
    [
        {}, {"quantum": False}, {"attention": False}, {"gate": "input", "theta_std": 0.5},
        {"quantum": "variational"}, {"quantum": "variational", "n_qubits": 6, "gate": "input"},
        {"attention_rank": 2},
    ],
    ids=str,
)  # fmt: skip
def test_restore_networks__any_architecture__same_outputs(parts):
    networks, x = make_networks(**parts), torch.arange(8.0).reshape(2, 4)
    restored = round_trip(networks)
    assert len(restored) == len(networks)
    for before, after in zip(networks, restored, strict=True):
        assert torch.equal(after(x), before(x))
        assert not after.training


def test_restore_networks__each_has_memory_of_its_own():
    first, second = round_trip(make_networks())
    before = second.classifier.weight.detach().clone()
    first.classifier.weight.data.zero_()
    assert torch.equal(second.classifier.weight, before)


def test_restore_networks__other_width_than_the_tensors__is_refused():
    architecture, tensors = network_state(make_networks())
    with pytest.raises(ValueError, match=r"should be float32 of shape \(2, 64, 5\)|shape"):
        restore_networks(Architecture(**architecture), tensors, n_inputs=5, n_classes=3)


def test_network_state__leaves_the_networks_as_they_are():
    networks = make_networks()
    _, tensors = network_state(networks)
    tensors["classifier.weight"][:] = np.nan
    assert torch.isfinite(networks[0].classifier.weight).all()
