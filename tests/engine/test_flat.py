"""Parameters that are views of one buffer."""

import pytest
import torch

from qcl_mixnet.engine.flat import VECTOR, flatten_parameters


def test_flatten_parameters__views_of_one_buffer_and_the_same_steps():
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(shape, generator=generator) for shape in ((3, 4), (5,), (2, 2, 2))]
    apart = [torch.nn.Parameter(value.clone()) for value in values]
    flat = [torch.nn.Parameter(value.clone()) for value in values]
    buffer = flatten_parameters(flat)
    assert buffer.shape == buffer.grad.shape == (VECTOR,)
    optimizers = [
        torch.optim.AdamW(apart, lr=0.1), torch.optim.AdamW([buffer], lr=0.1, fused=True)
    ]  # fmt: skip
    for _ in range(3):
        for parameters, optimizer in zip((apart, flat), optimizers, strict=True):
            optimizer.zero_grad(set_to_none=False)
            sum((p**3).sum() for p in parameters).backward()
            optimizer.step()
    for one, other in zip(apart, flat, strict=True):
        torch.testing.assert_close(one, other)
        assert other.data_ptr() >= buffer.data_ptr()
    assert torch.equal(buffer[25:], torch.zeros(VECTOR - 25))
    assert torch.equal(buffer[:25], torch.cat([p.reshape(-1) for p in flat]))
    with torch.no_grad():
        buffer.zero_()
    assert all((p == 0).all() for p in flat)


@pytest.mark.parametrize("n_values", [1, VECTOR - 1, VECTOR, VECTOR + 1])
def test_flatten_parameters__any_number_of_values__fills_up_to_whole_vectors(n_values):
    parameter = torch.nn.Parameter(torch.arange(1.0, n_values + 1))
    buffer = flatten_parameters([parameter])
    assert len(buffer) % VECTOR == 0
    assert 0 <= len(buffer) - n_values < VECTOR
    assert torch.equal(buffer[:n_values], torch.arange(1.0, n_values + 1))
    assert not buffer[n_values:].any()
    assert not buffer.grad.any()
