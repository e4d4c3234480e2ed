"""The small loops of a training step on a CPU, compiled by numba.

Mixup's neighbours and the hybrid loss compare all rows of a mini-batch with one another; batch norm
and the quantum-entanglement layer are a handful of sums. In PyTorch's operations each of these is
dozens of passes over small tensors, which cost more in dispatch and memory traffic than in
arithmetic. Here every member is one loop that stays in the cache, and the losses and layers come
with their gradients. `losses`, `mixup`, `layers` and `stacking` compute the same with
PyTorch, for GPUs and for the tests that hold the two against each other.

Arrays are C-contiguous and have a members axis in front. The first training on a machine compiles
for up to half a minute, unless `compile_all` did so before; the result is kept on disk. A
member's sums are taken in an order that depends on its shapes alone, so its result depends neither
on the other members nor on the number of threads.
"""

from qcl_mixnet.model.kernels.warm_up import compile_all

__all__ = ["compile_all"]
