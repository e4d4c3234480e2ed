"""What the network baselines share: the constructor, and training by plain cross-entropy.

Section 4.2 of the paper: 100 epochs of AdamW. Tables, batches and the checkpoint rule are
QCL-MixNet's.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import TypeVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from qcl_mixnet.engine.objectives import AutogradObjective
from qcl_mixnet.estimators.base import NetworkClassifier
from qcl_mixnet.estimators.training_options import Checkpoint

Network = TypeVar("Network", bound=nn.Module)

POSITIVE = Interval(Integral, 1, None, closed="left")


class BaselineObjective(AutogradObjective):
    """What the baselines' objectives have in common: they train a network and draw nothing.

    Parameters
    ----------
    network : nn.Module
        On the device of the rows that it is trained on.
    """

    term_names = ("loss",)

    def __init__(self, network: nn.Module):
        self.network = network

    def parameters(self) -> Iterator[nn.Parameter]:
        """The network's parameters: the loss has none of its own."""
        return self.network.parameters()

    def start_epoch(self, order: Tensor) -> None:
        """Nothing is random here but the order of the rows."""
        self.order = order


def weighted_mean(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Mean over the last axis of losses that rows count by; the weights are 1 in their mean."""
    return losses.mean(-1) if weights is None else (losses * weights).mean(-1)


@dataclass(kw_only=True, eq=False, repr=False)
class CrossEntropyClassifier(NetworkClassifier):
    """Base of the network baselines.

    Tables may hold numbers, gaps, categories, booleans and strings, as QCL-MixNet's may.

    Parameters
    ----------
    epochs : int, default=100
        Passes over the training rows.
    batch_size : int, default=64
        Rows per mini-batch; at least 2.
    learning_rate : float, default=1e-3
        Learning rate of AdamW.
    max_learning_rate : float or None, default=None
        Peak of a OneCycleLR schedule; None trains at `learning_rate` throughout, as the paper
        trains its baselines.
    weight_decay : float, default=1e-5
        Weight decay of AdamW.
    checkpoint : {"last", "validation", "test"}, default="last"
        Which epoch's network is kept: the last, the best on held-out training rows, or the best on
        `eval_set`. "test" imitates the paper, is optimistic, and warns.
    validation_fraction : float, default=0.2
        Share of the training rows of each class that "validation" holds out.
    device : str, default="auto"
        PyTorch device; "auto" takes CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, batches and held-out rows. The same int gives bit-equal
        predictions on the same CPU.

    Attributes
    ----------
    classes_, network_, preprocessor_, history_, best_epoch_, test_selected_, device_, \
n_features_in_, feature_names_in_
        As of `QCLMixNetClassifier`.

    Notes
    -----
    The subclasses are dataclasses too, so that each writes down its own parameters alone:
    scikit-learn reads all of them from the constructor that this makes.
    """

    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 1e-3
    max_learning_rate: float | None = None
    weight_decay: float = 1e-5
    checkpoint: Checkpoint = "last"
    validation_fraction: float = 0.2
    device: str = "auto"
    random_state: int | np.random.RandomState | None = None

    @abstractmethod
    def make_network(self, n_features: int, n_classes: int) -> nn.Module:
        """Lay out the network for so many preprocessed columns; its values are drawn afterwards."""


def lay_out(make: Callable[[], Network]) -> Network:
    """Make a network on the CPU whose values are yet to be drawn.

    Its modules are laid out on the meta device first: PyTorch's constructors would draw from the
    global generator, which belongs to the caller.
    """
    with torch.device("meta"):
        network = make()
    # float32 by name: PyTorch's default type is the caller's to set.
    return network.float().to_empty(device="cpu")
