"""The part of a saved QCL-MixNet+ that is its members: plain values and arrays, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from qcl_mixnet.model.losses import LossOptions
from qcl_mixnet.model.plus.neighbors import Neighbors
from qcl_mixnet.model.plus.network import InputLayout, PlusNetwork, PlusOptions
from qcl_mixnet.model.plus.objective import PlusLossOptions
from qcl_mixnet.persistence.networks import (
    Arrays,
    network_state,
    restore_members,
    restore_networks,
    stacked_arrays,
)
from qcl_mixnet.persistence.plus import schema
from qcl_mixnet.persistence.plus.state import (
    MemberState,
    NeighborsState,
    NetworksState,
    PaperState,
)

# Arrays of neighbours and their types.
_NEIGHBORS = {
    "rows": np.float32, "labels": np.int64, "center": np.float32, "scale": np.float32
}  # fmt: skip
# What they have beside these where rows were weighted, in float32.
_PENALTIES = "penalties"


def member_state(member: MemberState) -> tuple[dict[str, Any], Arrays]:
    """Take a member apart.

    Parameters
    ----------
    member : MemberState
        It is left as it is.

    Returns
    -------
    document : dict
        The fields of a `schema.Member`.
    arrays : dict of str to ndarray
        Parameters and buffers, the networks along the first axis; or the rows that vote.
    """
    common = {
        "name": member.name,
        "temperature": float(member.temperature),
        "weight": float(member.weight),
    }
    if isinstance(member, NeighborsState):
        votes = member.neighbors
        arrays = {name: getattr(votes, name).cpu().numpy() for name in _NEIGHBORS}
        if votes.penalties is not None:
            arrays[_PENALTIES] = votes.penalties.cpu().numpy()
        return {"type": "neighbors", "bandwidth": votes.bandwidth, **common}, arrays
    if isinstance(member, PaperState):
        architecture, arrays = network_state(member.networks)
        loss = asdict(member.loss)
        return {
            "type": "qcl_mixnet", "architecture": architecture, "loss": loss, **common
        }, arrays  # fmt: skip
    assert isinstance(member, NetworksState)
    document = {
        "type": "networks",
        "network": asdict(member.networks[0].options),
        "loss": asdict(member.loss),
        "learning_rate": float(member.learning_rate),
        "weight_decay": float(member.weight_decay),
        **common,
    }
    return document, stacked_arrays(member.networks)


def restore_member(
    document: schema.Member, arrays: Arrays, layout: InputLayout, n_classes: int, prefix: str
) -> MemberState:
    """Build a member again, on the CPU.

    Parameters
    ----------
    document, arrays
        What `member_state` returned, from a source that need not be trusted.
    layout : InputLayout
        What the columns of preprocessed rows are.
    n_classes : int
        Width of the logits.
    prefix : str
        How the names of the arrays begin in the file, for messages.

    Raises
    ------
    ValueError
        When a tensor is missing, unknown, or does not fit the rest.
    """
    common = document.model_dump(include={"name", "temperature", "weight"})
    if isinstance(document, schema.Neighbors):
        _check_neighbors(arrays, layout, n_classes, prefix)
        tensors = {name: torch.tensor(array) for name, array in arrays.items()}
        votes = Neighbors(**tensors, bandwidth=document.bandwidth, n_classes=n_classes)
        return NeighborsState(neighbors=votes, **common)
    if isinstance(document, schema.PaperNetworks):
        networks = restore_networks(
            document.architecture, arrays, n_inputs=layout.width, n_classes=n_classes
        )
        return PaperState(
            networks=networks, loss=LossOptions(**document.loss.model_dump()), **common
        )
    options = PlusOptions(**document.network.model_dump())
    plus = restore_members(lambda: PlusNetwork(layout, n_classes, options), arrays, prefix)
    if not (arrays["numbers.scale"] > 0).all():
        raise ValueError(f"tensor '{prefix}numbers.scale' holds numbers that are not positive")
    return NetworksState(
        networks=plus,
        loss=PlusLossOptions(**document.loss.model_dump()),
        learning_rate=document.learning_rate,
        weight_decay=document.weight_decay,
        **common,
    )


def _check_neighbors(arrays: Arrays, layout: InputLayout, n_classes: int, prefix: str) -> None:
    types = {**_NEIGHBORS, _PENALTIES: np.float32} if _PENALTIES in arrays else _NEIGHBORS
    if set(arrays) != set(types):
        raise ValueError(f"the tensors of '{prefix}' are not {sorted(_NEIGHBORS)}")
    n_rows = len(arrays["rows"])
    shapes = {
        "rows": (n_rows, layout.width), "labels": (n_rows,),
        "center": (layout.n_numbers,), "scale": (layout.n_numbers,), _PENALTIES: (n_rows,),
    }  # fmt: skip
    for name, dtype in types.items():
        array = arrays[name]
        if array.dtype != dtype or array.shape != shapes[name] or n_rows == 0:
            raise ValueError(
                f"tensor '{prefix}{name}' is {array.dtype} of shape {array.shape} and should be "
                f"{np.dtype(dtype)} of shape {shapes[name]}, with rows"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"tensor '{prefix}{name}' holds NaN or infinity")
    labels = arrays["labels"]
    if labels.min() < 0 or labels.max() >= n_classes or not (arrays["scale"] > 0).all():
        raise ValueError(f"the tensors of '{prefix}' hold labels or scales out of their range")
