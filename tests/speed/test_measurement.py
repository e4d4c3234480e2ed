import itertools

import pytest
import torch
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.objective import HybridObjective, MixupOptions
from qcl_mixnet.speed import measurement as speed
from qcl_mixnet.speed.measurement import (
    PAPER_SHAPES,
    Shape,
    SpeedOptions,
    make_task,
    measure_speed,
    step_flop,
)

SMALL = Shape(rows=50, features=3, classes=4)


def options(**changes):
    defaults = {"shapes": {"small": SMALL}, "members": [1, 2], "steps": 2, "repeats": 3}
    return SpeedOptions(**{**defaults, "batch_size": 16, "device": "cpu", **changes})


@pytest.fixture(autouse=True)
def _quick_peak(monkeypatch):
    describe = speed.describe_machine
    monkeypatch.setattr(speed, "describe_machine", lambda device: describe(device, peak_size=16))


def test_options__defaults__are_the_issue_s():
    default = SpeedOptions()
    assert default.members == [1, 10, 40]
    assert default.gpu_members == [64, 256]
    assert default.repeats == 5
    assert {name: tuple(s.model_dump().values()) for name, s in default.shapes.items()} == {
        "vehicle": (846, 18, 4), "letter": (20_000, 16, 26), "isolet": (7797, 617, 2),
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"members": []}, {"members": [0]}, {"repeats": 0}, {"steps": 0}, {"batch_size": 1},
        {"threads": 0}, {"shapes": {}}, {"shapes": {"a": {"rows": 9}}}, {"typo": 1},
    ],
)  # fmt: skip
def test_options__out_of_range__are_refused(change):
    with pytest.raises(ValidationError):
        SpeedOptions(**change)


@pytest.mark.parametrize(
    ("rows", "steps", "n_rows", "epochs", "taken"),
    [
        (50, 2, 32, 1, 2),  # 40 rows to train on: cut to two batches
        (50, 7, 40, 3, 9),  # three batches an epoch, the last of 8 rows
        (846, 50, 676, 2, 86),  # 42 full batches and one of 4 rows
        (42, 3, 33, 2, 4),  # a last batch of one row is none
    ],
)
def test_make_task__rows_and_steps(rows, steps, n_rows, epochs, taken):
    task = make_task(Shape(rows=rows, features=3, classes=4), options(steps=steps))
    assert task.x.shape == (n_rows, 3)
    assert task.x.dtype == torch.float32
    assert (task.options.epochs, task.steps) == (epochs, taken)
    counts = task.y.bincount()
    assert len(counts) == 4
    assert counts.max() - counts.min() <= 1


def test_make_task__same_seed__same_table():
    first, same, other = (make_task(SMALL, options(seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first.x, same.x)
    assert not torch.equal(first.x, other.x)


@pytest.mark.parametrize("name", PAPER_SHAPES)
def test_step_flop__is_what_pytorch_counts(name):
    shape = PAPER_SHAPES[name]
    generator = torch.Generator().manual_seed(0)
    net = QCLMixNet.build(shape.features, shape.classes, generator=generator)
    loss = HybridLoss(shape.classes, 8)
    loss.reset_parameters(generator)
    x = torch.randn(1, 64, shape.features, generator=generator)
    y = torch.arange(64).unsqueeze(0) % shape.classes
    objective = HybridObjective(
        stack([net]), stack([loss]), x, y, MixupOptions(), [Streams.from_seed(0).mixup]
    )
    objective.start_epoch(torch.arange(64).unsqueeze(0))
    with FlopCounterMode(display=False) as counter:
        objective(slice(0, 64))[0].sum().backward()
    assert step_flop(shape.features, shape.classes, 64) == counter.get_total_flops()


def test_measure_speed__rows_for_every_shape_group_and_implementation():
    shapes = {"small": SMALL, "wide": Shape(rows=40, features=70, classes=2)}
    result = measure_speed(options(shapes=shapes))
    table = result.table
    found = list(zip(table["dataset"], table["members"], table["implementation"], strict=True))
    assert found == list(itertools.product(shapes, [1, 2], ["reference", "engine"]))
    assert set(table["steps"]) == {2}
    assert (table[["ms", "peak_mib", "bound_ms", "ratio"]] > 0).all(axis=None)
    assert (table["ms_min"] <= table["ms"]).all()
    assert (table["ms"] <= table["ms_max"]).all()
    reference = table["implementation"] == "reference"
    assert (table.loc[reference, "ratio"] == 1).all()
    bound = table["mflop"] / result.machine.gflop_per_second
    assert table["bound_ms"].tolist() == pytest.approx(bound.tolist())
    assert table["fraction"].tolist() == pytest.approx((bound / table["ms"]).tolist())
    # Two members' tensors are about twice one member's.
    engine = table[~reference].set_index(["dataset", "members"])["peak_mib"]
    assert engine["small", 2] / engine["small", 1] == pytest.approx(2, abs=0.4)


def test_measure_speed__medians_of_times_taken_in_turns(monkeypatch):
    # Reference and engine alternate; whole runs of 2 steps, in seconds.
    seconds = iter([0.4, 0.1, 0.8, 0.1, 0.6, 0.3])
    monkeypatch.setattr(speed, "seconds_of", lambda function, device: next(seconds))
    table = measure_speed(options(members=[2])).table.set_index("implementation")
    assert table.loc["reference", ["ms", "ms_min", "ms_max"]].tolist() == [300, 200, 400]
    # Two members' steps: a quarter of a run is a member's step.
    assert table.loc["engine", ["ms", "ms_min", "ms_max"]].tolist() == pytest.approx([25, 25, 75])
    # 200/25, 400/25, 300/75: the median of the repeats' ratios, not the medians' ratio.
    assert table.loc["engine", "ratio"] == pytest.approx(8)


def test_measure_speed__last_batch_is_smaller__its_arithmetic_is_too():
    table = measure_speed(options(members=[1], repeats=1, steps=3)).table
    expected = (2 * step_flop(3, 4, 16) + step_flop(3, 4, 8)) / 3
    assert table["mflop"].tolist() == pytest.approx([expected / 1e6] * 2)


def test_measure_speed__threads__are_used_and_put_back(monkeypatch):
    before = torch.get_num_threads()
    used = []
    monkeypatch.setattr(speed, "seconds_of", lambda f, d: used.append(torch.get_num_threads()) or 1)
    result = measure_speed(options(members=[1], repeats=1, threads=before + 1))
    assert result.machine.threads == before + 1
    assert set(used) == {before + 1}
    assert torch.get_num_threads() == before


def test_measure_speed__to_dict__has_machine_and_rows():
    result = measure_speed(options(members=[1], repeats=1))
    nested = result.to_dict()
    assert nested["machine"]["torch"] == torch.__version__
    assert [row["implementation"] for row in nested["results"]] == ["reference", "engine"]


def test_measure_speed__no_such_device__says_so():
    with pytest.raises(ValueError, match="device='cpux' is not a PyTorch device"):
        measure_speed(options(device="cpux"))


@pytest.mark.gpu
def test_measure_speed__gpu__larger_groups_besides():
    table = measure_speed(options(device="cuda", gpu_members=[3])).table
    assert list(table["members"].unique()) == [1, 2, 3]
