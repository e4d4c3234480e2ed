"""What a training shows while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self


class EpochReport:
    """A progress bar over the epochs, with the loss beside it.

    Parameters
    ----------
    epochs : int
    verbose : int or bool
        0: nothing is shown.
    """

    def __init__(self, epochs: int, verbose: int | bool):
        self.epochs, self.verbose = epochs, verbose

    def __enter__(self) -> Self:
        if self.verbose:
            # Not at the top: in a notebook without widgets the import warns.
            from tqdm.auto import tqdm

            self.bar = tqdm(total=self.epochs, unit="epoch")
        return self

    def __call__(self, record: Mapping[str, float]) -> None:
        """Show an epoch: means over the networks that train together."""
        if not self.verbose:
            return
        shown = {name: f"{record[name]:.3g}" for name in ("loss", "macro_f1") if name in record}
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update(int(record["epoch"]) - self.bar.n)  # more than 1 where a training goes on

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.verbose:
            self.bar.close()
