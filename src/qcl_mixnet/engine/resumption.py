"""Saving a training between epochs and going on with it, where somebody asked for that.

`resuming.folder.saving_progress` asks; the loop looks once, when a training begins.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from qcl_mixnet.engine.loop_state import LoopState
from qcl_mixnet.resuming.files import Saved
from qcl_mixnet.resuming.folder import ProgressFolder, work_clock

logger = logging.getLogger(__name__)


@dataclass
class Resumption:
    """One training and its file.

    Attributes
    ----------
    folder : ProgressFolder
    training : str
        Hash of all that determines the training.
    state : LoopState
    epochs : int
        Of the whole training.
    """

    folder: ProgressFolder
    training: str
    state: LoopState
    epochs: int

    def __post_init__(self) -> None:
        self.began, self.worked = 0.0, 0.0

    def begin(self, epoch: int) -> int:
        """Note that the training goes on after an epoch; give the epoch to go on after.

        Before the first it is that of the last state that was saved, 0 where there is none.
        """
        self.began = work_clock()
        return epoch or self._resume()

    def _resume(self) -> int:
        saved = self.folder.load(self.training)
        if saved is None:
            return 0
        try:
            epoch = int(saved.facts["epoch"])
            self.state.put(saved.arrays, saved.facts)
        except (ValueError, LookupError, TypeError) as error:
            self.folder.refuse(self.training, f"it is damaged: {error}")
            return 0
        self.folder.count_before(saved.seconds)
        logger.info(
            "A training goes on after epoch %d of %d, which it had reached in %.0f s.",
            epoch, self.epochs, saved.seconds,
        )  # fmt: skip
        return epoch

    def after_epoch(self, epoch: int) -> None:
        """Save the state if it is time to."""
        if self.folder.is_due:
            self.folder.save(self.training, self._saved(epoch))

    def rest(self, epoch: int) -> None:
        """Keep the state of a training that rests or is over: what comes after may be ended."""
        self.folder.finish(self.training, self._saved(epoch))
        self.worked += work_clock() - self.began

    def _saved(self, epoch: int) -> Saved:
        arrays, facts = self.state.take()
        seconds = self.worked + work_clock() - self.began
        return Saved(arrays, {"epoch": epoch, **facts}, seconds)
