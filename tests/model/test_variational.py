"""The simulated circuit against products of whole matrices, and against PennyLane."""

from functools import reduce

import numpy as np
import pytest
import torch

from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model.variational import N_ROTATIONS, VariationalLayer, ring_of_cnots

QUBITS = pytest.mark.parametrize("n_qubits", [4, 5, 8])


def make_layer(n_qubits=4, seed=0, n_features=6):
    layer = VariationalLayer(n_features, n_qubits=n_qubits, theta_std=1.0).double()
    layer.reset_parameters(torch.Generator().manual_seed(seed))
    return layer


def make_angles(n_rows, n_qubits):
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.randn(n_rows, n_qubits, generator=generator, dtype=torch.float64)


def on_qubit(gate, qubit, n_qubits):
    """A gate of one qubit as a matrix of the whole register; qubit 0 is leftmost."""
    return reduce(np.kron, [gate if k == qubit else np.eye(2) for k in range(n_qubits)])


def cnot(control, target, n_qubits):
    zero, one, flip = np.diag([1.0, 0]), np.diag([0, 1.0]), np.array([[0, 1.0], [1, 0]])
    both = on_qubit(one, control, n_qubits) @ on_qubit(flip, target, n_qubits)
    return on_qubit(zero, control, n_qubits) + both


def ry(angle):
    c, s = np.cos(angle / 2), np.sin(angle / 2)
    return np.array([[c, -s], [s, c]])


def rz(angle):
    return np.diag(np.exp([-0.5j * angle, 0.5j * angle]))


def by_matrices(encoded, angles):
    """Expectations of one row: every gate is a matrix of the register, one after the other."""
    n = len(encoded)
    state = np.eye(2**n)[0].astype(complex)
    for qubit in range(n):
        state = on_qubit(ry(encoded[qubit]), qubit, n) @ state
    for layer in angles:
        for qubit in range(n):
            state = on_qubit(ry(layer[qubit, 0]) @ rz(layer[qubit, 1]), qubit, n) @ state
        for qubit in range(n):
            state = cnot(qubit, (qubit + 1) % n, n) @ state
    z = np.diag([1.0, -1.0])
    return [np.vdot(state, on_qubit(z, qubit, n) @ state).real for qubit in range(n)]


@QUBITS
def test_expectations__equal_products_of_whole_matrices(n_qubits):
    layer, encoded = make_layer(n_qubits), make_angles(3, n_qubits)
    expected = [by_matrices(row, layer.angles.detach().numpy()) for row in encoded.numpy()]
    result = layer.expectations(encoded).detach().numpy()
    np.testing.assert_allclose(result, expected, atol=1e-12)


@pytest.mark.parametrize("n_qubits", [4, 6, 8])
def test_expectations_and_gradients__equal_pennylane(n_qubits):
    qml = pytest.importorskip("pennylane")
    wires = range(n_qubits)

    @qml.qnode(qml.device("default.qubit", wires=n_qubits), interface="torch")
    def circuit(encoded, angles):
        qml.AngleEmbedding(encoded, wires=wires, rotation="Y")
        for layer in range(N_ROTATIONS):
            for wire in wires:
                qml.RZ(angles[layer, wire, 1], wires=wire)
                qml.RY(angles[layer, wire, 0], wires=wire)
            for wire in wires:
                qml.CNOT(wires=[wire, (wire + 1) % n_qubits])
        return [qml.expval(qml.PauliZ(wire)) for wire in wires]

    layer, encoded = make_layer(n_qubits), make_angles(2, n_qubits).requires_grad_()
    result = layer.expectations(encoded)
    theirs = layer.angles.detach().clone().requires_grad_()
    their_encoded = encoded.detach().clone().requires_grad_()
    expected = torch.stack([torch.stack(circuit(row, theirs)) for row in their_encoded])
    torch.testing.assert_close(result, expected)
    weight = make_angles(2, n_qubits)
    (result * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(layer.angles.grad, theirs.grad)
    torch.testing.assert_close(encoded.grad, their_encoded.grad)


def test_ring_of_cnots__four_qubits_by_hand():
    # 1000 -> 1100 -> 1110 -> 1111 -> 0111: each sets the next qubit, the last unsets the first.
    assert ring_of_cnots(4)[0b0111] == 0b1000
    assert ring_of_cnots(4)[0] == 0
    # 0001: the last qubit turns the first.
    assert ring_of_cnots(4)[0b1001] == 0b0001


@QUBITS
def test_gates__keep_the_length_of_every_state(n_qubits):
    for gate in make_layer(n_qubits).gates():
        torch.testing.assert_close(gate @ gate.mT, torch.eye(2 * 2**n_qubits).double())


def test_gradients__every_angle__changes_some_expectation():
    layer, encoded = make_layer(), make_angles(5, 4)
    (layer.expectations(encoded) * make_angles(5, 4)).sum().backward()
    assert (layer.angles.grad.abs() > 1e-6).all()


def test_forward__adds_the_decoded_expectations_to_the_row():
    layer, x = make_layer(), make_angles(5, 6)
    expected = x + layer.decode(layer.expectations(layer.encode(x)))
    assert torch.equal(layer(x), expected)
    assert not torch.allclose(layer(x), x)


@pytest.mark.parametrize("n_qubits", [4, 7])
def test_stacked__member__is_the_layer_alone_but_for_rounding(n_qubits):
    layers = [make_layer(n_qubits, seed, n_features=64).float() for seed in range(5)]
    for n_rows in (1, 3, 64):
        x = torch.randn(5, n_rows, 64, generator=torch.Generator().manual_seed(2))
        together = stack(layers)
        out = together(x)
        out.square().sum().backward()
        for member, layer in enumerate(layers):
            torch.testing.assert_close(out[member], layer(x[member]))
            alone = stack([layer])
            own = alone(x[member : member + 1])
            own.square().sum().backward()
            torch.testing.assert_close(out[member], own[0])
            for name, parameter in alone.named_parameters():
                grad = together.get_parameter(name).grad[member]
                torch.testing.assert_close(grad, parameter.grad[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_qubits", [3, 9])
def test_layer__too_few_or_many_qubits__is_told(n_qubits):
    with pytest.raises(ValueError, match=f"between 4 and 8, got {n_qubits}"):
        VariationalLayer(64, n_qubits=n_qubits)


def test_constants__first_made_without_gradients__serve_a_training_later():
    layer = make_layer(6)
    with torch.inference_mode():
        layer(make_angles(2, 6))
    layer(make_angles(2, 6)).sum().backward()
    assert layer.angles.grad.any()
