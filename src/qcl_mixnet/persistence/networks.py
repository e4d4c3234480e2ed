"""The part of a saved model that is its networks: plain values and arrays, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model.layers import QuantumEntanglementLayer
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.variational import VariationalLayer
from qcl_mixnet.persistence.schema import Architecture

# How the names of the networks' tensors begin in a file.
NETWORK_PREFIX = "network."

Arrays = dict[str, NDArray[Any]]
Network = TypeVar("Network", bound=nn.Module)


def network_state(networks: Sequence[QCLMixNet]) -> tuple[dict[str, Any], Arrays]:
    """Take trained networks apart.

    Parameters
    ----------
    networks : sequence of QCLMixNet
        Alike but for the values of their parameters and buffers; left as they are.

    Returns
    -------
    architecture : dict
        The fields of an `Architecture`.
    tensors : dict of str to ndarray
        Parameters and buffers, the networks along the first axis.
    """
    return _architecture(networks[0]), stacked_arrays(networks)


def restore_networks(
    architecture: Architecture, tensors: Arrays, *, n_inputs: int, n_classes: int
) -> list[QCLMixNet]:
    """Build the networks again, on the CPU.

    Parameters
    ----------
    architecture, tensors
        What `network_state` returned, from a source that need not be trusted.
    n_inputs, n_classes : int
        Widths of the preprocessed rows and of the logits.

    Raises
    ------
    ValueError
        When a tensor is missing, unknown, or does not fit the rest.
    """

    def make() -> QCLMixNet:
        return QCLMixNet(n_inputs, n_classes, **architecture.model_dump())

    return restore_members(make, tensors, NETWORK_PREFIX, not_negative=("running_var",))


def stacked_arrays(networks: Sequence[nn.Module]) -> Arrays:
    """Parameters and buffers of networks that are alike, the networks along the first axis."""
    stacked = stack(networks).state_dict()
    return {name: tensor.cpu().numpy() for name, tensor in stacked.items()}


def restore_members(
    make: Callable[[], Network],
    arrays: Arrays,
    prefix: str,
    *,
    not_negative: tuple[str, ...] = (),
) -> list[Network]:
    """Undo `stacked_arrays`, with arrays whose source need not be trusted.

    Parameters
    ----------
    make : callable
        Makes a network of the shape that the arrays should have.
    arrays : dict of str to ndarray
    prefix : str
        How the names of the arrays begin in the file, for messages.
    not_negative : tuple of str
        How names of arrays end that hold nothing below 0.

    Raises
    ------
    ValueError
        When an array is missing, unknown, or does not fit the networks.
    """
    n_members = max((array.shape[0] for array in arrays.values() if array.ndim), default=0)
    if n_members == 0:
        raise ValueError("there is no network")
    networks = []
    for member in range(n_members):
        # Nothing is allocated on the meta device, whatever width the files claim.
        with torch.device("meta"):
            network = make().float()
        if member == 0:
            _check_arrays(network, n_members, arrays, prefix, not_negative)
        # A copy: each member's memory is its own, and writable.
        state = {name: torch.tensor(array[member]) for name, array in arrays.items()}
        network.load_state_dict(state, assign=True)
        networks.append(network.eval())
    return networks


def _architecture(network: QCLMixNet) -> dict[str, Any]:
    architecture: dict[str, Any] = {"attention": network.attention is not None}
    if network.attention is not None and network.attention.rank != network.n_features:
        architecture["attention_rank"] = int(network.attention.rank)
    layer, circuit = network.entangle_input, network.entangle_hidden
    if not isinstance(layer, QuantumEntanglementLayer):
        return architecture | {"quantum": False, "theta_std": 0.0, "gate": "projected"}
    architecture |= {"quantum": True, "theta_std": float(layer.theta_std), "gate": layer.gate}
    if isinstance(circuit, VariationalLayer):
        architecture |= {"quantum": "variational", "n_qubits": int(circuit.n_qubits)}
    return architecture


def _check_arrays(
    network: nn.Module, n_members: int, arrays: Arrays, prefix: str, not_negative: tuple[str, ...]
) -> None:
    """Compare names, shapes and types with those of a network, and look for NaN."""
    expected = network.state_dict()
    if different := set(expected) ^ set(arrays):
        name = min(different)
        fault = "missing" if name in expected else "unknown"
        raise ValueError(f"tensor {prefix + name!r} is {fault}")
    for name, like in expected.items():
        array, shape, in_file = arrays[name], (n_members, *like.shape), prefix + name
        dtype = np.dtype(str(like.dtype).removeprefix("torch."))
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(
                f"tensor {in_file!r} is {array.dtype} of shape {array.shape} and should be "
                f"{dtype} of shape {shape}"
            )
        if not np.isfinite(array).all() or (name.endswith(not_negative) and (array < 0).any()):
            raise ValueError(f"tensor {in_file!r} holds NaN, infinity or such a variance")
