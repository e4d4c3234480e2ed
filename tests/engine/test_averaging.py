import pytest
import torch

from qcl_mixnet.engine.averaging import MovingAverage


def naive_average(values, decay):
    """The average after each step, in Python's numbers."""
    average, found = values[0], []
    for step, value in enumerate(values[1:], start=1):
        kept = min(decay, (1 + step) / (10 + step))
        average = kept * average + (1 - kept) * value
        found.append(average)
    return found


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.98])
def test_update__steps_of_a_walk__equal_a_naive_loop(decay):
    values = torch.tensor([1.0], dtype=torch.float64)
    average = MovingAverage(values, decay)
    walk = [1.0, 3.0, -2.0, 5.0, 5.5, 100.0, 0.0]
    found = []
    for value in walk[1:]:
        values.fill_(value)
        average.update()
        found.append(average.average.item())
    assert found == pytest.approx(naive_average(walk, decay))


def test_update__first_step__keeps_two_elevenths_of_the_start_by_hand():
    values = torch.tensor([11.0])
    average = MovingAverage(values, 0.98)
    values.fill_(0.0)
    average.update()
    assert average.average.item() == pytest.approx(2.0)


def test_in_place__holds_the_average_then_the_live_values_again():
    values = torch.nn.Parameter(torch.zeros(3))
    average = MovingAverage(values, 0.5)
    with torch.no_grad():
        values.fill_(1.0)
    average.update()  # keeps 2/11 of 0
    with average.in_place():
        torch.testing.assert_close(values.detach(), torch.full((3,), 9 / 11))
    assert torch.equal(values.detach(), torch.ones(3))


def test_in_place__an_error_inside__the_live_values_come_back():
    values = torch.ones(2)
    average = MovingAverage(values, 0.5)
    values.fill_(2.0)

    def interrupted():
        with average.in_place():
            assert torch.equal(values, torch.ones(2))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert torch.equal(values, torch.full((2,), 2.0))


def test_update__one_value_is_not_a_number__leaves_the_others_alone():
    values = torch.tensor([1.0, 1.0])
    average = MovingAverage(values, 0.0)
    values.copy_(torch.tensor([torch.nan, 3.0]))
    average.update()
    assert average.average.isnan().tolist() == [True, False]
