"""The deep-learning baselines' networks: plain modules from rows `(batch, n_features)` to logits.

They can be stacked (see `stacking`): then all shapes have `members` in front.

The paper gives each of them a few words (section 4.2); what those leave open, the class says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from qcl_mixnet.baselines.cross_entropy import lay_out
from qcl_mixnet.baselines.recurrent_layers import GRULayer, LSTMLayer, RecurrentLayer
from qcl_mixnet.engine.stacking import BatchNorm1d, Conv1d, Linear, reset_linear

Cell = Literal["gru", "lstm"]
Reading = Literal["row", "columns"]

KERNEL_SIZE = 3


class MLP(nn.Module):
    """Multilayer perceptron with batch norm.

        x (batch, n_features)
        -> linear, batch norm, ReLU          for each hidden width
        -> linear                             logits

    Parameters
    ----------
    n_features, n_classes : int
        Widths of the input and of the logits.
    hidden_widths : sequence of int, default=(128, 64)
        Widths of the hidden layers, first to last; the paper's by default.

    Notes
    -----
    Shape: input `(batch, n_features)`, output `(batch, n_classes)`.

    Examples
    --------
    >>> MLP(4, 3)(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(self, n_features: int, n_classes: int, hidden_widths: Sequence[int] = (128, 64)):
        super().__init__()
        layers: list[nn.Module] = []
        width = n_features
        for next_width in hidden_widths:
            layers += [Linear(width, next_width), BatchNorm1d(next_width), nn.ReLU()]
            width = next_width
        self.hidden = nn.Sequential(*layers)
        self.output = Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, `(batch, n_classes)`."""
        return self.output(self.hidden(x))


class ResidualBlock(nn.Module):
    """Residual block of `TabularResNet`: `x + linear(ReLU(linear(batch_norm(x))))`.

    Parameters
    ----------
    width : int
        Width of the input and of the output; it is twice that in between.

    Notes
    -----
    Shape: input and output `(batch, width)`.

    NOTE[DIFF] Gorishniy et al. put dropout after both linear layers, at rates tuned for every
    table. The paper names no rate, and no other network here has dropout: it is left out.

    Examples
    --------
    >>> ResidualBlock(8)(torch.zeros(2, 8)).shape
    torch.Size([2, 8])
    """

    def __init__(self, width: int):
        super().__init__()
        self.norm = BatchNorm1d(width)
        self.expand = Linear(width, 2 * width)
        self.contract = Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Add a correction to the row."""
        return x + self.contract(torch.relu(self.expand(self.norm(x))))


class TabularResNet(nn.Module):
    """Residual network for tables (Gorishniy et al., 2021, section 3.2).

        x (batch, n_features)
        -> linear                             to the blocks' width
        -> residual block                     n_blocks times
        -> batch norm, ReLU, linear           logits

    The paper says "three residual blocks" and no more: the widths, 128 and 256 inside the blocks,
    are ours.

    Parameters
    ----------
    n_features, n_classes : int
        Widths of the input and of the logits.
    width : int, default=128
        Width of the blocks' input and output.
    n_blocks : int, default=3
        Number of blocks; the paper's by default.

    Notes
    -----
    Shape: input `(batch, n_features)`, output `(batch, n_classes)`.

    References
    ----------
    Gorishniy, Rubachev, Khrulkov, Babenko, "Revisiting deep learning models for tabular data",
    NeurIPS 2021.

    Examples
    --------
    >>> TabularResNet(4, 3)(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(self, n_features: int, n_classes: int, width: int = 128, n_blocks: int = 3):
        super().__init__()
        self.stem = Linear(n_features, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(n_blocks)))
        self.norm = BatchNorm1d(width)
        self.output = Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, `(batch, n_classes)`."""
        return self.output(torch.relu(self.norm(self.blocks(self.stem(x)))))


class RecurrentNetwork(nn.Module):
    """One recurrent layer over a row, and a linear layer on its final state.

    The paper does not say how a row becomes a sequence. `sequence="row"` is one step that holds
    all features, the reading of the paper's own attention (Eq. 4-6, a sequence of length 1): the
    columns of a table have no order, and the cost does not grow with their number. The paper's
    results speak for it: its GRU and LSTM reach a macro F1 of .94 and .95 on isolet, which 617
    steps of one number each would hardly give 128 units.

    What is lost: with one step the recurrence never acts. The weights on the previous state meet
    zeros and get no gradient, the cell is a gated feed-forward layer, and a second direction is a
    second such layer beside the first. `sequence="columns"` lets it act: one step per column, in
    the order of the table, and the final state of each direction.

    Parameters
    ----------
    n_features, n_classes : int
        Widths of the input and of the logits.
    cell : {"gru", "lstm"}
        Kind of the recurrent layer.
    bidirectional : bool, default=False
        Read the sequence backwards too, with weights of its own.
    hidden_width : int, default=128
        Width of the state of each direction; the paper's by default.
    sequence : {"row", "columns"}, default="row"
        One step of all features, or a step for every feature.

    Notes
    -----
    Shape: input `(batch, n_features)`, output `(batch, n_classes)`.

    Examples
    --------
    >>> RecurrentNetwork(4, 3, "gru", bidirectional=True)(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        cell: Cell,
        *,
        bidirectional: bool = False,
        hidden_width: int = 128,
        sequence: Reading = "row",
    ):
        super().__init__()
        if cell not in get_args(Cell):
            raise ValueError(f"cell must be one of {get_args(Cell)}, got {cell!r}.")
        if sequence not in get_args(Reading):
            raise ValueError(f"sequence must be one of {get_args(Reading)}, got {sequence!r}.")
        self.sequence = sequence
        layer = GRULayer if cell == "gru" else LSTMLayer
        width = n_features if sequence == "row" else 1
        n_directions = 2 if bidirectional else 1
        self.directions = nn.ModuleList(layer(width, hidden_width) for _ in range(n_directions))
        self.output = Linear(hidden_width * n_directions, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, `(batch, n_classes)`."""
        steps = [x] if self.sequence == "row" else list(x.split(1, dim=-1))
        states = [
            layer(steps if forwards else steps[::-1])
            for layer, forwards in zip(self.directions, (True, False), strict=False)
        ]
        return self.output(torch.cat(states, dim=-1))


class ConvolutionalNetwork(nn.Module):
    """Convolutions along the columns of a row.

        x (batch, n_features), a signal with one channel
        -> convolution of kernel 3, ReLU      for each number of filters
        -> flattened, linear                  logits

    The signal is the row in the order of its columns, for want of a better one. Padding by 1
    keeps its length, so that a table of one column will do. The result is flattened and not
    pooled: a column's position is its meaning, which an average over positions would drop.

    Parameters
    ----------
    n_features, n_classes : int
        Widths of the input and of the logits.
    filters : sequence of int, default=(32, 64)
        Number of filters of each convolution, first to last; the paper's by default.

    Notes
    -----
    Shape: input `(batch, n_features)`, output `(batch, n_classes)`.

    Examples
    --------
    >>> ConvolutionalNetwork(4, 3)(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(self, n_features: int, n_classes: int, filters: Sequence[int] = (32, 64)):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for n_filters in filters:
            convolution = Conv1d(channels, n_filters, KERNEL_SIZE, padding=KERNEL_SIZE // 2)
            layers += [convolution, nn.ReLU()]
            channels = n_filters
        self.convolutions = nn.Sequential(*layers)
        self.output = Linear(channels * n_features, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, `(batch, n_classes)`."""
        return self.output(self.convolutions(x.unsqueeze(-2)).flatten(-2))


def build(make: Callable[[], nn.Module], generator: torch.Generator) -> nn.Module:
    """Make a network on the CPU whose values depend on `generator` alone.

    Examples
    --------
    >>> network = build(lambda: MLP(4, 3), torch.Generator().manual_seed(0))
    """
    network = lay_out(make)
    initialize(network, generator)
    return network


def initialize(network: nn.Module, generator: torch.Generator) -> None:
    """Draw all values as PyTorch does by default; batch norm starts at mean 0, variance 1.

    Raises
    ------
    TypeError
        For a module with parameters or buffers whose initial values are not known here.
    """
    recurrent = [m for m in network.modules() if isinstance(m, RecurrentLayer)]
    inside = {linear for layer in recurrent for linear in layer.children()}
    for module in network.modules():
        if isinstance(module, RecurrentLayer):
            module.reset_parameters(generator)
        elif module in inside:
            continue
        elif isinstance(module, nn.Linear):
            reset_linear(module, generator)
        elif isinstance(module, nn.Conv1d):
            _reset_convolution(module, generator)
        elif isinstance(module, nn.BatchNorm1d):
            module.reset_parameters()
        elif [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            raise TypeError(
                f"The initial values of a {type(module).__name__} are not known; "
                f"add it to {initialize.__module__}.initialize."
            )


def _reset_convolution(layer: nn.Conv1d, generator: torch.Generator) -> None:
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
    if layer.bias is not None:
        bound = layer.weight[0].numel() ** -0.5  # one over the root of the fan-in
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
