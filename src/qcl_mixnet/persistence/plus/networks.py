"""The part of a saved QCL-MixNet+ that is its members: plain values and arrays, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from qcl_mixnet.model.plus.network import InputLayout, PlusNetwork, PlusOptions
from qcl_mixnet.model.plus.objective import PlusLossOptions
from qcl_mixnet.persistence.networks import Arrays, restore_members, stacked_arrays
from qcl_mixnet.persistence.plus.schema import Member
from qcl_mixnet.persistence.plus.state import PlusMember


def member_state(member: PlusMember) -> tuple[dict[str, Any], Arrays]:
    """Take a member apart.

    Parameters
    ----------
    member : PlusMember
        It is left as it is.

    Returns
    -------
    document : dict
        The fields of a `Member`.
    arrays : dict of str to ndarray
        Parameters and buffers, the networks along the first axis.
    """
    document = {
        "name": member.name,
        "network": asdict(member.networks[0].options),
        "loss": asdict(member.loss),
        "learning_rate": float(member.learning_rate),
        "weight_decay": float(member.weight_decay),
        "temperature": float(member.temperature),
        "weight": float(member.weight),
    }
    return document, stacked_arrays(member.networks)


def restore_member(
    document: Member, arrays: Arrays, layout: InputLayout, n_classes: int, prefix: str
) -> PlusMember:
    """Build the networks of a member again, on the CPU.

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
    options = PlusOptions(**document.network.model_dump())
    networks = restore_members(lambda: PlusNetwork(layout, n_classes, options), arrays, prefix)
    if not (arrays["numbers.scale"] > 0).all():
        raise ValueError(f"tensor '{prefix}numbers.scale' holds numbers that are not positive")
    return PlusMember(
        name=document.name,
        networks=networks,
        loss=PlusLossOptions(**document.loss.model_dump()),
        learning_rate=document.learning_rate,
        weight_decay=document.weight_decay,
        temperature=document.temperature,
        weight=document.weight,
    )
