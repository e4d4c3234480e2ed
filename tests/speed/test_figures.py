import pandas as pd
import pytest

from qcl_mixnet.speed.figures import plot_speed
from qcl_mixnet.speed.machine import Machine

MACHINE = Machine("cpu", "Fast CPU 9", 2, "9.1", 100.4)
SPEEDUPS = {1: 2.0, 10: 20.0, 40: 25.0}


def make_table(datasets=("vehicle", "letter", "isolet"), bound_ms=0.02):
    rows = [
        {
            "dataset": dataset, "features": 18, "classes": 4, "members": members,
            "implementation": implementation, "ms": 6 / speed, "ms_min": 5 / speed,
            "ms_max": 9 / speed, "ratio": speed, "bound_ms": bound_ms,
        }
        for dataset in datasets
        for members, speedup in SPEEDUPS.items()
        for implementation, speed in (("reference", 1.0), ("engine", speedup))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def lines_of(axes):
    return {line.get_linestyle(): line for line in axes.lines if line.get_linestyle() != "None"}


def test_plot_speed__a_panel_per_data_set_with_all_three_lines():
    figure = plot_speed(make_table(), MACHINE)
    assert [axes.get_title("left").splitlines()[0] for axes in figure.axes] == [
        "vehicle", "letter", "isolet",
    ]  # fmt: skip
    for axes in figure.axes:
        lines = lines_of(axes)
        assert lines["-."].get_xydata().tolist() == [[1, 6], [10, 6], [40, 6]]
        assert lines["-"].get_ydata().tolist() == pytest.approx([3, 0.3, 0.24])
        assert list(lines["--"].get_ydata()) == [0.02, 0.02]
        assert axes.get_yscale() == "log"


def test_plot_speed__black_and_white__markers_and_dashes_differ():
    axes = plot_speed(make_table(), MACHINE).axes[0]
    lines = lines_of(axes)
    assert set(lines) == {"-.", "-", "--"}
    assert lines["-."].get_marker() != lines["-"].get_marker()


def test_plot_speed__bars_reach_from_the_fastest_to_the_slowest():
    axes = plot_speed(make_table(["vehicle"]), MACHINE).axes[0]
    reference, engine = axes.collections
    assert reference.get_segments()[0][:, 1].tolist() == pytest.approx([5, 9])
    assert engine.get_segments()[1][:, 1].tolist() == pytest.approx([0.25, 0.45])


def test_plot_speed__words__ratios_machine_and_members(words):
    text = words(plot_speed(make_table(), MACHINE))
    for number in ("2", "20", "25"):
        assert f"{number}\N{MULTIPLICATION SIGN}" in text.splitlines()
    for part in ("Fast CPU 9, 2 threads, PyTorch 9.1", "100 GFLOP/s", "40"):
        assert part in text


def test_plot_speed__gpu__names_no_threads(words):
    text = words(plot_speed(make_table(), Machine("cuda", "Big GPU", 16, "9.1", 5e4)))
    assert "Big GPU, PyTorch 9.1" in text


@pytest.mark.parametrize("bound_ms", [0.002, 0.2, 4.0])
def test_plot_speed__everything_can_be_read(bound_ms, check_legible):
    figure = plot_speed(make_table(bound_ms=bound_ms), MACHINE)
    check_legible(figure)
    assert figure.get_figwidth() == 7


def test_plot_speed__one_data_set_and_one_group(check_legible):
    table = make_table(["vehicle"]).query("members == 10")
    check_legible(plot_speed(table, MACHINE))
