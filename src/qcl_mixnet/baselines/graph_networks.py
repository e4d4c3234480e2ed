"""Networks of the graph baselines: GCN, GraphSAGE, GAT, GIN and JKNet (section 4 of the paper).

The layers are PyTorch Geometric's. Where the paper is silent they keep that library's defaults: one
attention head, a constant epsilon of 0 in GIN, jumping knowledge by concatenation. Every round of
message passing is followed by ReLU. There is neither batch norm nor dropout: the paper names none,
and statistics of a batch would tie a row's output to rows that it is not joined to.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from qcl_mixnet.baselines.cross_entropy import lay_out
from qcl_mixnet.baselines.neighbor_graph import Edges

try:
    with warnings.catch_warnings():
        # Importing any part of it scripts a pooling class, which PyTorch has deprecated.
        warnings.filterwarnings(
            "ignore", r"`torch\.jit\.script` is deprecated", category=DeprecationWarning
        )
        from torch_geometric.nn import GATConv, GCNConv, GINConv, JumpingKnowledge, SAGEConv
        from torch_geometric.nn import Linear as GeometricLinear
except ModuleNotFoundError as error:
    if error.name != "torch_geometric":
        raise
    raise ModuleNotFoundError(
        'The graph networks need torch_geometric: pip install "qcl-mixnet[project]".',
        name=error.name,
    ) from error

HIDDEN_WIDTH = 64


class GraphNetwork(nn.Module, ABC):
    """Rounds of message passing with ReLU, then a linear output layer.

    Parameters
    ----------
    n_features, n_classes : int
        Widths of the input and of the logits.
    hidden_width : int, default=64
        Width of every layer.
    n_layers : int, default=2
        Rounds of message passing.

    Notes
    -----
    Shape: `(n_rows, n_features)` and the rows' edges to `(n_rows, n_classes)`.

    The parameters hold no values until `reset_parameters`: `build` does both.
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        *,
        hidden_width: int = HIDDEN_WIDTH,
        n_layers: int = 2,
    ):
        super().__init__()
        widths = [n_features] + [hidden_width] * n_layers
        self.layers = nn.ModuleList(self._layer(*pair) for pair in pairwise(widths))
        self.classifier = nn.Linear(hidden_width, n_classes)

    @abstractmethod
    def _layer(self, n_inputs: int, n_outputs: int) -> nn.Module:
        """Make a layer of message passing."""

    @classmethod
    def build(
        cls, n_features: int, n_classes: int, *, generator: torch.Generator, **options: int
    ) -> Self:
        """Make a network on the CPU whose parameters depend on `generator` alone.

        Parameters
        ----------
        n_features, n_classes : int
            Widths of the input and of the logits.
        generator : torch.Generator
            Source of the initial parameters.
        **options
            The class's other parameters.
        """
        network = lay_out(lambda: cls(n_features, n_classes, **options))
        network.reset_parameters(generator)
        return network

    @property
    def n_hops(self) -> int:
        """Edges between a row and the farthest row that its logits depend on."""
        return len(self.layers)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw every parameter anew, as PyTorch Geometric does but from a generator of our own."""
        for module in self.modules():
            for name, parameter in module.named_parameters(recurse=False):
                bound = initial_bound(module, name, parameter)
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
            if isinstance(module, GINConv):
                module.eps.fill_(module.initial_eps)

    def represent(self, x: Tensor, edges: Edges) -> Tensor:
        """Representations of all rows, `(n_rows, width)`."""
        states = []
        for layer in self.layers:
            x = torch.relu(self._pass_messages(layer, x, edges))
            states.append(x)
        return self._combine(states)

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        """Logits of all rows.

        Parameters
        ----------
        x : Tensor of shape (n_rows, n_features)
        edges : Edges

        Returns
        -------
        Tensor of shape (n_rows, n_classes)
        """
        return self.classifier(self.represent(x, edges))

    def _pass_messages(self, layer: nn.Module, x: Tensor, edges: Edges) -> Tensor:
        return layer(x, edges.ends)

    def _combine(self, states: list[Tensor]) -> Tensor:
        return states[-1]


class GCN(GraphNetwork):
    """Graph convolutional network (Kipf and Welling, 2017).

        h'_i = ReLU(b + W Σ_j h_j / √(d_i d_j)),   j in N(i) and i itself

    where `d` counts the edges into a row, its loop included. That is `k + 1` for every
    row of a `NeighborGraph`, so every weight is
    `1 / (k + 1)`; counted in a part of the graph, the outermost rows would get wrong ones.

    Parameters
    ----------
    n_features, n_classes, hidden_width, n_layers
        As in `GraphNetwork`, with its shapes.

    References
    ----------
    Kipf and Welling, "Semi-supervised classification with graph convolutional networks", ICLR
    2017.

    Examples
    --------
    >>> net = GCN.build(4, 3, generator=torch.Generator().manual_seed(0))
    >>> net(torch.zeros(2, 4), Edges(torch.tensor([[0, 1], [1, 0]]), in_degree=1)).shape
    torch.Size([2, 3])
    """

    def _layer(self, n_inputs: int, n_outputs: int) -> nn.Module:
        return GCNConv(n_inputs, n_outputs, normalize=False)

    def _pass_messages(self, layer: nn.Module, x: Tensor, edges: Edges) -> Tensor:
        loops = torch.arange(len(x), device=x.device).expand(2, -1)
        ends = torch.cat([edges.ends, loops], dim=1)
        return layer(x, ends, x.new_full((ends.shape[1],), 1 / (edges.in_degree + 1)))


class GraphSAGE(GraphNetwork):
    """GraphSAGE with the mean of the neighbours (Hamilton, Ying and Leskovec, 2017).

        h'_i = ReLU(b + W₁ (1/k) Σ_j h_j + W₂ h_i),   j in N(i), which has k rows

    Parameters
    ----------
    n_features, n_classes, hidden_width, n_layers
        As in `GraphNetwork`, with its shapes.

    References
    ----------
    Hamilton, Ying and Leskovec, "Inductive representation learning on large graphs", NeurIPS
    2017.

    Examples
    --------
    >>> net = GraphSAGE.build(4, 3, generator=torch.Generator().manual_seed(0))
    >>> net(torch.zeros(2, 4), Edges(torch.tensor([[0, 1], [1, 0]]), in_degree=1)).shape
    torch.Size([2, 3])
    """

    def _layer(self, n_inputs: int, n_outputs: int) -> nn.Module:
        return SAGEConv(n_inputs, n_outputs)


class GAT(GraphNetwork):
    """Graph attention network (Velickovic et al., 2018), without dropout of its attention.

        h'_i = ReLU(b + Σ_j α_ij W h_j),   j in N(i) and i itself
        α_ij = softmax_j(LeakyReLU(a₁ · W h_j + a₂ · W h_i))

    Parameters
    ----------
    n_features, n_classes, hidden_width, n_layers
        As in `GraphNetwork`, with its shapes.
    heads : int, default=1
        Attentions side by side, each `hidden_width / heads` wide.

    References
    ----------
    Velickovic et al., "Graph attention networks", ICLR 2018.

    Examples
    --------
    >>> net = GAT.build(4, 3, generator=torch.Generator().manual_seed(0), heads=8)
    >>> net(torch.zeros(2, 4), Edges(torch.tensor([[0, 1], [1, 0]]), in_degree=1)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        *,
        hidden_width: int = HIDDEN_WIDTH,
        n_layers: int = 2,
        heads: int = 1,
    ):
        if hidden_width % heads:
            raise ValueError(
                f"hidden_width={hidden_width} cannot be shared out among heads={heads}; "
                "make it a multiple."
            )
        self.heads = heads  # first: the base's constructor makes the layers
        super().__init__(n_features, n_classes, hidden_width=hidden_width, n_layers=n_layers)

    def _layer(self, n_inputs: int, n_outputs: int) -> nn.Module:
        return GATConv(n_inputs, n_outputs // self.heads, heads=self.heads)


class GIN(GraphNetwork):
    """Graph isomorphism network (Xu et al., 2019): epsilon 0, perceptrons of one hidden layer.

        h'_i = ReLU(MLP(h_i + Σ_j h_j)),   j in N(i)

    The original has batch norm inside the perceptrons; see the head of this module.

    Parameters
    ----------
    n_features, n_classes, hidden_width, n_layers
        As in `GraphNetwork`, with its shapes.

    References
    ----------
    Xu, Hu, Leskovec and Jegelka, "How powerful are graph neural networks?", ICLR 2019.

    Examples
    --------
    >>> net = GIN.build(4, 3, generator=torch.Generator().manual_seed(0))
    >>> net(torch.zeros(2, 4), Edges(torch.tensor([[0, 1], [1, 0]]), in_degree=1)).shape
    torch.Size([2, 3])
    """

    def _layer(self, n_inputs: int, n_outputs: int) -> nn.Module:
        perceptron = nn.Sequential(
            nn.Linear(n_inputs, n_outputs), nn.ReLU(), nn.Linear(n_outputs, n_outputs)
        )
        return GINConv(perceptron)


class JKNet(GCN):
    """Jumping-knowledge network (Xu et al., 2018): its output layer reads all GCN layers' states.

    Parameters
    ----------
    n_features, n_classes, hidden_width
        As in `GraphNetwork`, with its shapes.
    n_layers : int, default=3
        Rounds of message passing.

    References
    ----------
    Xu et al., "Representation learning on graphs with jumping knowledge networks", ICML 2018.

    Examples
    --------
    >>> net = JKNet.build(4, 3, generator=torch.Generator().manual_seed(0))
    >>> net(torch.zeros(2, 4), Edges(torch.tensor([[0, 1], [1, 0]]), in_degree=1)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        *,
        hidden_width: int = HIDDEN_WIDTH,
        n_layers: int = 3,
    ):
        super().__init__(n_features, n_classes, hidden_width=hidden_width, n_layers=n_layers)
        self.jump = JumpingKnowledge("cat")
        self.classifier = nn.Linear(n_layers * hidden_width, n_classes)

    def _combine(self, states: list[Tensor]) -> Tensor:
        return self.jump(states)


def initial_bound(layer: nn.Module, name: str, parameter: Tensor) -> float:
    """Bound of the uniform distribution around 0 that a layer's own parameter starts from.

    Parameters
    ----------
    layer : nn.Module
        Owner of the parameter.
    name, parameter
        As `named_parameters` gives them.

    Raises
    ------
    TypeError
        For a parameter of another kind of layer: it would be left without values.
    """
    attention = isinstance(layer, GATConv) and name in {"att_src", "att_dst"}
    if attention or (isinstance(layer, GeometricLinear) and layer.weight_initializer == "glorot"):
        return (6 / sum(parameter.shape[-2:])) ** 0.5
    if isinstance(layer, (nn.Linear, GeometricLinear)):
        return layer.weight.shape[1] ** -0.5
    if isinstance(layer, (GCNConv, GATConv)) and name == "bias":
        return 0.0
    raise TypeError(f"No initial values are known for {name!r} of {type(layer).__name__}.")
