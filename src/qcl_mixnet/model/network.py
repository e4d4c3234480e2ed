"""The network of QCL-MixNet (Algorithm 1, "QI_NN") with its two heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qcl_mixnet.engine.stacking import BatchNorm1d, Linear, reset_linear
from qcl_mixnet.model.layers import Gate, QuantumEntanglementLayer, ValueAttention
from qcl_mixnet.model.variational import Quantum, VariationalLayer

HIDDEN_WIDTH = 64
REPRESENTATION_WIDTH = 32
PROJECTION_WIDTH = 16
EMBEDDING_WIDTH = 8

# Columns up to which the attention is the paper's, whose size grows with their square, and the rank
# that it has above. Its output reaches the rest through a layer of 64 values, so that no more than
# 64 directions of it are ever seen.
FULL_ATTENTION_WIDTH, ATTENTION_RANK = 2048, HIDDEN_WIDTH


def attention_rank(n_features: int) -> int | None:
    """Rank of the attention for a number of columns; None: full, as in the paper.

    NOTE[DIFF] The paper's attention is full at any width; above `FULL_ATTENTION_WIDTH` it would
    take more memory than most machines have. `attention="full"` keeps it.
    """
    return None if n_features <= FULL_ATTENTION_WIDTH else ATTENTION_RANK


class QCLMixNet(nn.Module):
    """Quantum-informed network for one table.

        x (batch, n_features)
        -> QE -> x + attention(x) -> FC 64, batch norm, LeakyReLU
        -> QE -> FC 32, batch norm, LeakyReLU            representation h'(x)
        -> FC n_classes                                   logits
        -> FC 16, batch norm, ReLU, FC 8                  embedding e (Eq. 17), training only

    Parameters
    ----------
    n_features, n_classes : int
        Widths of the input and of the logits.
    quantum : bool or "variational", default=True
        Keep the quantum-entanglement layers (False: the paper's ablation); "variational": a
        simulated circuit, `VariationalLayer`, in place of the second of them.
    attention : bool, default=True
        Keep the attention (False: the paper's ablation).
    n_qubits : int, default=4
        Qubits of the circuit.
    theta_std : float, default=0.1
        Spread of the initial angles of these layers.
    gate : {"projected", "input"}, default="projected"
        Argument of their gates.
    attention_rank : int, optional
        Rank of the attention (`ValueAttention`); None: full, as in the paper.

    Notes
    -----
    The parameters hold no values until `reset_parameters`: `build` does both.

    Examples
    --------
    >>> net = QCLMixNet.build(4, 3, generator=torch.Generator().manual_seed(0))
    >>> net(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        *,
        quantum: Quantum = True,
        attention: bool = True,
        n_qubits: int = 4,
        theta_std: float = 0.1,
        gate: Gate = "projected",
        attention_rank: int | None = None,
    ):
        super().__init__()
        self.n_features, self.n_classes = n_features, n_classes

        def entangle(width: int) -> nn.Module:
            if not quantum:
                return nn.Identity()
            return QuantumEntanglementLayer(width, theta_std=theta_std, gate=gate)

        self.entangle_input = entangle(n_features)
        self.attention = ValueAttention(n_features, rank=attention_rank) if attention else None
        self.hidden = nn.Sequential(
            Linear(n_features, HIDDEN_WIDTH), BatchNorm1d(HIDDEN_WIDTH), nn.LeakyReLU()
        )
        self.entangle_hidden = (
            VariationalLayer(HIDDEN_WIDTH, n_qubits=n_qubits, theta_std=theta_std)
            if quantum == "variational"
            else entangle(HIDDEN_WIDTH)
        )
        self.representation = nn.Sequential(
            Linear(HIDDEN_WIDTH, REPRESENTATION_WIDTH),
            BatchNorm1d(REPRESENTATION_WIDTH),
            nn.LeakyReLU(),
        )
        self.classifier = Linear(REPRESENTATION_WIDTH, n_classes)
        self.projection = nn.Sequential(
            Linear(REPRESENTATION_WIDTH, PROJECTION_WIDTH),
            BatchNorm1d(PROJECTION_WIDTH),
            nn.ReLU(),
            Linear(PROJECTION_WIDTH, EMBEDDING_WIDTH),
        )

    @classmethod
    def build(
        cls,
        n_features: int,
        n_classes: int,
        *,
        generator: torch.Generator,
        quantum: Quantum = True,
        attention: bool = True,
        n_qubits: int = 4,
        theta_std: float = 0.1,
        gate: Gate = "projected",
        attention_rank: int | None = None,
    ) -> QCLMixNet:
        """Make a network on the CPU whose parameters depend on `generator` alone.

        Modules are laid out on the meta device first: PyTorch's constructors would draw from the
        global generator, which belongs to the caller.

        Parameters
        ----------
        n_features, n_classes, quantum, attention, n_qubits, theta_std, gate, attention_rank
            As of the class.
        generator : torch.Generator
            Source of the first parameters.

        Returns
        -------
        QCLMixNet
            In float32, whatever PyTorch's default type is.
        """
        with torch.device("meta"):
            network = cls(
                n_features,
                n_classes,
                quantum=quantum,
                attention=attention,
                n_qubits=n_qubits,
                theta_std=theta_std,
                gate=gate,
                attention_rank=attention_rank,
            )
        # float32 by name: PyTorch's default type is the caller's to set.
        network.float().to_empty(device="cpu").reset_parameters(generator)
        return network

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw every parameter anew; batch norm starts at mean 0, variance 1."""
        own = (QuantumEntanglementLayer, ValueAttention, VariationalLayer)
        inside = {
            part for layer in self.modules() if isinstance(layer, own) for part in layer.modules()
        }
        for module in self.modules():
            if isinstance(module, own):
                module.reset_parameters(generator)
            elif isinstance(module, nn.BatchNorm1d):
                module.reset_parameters()
            elif isinstance(module, nn.Linear) and module not in inside:
                reset_linear(module, generator)

    def represent(self, x: Tensor) -> Tensor:
        """Representation h'(x): what the classification layer sees.

        Parameters
        ----------
        x : Tensor of shape (..., batch, n_features)
            Preprocessed rows.

        Returns
        -------
        Tensor of shape (..., batch, 32)
        """
        x = self.entangle_input(x)
        if self.attention is not None:
            x = x + self.attention(x)
        return self.representation(self.entangle_hidden(self.hidden(x)))

    def forward(self, x: Tensor) -> Tensor:
        """Logits: all that a prediction needs.

        Parameters
        ----------
        x : Tensor of shape (..., batch, n_features)
            Preprocessed rows.

        Returns
        -------
        Tensor of shape (..., batch, n_classes)
        """
        return self.classifier(self.represent(x))

    def logits_and_embedding(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and embedding e (Eq. 17) from one forward pass.

        NOTE[DIFF] Algorithm 1 writes two passes over the same batch. Their values and gradients are
        equal; only batch norm's running averages would move twice per step.

        Parameters
        ----------
        x : Tensor of shape (..., batch, n_features)
            Preprocessed rows.

        Returns
        -------
        logits : Tensor of shape (..., batch, n_classes)
        embeddings : Tensor of shape (..., batch, 8)
        """
        representation = self.represent(x)
        return self.classifier(representation), self.projection(representation)
