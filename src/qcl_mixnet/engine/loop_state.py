"""Everything that changes while a group trains, taken between two epochs and put back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qcl_mixnet.engine.averaging import MovingAverage
from qcl_mixnet.engine.checkpoints import Checkpoints
from qcl_mixnet.engine.fingerprint import Generators, generator_state, set_generator_state

Arrays = dict[str, NDArray[Any]]

# Of an optimiser's group: what a schedule changes.
_SCHEDULED = ("lr", "betas")


class MemberResult(Protocol):
    """What a member's training leaves; `engine.loop.TrainingResult`."""

    history: list[dict[str, float]]
    best_epoch: int
    diverged_at: int | None


class LoopState:
    """The state of a loop.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Of one buffer, which holds all that is trained.
    scheduler : learning-rate schedule or None
    average : MovingAverage or None
    kept : Checkpoints
    results : sequence of MemberResult
    scores : list of ndarray of shape (members,)
        One for each epoch; empty where nothing is scored.
    buffers : sequence of Tensor
        That the modules change while they train, such as running averages.
    generators : sequence of generators
        That draw while they train.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        scheduler: Any,
        average: MovingAverage | None,
        kept: Checkpoints,
        results: Sequence[MemberResult],
        scores: list[NDArray[np.float64]],
        buffers: Sequence[Tensor],
        generators: Generators,
    ):
        self.optimizer, self.scheduler, self.average = optimizer, scheduler, average
        self.kept, self.results, self.scores = kept, results, scores
        self.generators = generators
        (self.group,) = optimizer.param_groups
        (self.values,) = self.group["params"]
        self.live = {"parameters": self.values}
        if average is not None:
            self.live["average"] = average.average
        self.live |= {f"buffer.{number}": buffer for number, buffer in enumerate(buffers)}

    def take(self) -> tuple[Arrays, dict[str, Any]]:
        """Copy all of it: arrays, and what JSON can hold."""
        terms = list(next((r.history[0] for r in self.results if r.history), {}))
        arrays = {name: _copy(tensor) for name, tensor in self.live.items()}
        moments = self.optimizer.state[self.values]
        arrays |= {f"optimizer.{name}": _copy(tensor) for name, tensor in moments.items()}
        arrays |= {_best(dtype): _copy(values) for dtype, values in self.kept.best.items()}
        arrays["best_scores"] = self.kept.scores.copy()
        arrays["scores"] = np.array(self.scores, dtype=np.float64)
        for member, result in enumerate(self.results):
            rows = [[record[term] for term in terms] for record in result.history]
            arrays[f"history.{member}"] = np.array(rows, dtype=np.float64).reshape(-1, len(terms))
        return arrays, {
            "terms": terms,
            "members": [[r.best_epoch, r.diverged_at] for r in self.results],
            "group": {name: self.group[name] for name in _SCHEDULED},
            "scheduler": None if self.scheduler is None else _plain(self.scheduler.state_dict()),
            "average_steps": None if self.average is None else self.average.steps,
            "generators": [generator_state(generator) for generator in self.generators],
        }

    def put(self, arrays: Arrays, facts: dict[str, Any]) -> None:
        """Set all of it to what `take` gave, in the memory that the training uses.

        Raises
        ------
        ValueError
            When it is not what this loop has taken; nothing is changed then.
        """
        self._check(arrays, facts)
        with torch.no_grad():
            for name, tensor in self.live.items():
                tensor.copy_(torch.from_numpy(arrays[name]))
        self.optimizer.state[self.values] = {
            name.removeprefix("optimizer."): self._tensor(array)
            for name, array in arrays.items()
            if name.startswith("optimizer.")
        }
        self.kept.best = {dtype: self._tensor(arrays[_best(dtype)]) for dtype in self.kept.best}
        self.kept.scores[:] = arrays["best_scores"]
        self.scores[:] = arrays["scores"]
        for member, result in enumerate(self.results):
            result.best_epoch, result.diverged_at = facts["members"][member]
            result.history[:] = [
                {
                    "epoch": int(row[0]),
                    **dict(zip(facts["terms"][1:], map(float, row[1:]), strict=True)),
                }
                for row in arrays[f"history.{member}"]
            ]
        self.group["lr"], self.group["betas"] = facts["group"]["lr"], tuple(facts["group"]["betas"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(facts["scheduler"])
        if self.average is not None:
            self.average.steps = facts["average_steps"]
        for generator, state in zip(self.generators, facts["generators"], strict=True):
            set_generator_state(generator, state)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        # A copy: what was read from a file is not writable.
        return torch.from_numpy(array.copy()).to(self.values.device)

    def _check(self, arrays: Arrays, facts: dict[str, Any]) -> None:
        expected = {name: (tensor.shape, _numpy_type(tensor)) for name, tensor in self.live.items()}
        expected |= {_best(d): (v.shape, _numpy_type(v)) for d, v in self.kept.best.items()}
        expected["best_scores"] = self.kept.scores.shape, self.kept.scores.dtype
        for name, (shape, dtype) in expected.items():
            found = arrays.get(name)
            if found is None or found.shape != tuple(shape) or found.dtype != dtype:
                raise ValueError(f"its array {name!r} is not the training's")
        n_members, n_generators = len(self.results), len(self.generators)
        histories = [f"history.{member}" in arrays for member in range(n_members)]
        counts = len(facts["members"]), len(facts["generators"])
        if not all(histories) or counts != (n_members, n_generators) or "scores" not in arrays:
            raise ValueError("it has another number of members or generators")


def _copy(tensor: Tensor) -> NDArray[Any]:
    copied: NDArray[Any] = tensor.detach().cpu().numpy().copy()
    return copied


def _numpy_type(tensor: Tensor) -> np.dtype[Any]:
    return np.dtype(str(tensor.dtype).removeprefix("torch."))


def _best(dtype: torch.dtype) -> str:
    return f"best.{dtype}"


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """What a schedule counts: numbers, and lists of them."""
    return {
        name: value
        for name, value in state.items()
        if isinstance(value, int | float)
        or (isinstance(value, list) and all(isinstance(v, int | float) for v in value))
    }
