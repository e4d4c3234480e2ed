"""Checks of the parameters that are the method's: its network, mixup and loss."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, get_args

from sklearn.utils._param_validation import Interval, StrOptions

from qcl_mixnet.model.layers import Gate
from qcl_mixnet.model.losses import IntraClass, Reduction, TripletDistance
from qcl_mixnet.model.objective import NeighborSpace
from qcl_mixnet.model.partners import NeighborClasses, NeighborPool
from qcl_mixnet.model.variational import MAX_QUBITS, MIN_QUBITS

METHOD_CONSTRAINTS: dict[str, list[Any]] = {
    "quantum": ["boolean", StrOptions({"variational"})],
    "attention": ["boolean", StrOptions({"full"})],
    "mixup": ["boolean"],
    "n_qubits": [Interval(Integral, MIN_QUBITS, MAX_QUBITS, closed="both")],
    "theta_std": [Interval(Real, 0, None, closed="left")],
    "gate": [StrOptions(set(get_args(Gate)))],
    "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    "mixup_alpha": [Interval(Real, 0, None, closed="neither")],
    "neighbor_space": [StrOptions(set(get_args(NeighborSpace)))],
    "neighbor_pool": [StrOptions(set(get_args(NeighborPool)))],
    "neighbor_classes": [StrOptions(set(get_args(NeighborClasses)))],
    "loss_weight": [Interval(Real, 0, 1, closed="both")],
    "focal_gamma": [Interval(Real, 0, None, closed="left")],
    "variance_weight": [Interval(Real, 0, None, closed="left")],
    "intra_class": [StrOptions(set(get_args(IntraClass)))],
    "temperature": [Interval(Real, 0, None, closed="neither")],
    "supcon_reduction": [StrOptions(set(get_args(Reduction)))],
    "triplet_margin": [Interval(Real, 0, None, closed="left")],
    "triplet_distance": [StrOptions(set(get_args(TripletDistance)))],
}
