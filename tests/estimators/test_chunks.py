import numpy as np
import pytest
import torch

from qcl_mixnet.estimators.chunks import PREDICTION_CHUNK, in_chunks, softmax


@pytest.mark.parametrize("rows", [1, 3, 7, 100])
def test_in_chunks__rows_of_any_number__are_applied_so_many_at_a_time(rows):
    x, sizes = torch.arange(14.0).reshape(7, 2), []

    def double(chunk):
        sizes.append(len(chunk))
        return 2 * chunk

    assert torch.equal(in_chunks(double, x, rows), 2 * x)
    assert sizes == [min(rows, 7 - start) for start in range(0, 7, rows)]


def test_in_chunks__members_in_front__rows_are_split():
    x = torch.arange(24.0).reshape(2, 6, 2)
    found = in_chunks(lambda chunk: chunk.sum(-1, keepdim=True), x, 4)
    assert torch.equal(found, x.sum(-1, keepdim=True))


def test_in_chunks__default__the_constant():
    sizes = []
    in_chunks(lambda chunk: (sizes.append(len(chunk)), chunk)[1], torch.zeros(5000, 1))
    assert sizes == [PREDICTION_CHUNK, PREDICTION_CHUNK, 5000 - 2 * PREDICTION_CHUNK]


def test_in_chunks__no_gradient_and_no_rows():
    weight = torch.ones(2, requires_grad=True)
    assert not in_chunks(lambda chunk: chunk * weight, torch.ones(3, 2), 2).requires_grad
    assert in_chunks(lambda chunk: chunk, torch.zeros(0, 2), 2).shape == (0, 2)


def test_softmax__rows_sum_to_1_in_float64():
    found = softmax(torch.tensor([[0.0, np.log(3.0)], [1000.0, -1000.0]], dtype=torch.float32))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found, [[0.25, 0.75], [1, 0]], atol=1e-7)
