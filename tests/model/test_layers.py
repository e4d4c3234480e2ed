import math

import pytest
import torch

from qcl_mixnet.model.layers import QuantumEntanglementLayer, ValueAttention


def test_quantum_entanglement__2x3_by_hand():
    # Eq. 1-3 with plain floats, row by row.
    theta = [0.3, -0.7, 1.2]
    rows = [[1.0, 2.0, -1.0], [0.5, 0.0, 4.0]]
    expected = []
    for row in rows:
        projected = [value * math.cos(angle) for value, angle in zip(row, theta, strict=True)]
        dot = sum(value * math.sin(angle) for value, angle in zip(projected, theta, strict=True))
        gate = 1 / (1 + math.exp(-dot))
        expected.append([value * gate for value in projected])

    layer = QuantumEntanglementLayer(3).double()
    layer.theta.data = torch.tensor(theta, dtype=torch.float64)
    result = layer(torch.tensor(rows, dtype=torch.float64))

    torch.testing.assert_close(result, torch.tensor(expected, dtype=torch.float64))


def test_quantum_entanglement__gate_on_input__uses_the_row_itself():
    layer = QuantumEntanglementLayer(2, gate="input").double()
    layer.theta.data = torch.tensor([0.5, 1.0], dtype=torch.float64)
    gate = 1 / (1 + math.exp(-(3 * math.sin(0.5) - 2 * math.sin(1.0))))
    expected = torch.tensor([[3 * math.cos(0.5) * gate, -2 * math.cos(1.0) * gate]]).double()
    result = layer(torch.tensor([[3.0, -2.0]], dtype=torch.float64))
    torch.testing.assert_close(result, expected, rtol=1e-6, atol=1e-6)


def test_quantum_entanglement__unknown_gate__names_the_choices():
    with pytest.raises(ValueError, match=r"gate must be one of .*projected.*got 'both'"):
        QuantumEntanglementLayer(2, gate="both")


def test_quantum_entanglement__reset__has_the_asked_spread():
    layer = QuantumEntanglementLayer(20_000, theta_std=0.25)
    layer.reset_parameters(torch.Generator().manual_seed(0))
    assert layer.theta.std().item() == pytest.approx(0.25, rel=0.03)
    assert layer.theta.mean().item() == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("n_features", [1, 5])
def test_value_attention__equals_multihead_attention_on_a_sequence_of_length_1(n_features):
    attention = ValueAttention(n_features)
    attention.reset_parameters(torch.Generator().manual_seed(1))
    theirs = torch.nn.MultiheadAttention(n_features, num_heads=1, batch_first=True)
    with torch.no_grad():
        attention.value.bias.uniform_()
        attention.out.bias.uniform_()
        theirs.in_proj_weight[2 * n_features :] = attention.value.weight
        theirs.in_proj_bias[2 * n_features :] = attention.value.bias
    theirs.out_proj.load_state_dict(attention.out.state_dict())

    x = torch.randn(7, n_features, generator=torch.Generator().manual_seed(2))
    sequence = x.unsqueeze(1)
    expected, weights = theirs(sequence, sequence, sequence)

    assert torch.equal(weights, torch.ones(7, 1, 1))
    torch.testing.assert_close(attention(x), expected.squeeze(1))


def test_value_attention__multihead_attention_gives_query_and_key_no_gradient():
    theirs = torch.nn.MultiheadAttention(4, num_heads=1, batch_first=True)
    sequence = torch.randn(6, 1, 4)
    theirs(sequence, sequence, sequence)[0].square().sum().backward()
    assert torch.equal(theirs.in_proj_weight.grad[:8], torch.zeros(8, 4))
    assert theirs.in_proj_weight.grad[8:].abs().sum() > 0


def test_value_attention__initial_spread_is_that_of_multihead_attention():
    attention = ValueAttention(300)
    attention.reset_parameters(torch.Generator().manual_seed(0))
    theirs = torch.nn.MultiheadAttention(300, num_heads=1)
    assert attention.value.weight.std().item() == pytest.approx(
        theirs.in_proj_weight[600:].std().item(), rel=0.02
    )
    assert attention.out.weight.std().item() == pytest.approx(
        theirs.out_proj.weight.std().item(), rel=0.02
    )


def test_value_attention__of_a_rank__two_narrow_products_with_the_spread_of_the_wide_ones():
    full, low = ValueAttention(300), ValueAttention(300, rank=20)
    for attention in (full, low):
        attention.reset_parameters(torch.Generator().manual_seed(0))
    assert low.value.weight.shape == (20, 300)
    assert low.out.weight.shape == (300, 20)
    x = torch.randn(2000, 300, generator=torch.Generator().manual_seed(1))
    expected = x @ low.value.weight.T @ low.out.weight.T
    torch.testing.assert_close(low(x), expected, atol=1e-5, rtol=1e-4)
    assert torch.linalg.matrix_rank(low.out.weight @ low.value.weight) == 20
    assert low(x).std().item() == pytest.approx(full(x).std().item(), rel=0.05)
