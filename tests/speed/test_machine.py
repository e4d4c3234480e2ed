import platform

import pytest
import torch

from qcl_mixnet.speed import machine
from qcl_mixnet.speed.machine import describe_machine, peak_memory, seconds_of


def test_describe_machine__what_pytorch_says():
    found = describe_machine("cpu", peak_size=32)
    assert found.device == "cpu"
    assert found.threads == torch.get_num_threads()
    assert found.torch == torch.__version__
    assert found.gflop_per_second > 0


def test_describe_machine__the_fastest_product_counts(monkeypatch):
    seconds = iter([9.0, 2.0, 0.5, 4.0])  # the first is the warm-up
    monkeypatch.setattr(machine, "seconds_of", lambda function, device: next(seconds))
    found = describe_machine("cpu", peak_size=1000)
    assert found.gflop_per_second == pytest.approx(4.0)  # 2 * 1000^3 in half a second


def test_describe_machine__processor__linux_knows_its_name(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Fast: CPU 9\nflags\t: x\n")
    monkeypatch.setattr(machine, "Path", lambda path: tmp_path / "cpuinfo")
    assert describe_machine("cpu", peak_size=8).name == "Fast: CPU 9"
    (tmp_path / "cpuinfo").unlink()
    named = platform.processor() or platform.machine()
    assert describe_machine("cpu", peak_size=8).name == named


def test_seconds_of__calls_once(monkeypatch):
    ticks = iter([10.0, 12.5])
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(ticks))
    calls = []
    assert seconds_of(lambda: calls.append(1), "cpu") == 2.5
    assert calls == [1]


def kilobytes(n):
    return torch.zeros(n * 256)  # float32


def test_peak_memory__what_is_alive_at_once():
    def two_then_one():
        a, b = kilobytes(3), kilobytes(5)
        del a, b
        kilobytes(7)

    assert peak_memory(two_then_one, "cpu") == 8 * 1024
    assert peak_memory(lambda: [kilobytes(3) for _ in range(4)], "cpu") == 12 * 1024


def test_peak_memory__views_and_what_was_there_before__do_not_count():
    before = kilobytes(4)

    def views():
        a = kilobytes(2)
        return a.view(2, -1), a[1:], before[3:], before.add_(1)

    assert peak_memory(views, "cpu") == 2 * 1024


def test_peak_memory__what_backward_needs__counts():
    weight = kilobytes(4).requires_grad_()

    def train():
        (weight.exp() * 2).sum().backward()  # exp keeps its result, its gradient is as large

    assert peak_memory(train, "cpu") >= 12 * 1024


@pytest.mark.gpu
def test_peak_memory__gpu__without_what_was_there_before():
    before = torch.zeros(1024, 1024, device="cuda")
    assert peak_memory(lambda: torch.zeros(1024, 1024, device="cuda"), "cuda") == 4 * 2**20
    assert before.is_cuda
