"""Reduce sums, rows and denominators over all ranks of a distributed run.

DDP averages gradients over ranks. A loss is therefore defined so that the mean of the ranks' losses is the loss of one
rank that holds all their samples; then R ranks with b samples each take the same step as one rank with R * b samples,
also where the ranks hold different numbers of samples, objects or foreground cells.

Without a process group, or with one rank, nothing here communicates. Otherwise all ranks must call alike.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from torch import Tensor


class _Sum(torch.autograd.Function):
    """Sum over ranks; each rank's gradient is the sum of all ranks' gradients."""

    @staticmethod
    def forward(ctx: Any, local: Tensor) -> Tensor:
        total = local.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return sum_over_ranks(gradient)


def sum_over_ranks(local: Tensor) -> Tensor:
    """Sum a tensor over ranks, with gradient.

    The gradient is that of the sum of all ranks' losses.

    Args:
        local: The same shape on all ranks.

    Returns:
        Same shape.
    """
    return _Sum.apply(local) if get_world_size() > 1 else local


def shared_normaliser(local: Tensor, floor: float) -> Tensor:
    """Average a local count or weight sum over ranks, with the total of all ranks kept away from zero.

    A local sum divided by it is, after the mean over ranks, the global sum over the global denominator::

        1/R sum_r total_r / (max(sum_r local_r, floor) / R) = sum_r total_r / max(sum_r local_r, floor)

    Note:
        DETR and mmdet keep the *mean* of the ranks away from zero, so that their losses depend on the number of ranks
        where there are fewer objects than ranks.

    Args:
        local: Count or weight sum on this rank, any shape; no gradient goes through it.
        floor: Smallest total: 1 for counts, a tiny number for weight sums.

    Returns:
        Same shape as `local`, float32.
    """
    return sum_over_ranks(local.detach().float()).clamp(min=floor) / get_world_size()


def mean_over_samples(values: Tensor, dim: int = 0) -> Tensor:
    """Average over the samples of all ranks, in the sense of :func:`shared_normaliser`.

    Args:
        values: Values of this rank's samples.
        dim: Dimension of the samples; ranks may hold different numbers of them.

    Returns:
        Without `dim`.
    """
    return values.sum(dim=dim) / shared_normaliser(values.new_full((), values.shape[dim]), floor=1)


def gather_rows(rows_NC: Tensor) -> tuple[Tensor, int]:
    """Gather the rows of all ranks, with gradient.

    Synchronises host and device once, for the number of rows, if there is more than one rank.

    Args:
        rows_NC: Rows of this rank; ranks may hold different numbers of them.

    Returns:
        Rows of all ranks in rank order, (M, C), and the place of this rank's first row.
    """
    world = get_world_size()
    if world == 1:
        return rows_NC, 0
    counts = torch.zeros(world, dtype=torch.long, device=rows_NC.device)
    counts[get_rank()] = len(rows_NC)
    dist.all_reduce(counts)
    sizes = counts.tolist()
    start = sum(sizes[: get_rank()])
    rest = sum(sizes) - start - len(rows_NC)
    before, after = (rows_NC.new_zeros(size, *rows_NC.shape[1:]) for size in (start, rest))
    return sum_over_ranks(torch.cat((before, rows_NC, after))), start
