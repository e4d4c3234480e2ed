"""A bar over the fits of a trial, on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from tqdm import tqdm


class FitProgress:
    """Which model is fitted on which fold; nothing is shown where there is no terminal."""

    def __enter__(self) -> Self:
        self._bar: Any = tqdm(
            total=0,
            bar_format="{desc} {elapsed}",
            leave=False,
            disable=None,  # tqdm's word for "unless there is a terminal"
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()

    def begin(self, label: str, fold: int, n_folds: int) -> None:
        """Say what is fitted from now on."""
        self._bar.set_description_str(f"Fold {fold + 1} of {n_folds}: {label}")
