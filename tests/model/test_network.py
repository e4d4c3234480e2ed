import pytest
import torch

from qcl_mixnet.model.layers import QuantumEntanglementLayer
from qcl_mixnet.model.network import FULL_ATTENTION_WIDTH, QCLMixNet, attention_rank
from qcl_mixnet.model.variational import VariationalLayer


def build(n_features=5, n_classes=3, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return QCLMixNet.build(n_features, n_classes, generator=generator, **options)


def test_build__shapes_of_all_outputs():
    net = build()
    x = torch.randn(9, 5)
    logits, embedding = net.logits_and_embedding(x)
    assert logits.shape == (9, 3)
    assert embedding.shape == (9, 8)
    assert net.represent(x).shape == (9, 32)


def test_build__every_parameter_is_finite_and_depends_on_the_generator_alone():
    state = torch.random.get_rng_state()
    first, second, other = build(), build(), build(seed=1)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(p.isfinite().all() for p in first.state_dict().values())
    for name, value in first.named_parameters():
        assert torch.equal(value, second.get_parameter(name)), name
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_no_quantum__holds_no_quantum_layer():
    assert sum(isinstance(m, QuantumEntanglementLayer) for m in build().modules()) == 2
    ablated = build(quantum=False)
    assert not any(isinstance(m, QuantumEntanglementLayer) for m in ablated.modules())
    assert ablated(torch.randn(4, 5)).shape == (4, 3)


def test_variational__second_layer_is_a_circuit_and_the_first_is_not():
    net = build(quantum="variational", n_qubits=5, theta_std=0.5)
    assert isinstance(net.entangle_input, QuantumEntanglementLayer)
    assert isinstance(net.entangle_hidden, VariationalLayer)
    assert net.entangle_hidden.angles.shape == (2, 5, 2)
    assert 0.2 < net.entangle_hidden.angles.std() < 0.9
    assert net(torch.randn(4, 5)).shape == (4, 3)
    again = build(quantum="variational", n_qubits=5, theta_std=0.5)
    for name, value in net.named_parameters():
        assert torch.equal(value, again.get_parameter(name)), name


def test_no_attention__leaves_the_entangled_row():
    ablated = build(attention=False).eval()
    assert ablated.attention is None
    x = torch.randn(4, 5)
    hidden = ablated.entangle_hidden(ablated.hidden(ablated.entangle_input(x)))
    torch.testing.assert_close(ablated.represent(x), ablated.representation(hidden))


@pytest.mark.parametrize("n_features", [1, 700])
def test_forward__odd_widths(n_features):
    assert build(n_features=n_features, n_classes=100)(torch.randn(3, n_features)).shape == (3, 100)


def test_attention_rank__up_to_the_limit_none_above_that_of_the_layer_behind():
    assert attention_rank(1) is attention_rank(FULL_ATTENTION_WIDTH) is None
    assert attention_rank(FULL_ATTENTION_WIDTH + 1) == 64 == build().hidden[0].out_features


def test_build__attention_of_a_rank__grows_with_the_width_and_not_with_its_square():
    def size(n_features):
        with torch.device("meta"):
            network = QCLMixNet(n_features, 3, attention_rank=64)
        return sum(parameter.numel() for parameter in network.parameters())

    per_column = 1 + (64 + 64 + 1) + 64  # theta; value, out and its bias; the hidden layer
    assert size(20_000) - size(10_000) == 10_000 * per_column
