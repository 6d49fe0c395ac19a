"""Denominators of losses that hold over all ranks."""

from __future__ import annotations

from mmdet.utils import reduce_mean
from torch import Tensor


def shared_normaliser(local: Tensor, floor: float) -> Tensor:
    """Mean over ranks of a local count or mass, kept away from zero.

    DDP averages gradients over ranks, so a local sum divided by the mean of the local masses is, after averaging, the
    global sum over the global mass.

    Args:
        local: Count or mass on this rank, any shape, no gradient wanted.
        floor: Smallest value that is returned: 1 for counts, a tiny number for masses.

    Returns:
        Same shape as `local`.
    """
    return reduce_mean(local.detach().float()).clamp(min=floor)
