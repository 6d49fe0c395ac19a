"""Sampling on a CPU by the compiled kernels of :mod:`.host_kernels`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..feature_levels import FeatureLevels
from . import host_kernels


def dense(value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor) -> Tensor:
    """See :func:`~.interface.sample_deformable`."""
    batch, queries = weights.shape[:2]
    row = torch.arange(batch * queries)
    flat = locations.flatten(0, 1), weights.flatten(0, 1)
    return images(value, levels, *flat, row // queries, row, len(row)).unflatten(0, (batch, queries))


@torch.compiler.disable
def images(
    value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor, image: Tensor, row: Tensor, rows: int
) -> Tensor:
    """See :func:`~.interface.sample_images`."""
    return HostSampling.apply(value, locations, weights, image, row, levels.shapes, levels.starts, rows)


class HostSampling(torch.autograd.Function):
    """Run :func:`images` by the kernels of :mod:`.host_kernels`, saving only its arguments for backward."""

    @staticmethod
    def forward(
        ctx: Any,
        value: Tensor,
        locations: Tensor,
        weights: Tensor,
        image: Tensor,
        row: Tensor,
        shapes: Tensor,
        starts: Tensor,
        rows: int,
    ) -> Tensor:
        """Sample."""
        value, locations, weights = value.contiguous(), locations.contiguous(), weights.contiguous()
        ctx.save_for_backward(value, locations, weights, image, row, shapes, starts)
        heads, channels = map(int, value.shape[2:])
        output = value.new_zeros(rows, heads, channels)
        arrays = [tensor.detach().numpy() for tensor in (value, shapes, starts, locations, weights, image, row, output)]
        _for_heads(host_kernels.gather, arrays, heads)
        return output.view(rows, heads * channels)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the gradients of value, locations and weights."""
        value, locations, weights, image, row, shapes, starts = ctx.saved_tensors
        heads, channels = map(int, value.shape[2:])
        gradient = gradient.contiguous().view(-1, heads, channels)
        found = torch.zeros_like(value), torch.empty_like(locations), torch.empty_like(weights)
        given = (value, shapes, starts, locations, weights, image, row, gradient)
        _for_heads(host_kernels.scatter, [tensor.detach().numpy() for tensor in (*given, *found)], heads)
        return (*found, None, None, None, None, None)


def _for_heads(kernel: Callable[..., None], arrays: list[Any], heads: int) -> None:
    """Run a kernel for all heads, on as many threads as torch uses."""
    threads = min(torch.get_num_threads(), heads)
    if threads == 1:
        kernel(*arrays, 0, heads)
        return
    ends = [heads * thread // threads for thread in range(threads + 1)]
    # A pool per call: the threads of a long-lived one would be missing after a fork.
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda first, last: kernel(*arrays, first, last), ends[:-1], ends[1:]))
