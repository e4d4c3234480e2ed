"""The part of a saved model that is its networks: plain values and arrays, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model.layers import QuantumEntanglementLayer
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.variational import VariationalLayer
from qcl_mixnet.persistence.schema import Architecture

# How the names of the networks' tensors begin in a file.
NETWORK_PREFIX = "network."


def network_state(networks: Sequence[QCLMixNet]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
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
    stacked = stack(networks).state_dict()
    tensors = {name: tensor.cpu().numpy() for name, tensor in stacked.items()}
    return _architecture(networks[0]), tensors


def restore_networks(
    architecture: Architecture, tensors: dict[str, NDArray[Any]], *, n_inputs: int, n_classes: int
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
    n_members = max((tensor.shape[0] for tensor in tensors.values() if tensor.ndim), default=0)
    if n_members == 0:
        raise ValueError("there is no network")
    networks = []
    for member in range(n_members):
        # Nothing is allocated on the meta device, whatever width the files claim.
        with torch.device("meta"):
            network = QCLMixNet(n_inputs, n_classes, **architecture.model_dump()).float()
        if member == 0:
            _check_tensors(network, n_members, tensors)
        # A copy: each member's memory is its own, and writable.
        state = {name: torch.tensor(tensor[member]) for name, tensor in tensors.items()}
        network.load_state_dict(state, assign=True)
        networks.append(network.eval())
    return networks


def _architecture(network: QCLMixNet) -> dict[str, Any]:
    architecture: dict[str, Any] = {"attention": network.attention is not None}
    layer, circuit = network.entangle_input, network.entangle_hidden
    if not isinstance(layer, QuantumEntanglementLayer):
        return architecture | {"quantum": False, "theta_std": 0.0, "gate": "projected"}
    architecture |= {"quantum": True, "theta_std": float(layer.theta_std), "gate": layer.gate}
    if isinstance(circuit, VariationalLayer):
        architecture |= {"quantum": "variational", "n_qubits": int(circuit.n_qubits)}
    return architecture


def _check_tensors(network: QCLMixNet, n_members: int, tensors: dict[str, NDArray[Any]]) -> None:
    """Compare names, shapes and types with those of a network, and look for NaN."""
    expected = network.state_dict()
    if different := set(expected) ^ set(tensors):
        name = min(different)
        fault = "missing" if name in expected else "unknown"
        raise ValueError(f"tensor {NETWORK_PREFIX + name!r} is {fault}")
    for name, like in expected.items():
        tensor, shape, in_file = tensors[name], (n_members, *like.shape), NETWORK_PREFIX + name
        dtype = np.dtype(str(like.dtype).removeprefix("torch."))
        if tensor.shape != shape or tensor.dtype != dtype:
            raise ValueError(
                f"tensor {in_file!r} is {tensor.dtype} of shape {tensor.shape} and should be "
                f"{dtype} of shape {shape}"
            )
        if not np.isfinite(tensor).all() or (name.endswith("running_var") and (tensor < 0).any()):
            raise ValueError(f"tensor {in_file!r} holds NaN, infinity or such a variance")
