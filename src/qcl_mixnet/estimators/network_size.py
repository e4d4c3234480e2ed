"""Networks as large as a table's width asks for, where there is memory to train them."""

from __future__ import annotations

from typing import Any, Literal

import torch

from qcl_mixnet.engine.memory import BYTES_PER_PARAMETER, available_memory
from qcl_mixnet.estimators.representation import RepresentingEnsemble
from qcl_mixnet.model.network import ATTENTION_RANK, QCLMixNet, attention_rank

Attention = bool | Literal["full"]

_PARTS = "quantum", "attention", "n_qubits", "theta_std", "gate"


class SizedEnsemble(RepresentingEnsemble):
    """An ensemble of the method's networks, with the attention that the table's width allows."""

    attention: Attention

    def _build(self, n_inputs: int, generator: torch.Generator) -> QCLMixNet:
        parts = self._parts(n_inputs)
        return QCLMixNet.build(n_inputs, len(self.classes_), generator=generator, **parts)

    def _parts(self, n_inputs: int) -> dict[str, Any]:
        """Arguments of `QCLMixNet` for preprocessed rows of so many columns."""
        parts = {name: getattr(self, name) for name in _PARTS}
        low = self.attention and self.attention != "full"
        rank = attention_rank(n_inputs) if low else None
        return parts | {"attention": bool(self.attention), "attention_rank": rank}

    def _check_size(self, n_inputs: int, n_networks: int) -> None:
        # Elsewhere too little memory ends in an error; here the system ends the process.
        if torch.device(self.device_).type == "cpu":
            self._check_memory(n_inputs, n_networks)

    def _check_memory(self, n_inputs: int, n_networks: int) -> None:
        with torch.device("meta"):  # nothing is allocated there
            network = QCLMixNet(n_inputs, len(self.classes_), **self._parts(n_inputs))
        n_parameters = sum(parameter.numel() for parameter in network.parameters())
        needed, available = n_networks * n_parameters * BYTES_PER_PARAMETER, available_memory()
        if available is None or needed <= available:
            return
        low_rank = f"attention=True (rank {ATTENTION_RANK} above a width)"
        networks = "1 network" if n_networks == 1 else f"{n_networks} networks"
        raise ValueError(
            f"The table has {n_inputs:,} columns after encoding: training {networks} of "
            f"{n_parameters:,} parameters with attention={self.attention!r} takes about "
            f"{needed / 1e9:.1f} GB of memory, and {available / 1e9:.1f} GB are available; use "
            f"{low_rank if self.attention == 'full' else 'attention=False'}, fewer networks "
            "(n_members), fewer levels (rare_levels='join'), or choose columns before the "
            "classifier, with SelectKBest or PCA in a Pipeline."
        )
