"""The networks of QCL-MixNet+: embedded numbers and categories, then a small dense network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qcl_mixnet.engine.stacking import Linear, reset_linear
from qcl_mixnet.model.layers import QuantumEntanglementLayer

Embedding = Literal["none", "quantile", "tree", "periodic"]

# A categorical column of more levels than this gets an embedding; one of fewer stays one-hot.
ONE_HOT_LEVELS = 8
CATEGORY_WIDTH = 8
EMBEDDING_WIDTH = 8  # of what the metric losses compare
# How far the smooth clip lets a scaled number go (Holzmüller et al., 2024).
CLIP = 3.0
# Numbers beyond this are clipped alike; the square of a much larger one is infinite.
FAR = 1e6
# Learning the input's scales this many times as fast as the rest (ibid.).
SCALE_RATE = 6.0


@dataclass(frozen=True)
class InputLayout:
    """What the columns of preprocessed rows are, in their order.

    Attributes
    ----------
    n_numbers : int
        Numeric columns, which come first.
    levels : tuple of int
        Widths of the one-hot blocks after them; an indicator of gaps is a block of one.
    """

    n_numbers: int
    levels: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """All columns."""
        return self.n_numbers + sum(self.levels)


@dataclass(frozen=True)
class PlusOptions:
    """Shape of a network.

    Parameters
    ----------
    embedding : {"none", "quantile", "tree", "periodic"}
        What numbers become beside their scaled selves: piecewise-linear encodings between
        quantiles or between the thresholds of a tree (Gorishniy et al., 2022), each with a dense
        layer per column, or waves (ibid.).
    n_bins : int
        Bins, or waves, of a column.
    embedding_width : int
        What each column's dense layer gives.
    width, depth : int
        Of the dense network; depth 0 is a linear model of the embedded columns.
    dropout : float
        Share of the hidden values that a step leaves out.
    entangle : bool
        Put a quantum-entanglement layer (Eq. 1-3) behind the first hidden layer.
    project : bool
        Have the head whose embeddings the metric losses compare (Eq. 17).
    """

    embedding: Embedding = "tree"
    n_bins: int = 16
    embedding_width: int = 4
    width: int = 128
    depth: int = 2
    dropout: float = 0.15
    entangle: bool = False
    project: bool = False

    def __post_init__(self) -> None:
        """Refuse embeddings that there are not."""
        if self.embedding not in get_args(Embedding):
            raise ValueError(f"embedding={self.embedding!r} is none of {get_args(Embedding)}.")


@dataclass(frozen=True)
class ColumnScales:
    """What is learnt of the numeric columns from the rows of a network, before it trains.

    Attributes
    ----------
    center, scale : ndarray of shape (n_numbers,)
        A number is `(x - center) / scale` before it is clipped.
    edges : ndarray of shape (n_numbers, n_bins + 1)
        Edges of the bins; equal edges make an empty bin. Unused by other embeddings.
    """

    center: NDArray[np.float32]
    scale: NDArray[np.float32]
    edges: NDArray[np.float32]


def clipped(x: Tensor) -> Tensor:
    """Scaled numbers between -`CLIP` and `CLIP`, by `x / sqrt(1 + (x / CLIP)^2)`."""
    x = x.clamp(-FAR, FAR)
    return x * torch.rsqrt(1 + (x / CLIP) ** 2)


class Dropout(nn.Module):
    """Dropout whose draws come from a generator of our own.

    Parameters
    ----------
    share : float
        Of the values that are left out in training, in steps of 1/256.
    """

    def __init__(self, share: float):
        super().__init__()
        self.threshold = round(share * 256)
        self.rng: np.random.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Leave values out while training."""
        if not self.training or self.threshold == 0:
            return x
        assert self.rng is not None  # set by the objective
        drawn = np.frombuffer(self.rng.bytes(x.numel()), dtype=np.uint8)
        kept = torch.from_numpy(drawn >= self.threshold).view(x.shape).to(x.device)
        return x * (kept * (256 / (256 - self.threshold)))


class NumberEmbedding(nn.Module):
    """Scaled numbers, with piecewise-linear or periodic embeddings beside them.

    Parameters
    ----------
    n_numbers : int
        Columns.
    options : PlusOptions
    """

    def __init__(self, n_numbers: int, options: PlusOptions):
        super().__init__()
        self.kind = options.embedding
        n_bins, width = options.n_bins, options.embedding_width
        self.center: Tensor
        self.scale: Tensor
        self.slope: Tensor
        self.offset: Tensor
        self.register_buffer("center", torch.zeros(n_numbers))
        self.register_buffer("scale", torch.ones(n_numbers))
        if self.kind in ("quantile", "tree"):
            self.register_buffer("slope", torch.zeros(n_numbers, n_bins))
            self.register_buffer("offset", torch.zeros(n_numbers, n_bins))
        elif self.kind == "periodic":
            self.frequency = nn.Parameter(torch.zeros(n_numbers, n_bins))
            self.phase = nn.Parameter(torch.zeros(n_numbers, n_bins))
        if self.kind != "none":
            self.weight = nn.Parameter(torch.zeros(n_numbers, n_bins, width))
            self.bias = nn.Parameter(torch.zeros(n_numbers, width))
        self.out_features = n_numbers * (1 if self.kind == "none" else 1 + width)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the embedding anew."""
        if self.kind == "none":
            return
        bound = self.weight.shape[1] ** -0.5
        nn.init.uniform_(self.weight, -bound, bound, generator=generator)
        nn.init.uniform_(self.bias, -bound, bound, generator=generator)
        if self.kind == "periodic":
            # In units of 2 pi; .1 times a number of spread 1 is a slow wave.
            nn.init.normal_(self.frequency, std=0.1, generator=generator)
            nn.init.uniform_(self.phase, -0.5, 0.5, generator=generator)

    def set_columns(self, columns: ColumnScales) -> None:
        """Take over what was learnt of the columns."""
        self.center.copy_(torch.from_numpy(columns.center))
        self.scale.copy_(torch.from_numpy(columns.scale))
        if self.kind in ("quantile", "tree"):
            low, high = columns.edges[:, :-1], columns.edges[:, 1:]
            wide = high - low >= np.finfo(np.float32).tiny  # or 1 / it is infinite
            slope = np.where(wide, 1 / np.where(wide, high - low, 1), 0).astype(np.float32)
            self.slope.copy_(torch.from_numpy(slope))
            self.offset.copy_(torch.from_numpy(-low * slope))

    def forward(self, x: Tensor) -> Tensor:
        """Embed numbers `(..., batch, n_numbers)` as `(..., batch, out_features)`."""
        scaled = clipped((x - self.center.unsqueeze(-2)) / self.scale.unsqueeze(-2))
        if self.kind == "none":
            return scaled
        if self.kind == "periodic":
            turns = scaled.unsqueeze(-1) * self.frequency.unsqueeze(-3) + self.phase.unsqueeze(-3)
            encoded = torch.cos(2 * torch.pi * turns)
        else:
            ramps = x.unsqueeze(-1) * self.slope.unsqueeze(-3) + self.offset.unsqueeze(-3)
            encoded = ramps.clamp(0, 1)
        # Columns before rows: each column has a dense layer of its own.
        embedded = encoded.transpose(-3, -2) @ self.weight + self.bias.unsqueeze(-2)
        embedded = embedded.transpose(-3, -2)
        if self.kind != "periodic":
            embedded = embedded.relu()
        return torch.cat([scaled, embedded.flatten(-2)], dim=-1)


class PlusNetwork(nn.Module):
    """One network of QCL-MixNet+.

        x (batch, layout.width)
        -> numbers: scaled, clipped, embedded; categories: one-hot or embedded
        -> a learnt scale for each
        -> depth x (FC width, ReLU, dropout), QE behind the first
        -> FC n_classes                                   logits
        -> FC 8                                           embedding e, training only

    Parameters
    ----------
    layout : InputLayout
    n_classes : int
    options : PlusOptions

    Notes
    -----
    The parameters hold no values until `reset_parameters`: `build` does both.
    """

    def __init__(self, layout: InputLayout, n_classes: int, options: PlusOptions):
        super().__init__()
        self.layout, self.n_classes, self.options = layout, n_classes, options
        self.numbers = NumberEmbedding(layout.n_numbers, options)
        self.categories = nn.ModuleList(
            Linear(n, CATEGORY_WIDTH) for n in layout.levels if n > ONE_HOT_LEVELS
        )
        one_hot = sum(n for n in layout.levels if n <= ONE_HOT_LEVELS)
        width = self.numbers.out_features + one_hot + CATEGORY_WIDTH * len(self.categories)
        self.input_scale = nn.Parameter(torch.zeros(width))
        self.hidden = nn.ModuleList()
        for _ in range(options.depth):
            self.hidden.append(Linear(width, options.width))
            width = options.width
        entangled = options.entangle and options.depth > 0
        self.entangle = QuantumEntanglementLayer(width) if entangled else nn.Identity()
        self.dropout = Dropout(options.dropout)
        self.classifier = Linear(width, n_classes)
        self.projection = Linear(width, EMBEDDING_WIDTH) if options.project else None

    @classmethod
    def build(
        cls,
        layout: InputLayout,
        n_classes: int,
        options: PlusOptions,
        columns: ColumnScales,
        generator: torch.Generator,
    ) -> PlusNetwork:
        """Make a network on the CPU whose parameters depend on `generator` alone."""
        with torch.device("meta"):
            network = cls(layout, n_classes, options)
        network.float().to_empty(device="cpu").reset_parameters(generator)
        network.numbers.set_columns(columns)
        return network

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw every parameter anew."""
        nn.init.constant_(self.input_scale, 1 / SCALE_RATE)
        for module in self.modules():
            if isinstance(module, QuantumEntanglementLayer | NumberEmbedding):
                module.reset_parameters(generator)
            elif isinstance(module, Linear):
                reset_linear(module, generator)
        for embedding in self.categories:
            # One level is on at a time: its row is the embedding, whatever the number of levels.
            assert isinstance(embedding, Linear)
            nn.init.normal_(embedding.weight, std=CATEGORY_WIDTH**-0.5, generator=generator)
            nn.init.zeros_(embedding.bias)

    def represent(self, x: Tensor) -> Tensor:
        """What the classification layer sees, `(..., batch, width)`."""
        first = self.layout.n_numbers
        parts = [self.numbers(x[..., :first])]
        embeddings = iter(self.categories)
        for n in self.layout.levels:
            block = x[..., first : first + n]
            parts.append(next(embeddings)(block) if n > ONE_HOT_LEVELS else block)
            first += n
        h = torch.cat(parts, dim=-1) * (SCALE_RATE * self.input_scale).unsqueeze(-2)
        for i, layer in enumerate(self.hidden):
            h = layer(h).relu()
            if i == 0:
                h = self.entangle(h)
            h = self.dropout(h)
        return h

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(..., batch, n_classes)`."""
        return self.classifier(self.represent(x))

    def logits_and_embedding(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and embeddings for the metric losses, from one forward pass."""
        h = self.represent(x)
        assert self.projection is not None  # asked for by `options.project`
        return self.classifier(h), self.projection(h)
