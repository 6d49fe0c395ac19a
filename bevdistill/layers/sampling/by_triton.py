"""Sampling by the kernels of :mod:`.triton_kernels`: accelerators that Triton compiles for, and its interpreter.

Nothing is kept for the backward pass but the arguments. Tokens may be in half precision; sums are in float32, or in
float64 for float64 tokens. The gradient of the tokens is a sum of atomic additions, whose order is not always the same.
With ``torch.use_deterministic_algorithms(True)`` they are additions of integers, which have no order: the largest
possible sum takes 62 bits, which leaves more bits than float32 has up to ten billion sampling points.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...structures.precision import full_precision
from ..feature_levels import FeatureLevels
from . import triton_kernels


class Pairs(NamedTuple):
    """Rows and the images that they look at.

    Args:
        points: Where sampling points start from, (A, V, 2).
        image: (A,) int64.
        first: First pair of each row, and the number of pairs, (R + 1,) int64.
        weight: (A,).
    """

    points: Tensor
    image: Tensor
    first: Tensor
    weight: Tensor


@torch.compiler.disable
def dense(value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor, softmax: bool = False) -> Tensor:
    """See :func:`~.interface.sample_deformable`."""
    flat = locations.flatten(0, 1), weights.flatten(0, 1)
    sampled: Tensor = TritonSampling.apply(value, *flat, levels, softmax, None)
    return sampled.view(*weights.shape[:2], -1)


@torch.compiler.disable
def images(
    value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor, image: Tensor, row: Tensor, rows: int
) -> Tensor:
    """See :func:`~.interface.sample_images`."""
    # Each pair is a row of its own, whose places are the origin.
    pairs = Pairs(
        locations.new_zeros(len(image), 1, 2),
        image.contiguous(),
        torch.arange(len(image) + 1, device=image.device),
        weights.new_ones(len(image)),
    )
    offsets = locations * levels.extents(locations)[:, None]
    sampled = TritonSampling.apply(value, offsets, weights, levels, False, pairs)
    return sampled.new_zeros(rows, sampled.shape[1]).index_add(0, row, sampled)


@torch.compiler.disable
def views(
    value: Tensor,
    levels: FeatureLevels,
    offsets: Tensor,
    logits: Tensor,
    points: Tensor,
    image: Tensor,
    row: Tensor,
    weight: Tensor,
) -> Tensor:
    """See :func:`~.interface.sample_views`."""
    first = torch.searchsorted(row, torch.arange(len(logits) + 1, device=row.device))
    pairs = Pairs(points.contiguous(), image.contiguous(), first, weight.contiguous())
    sampled: Tensor = TritonSampling.apply(value, offsets, logits, levels, True, pairs)
    return sampled


class TritonSampling(torch.autograd.Function):
    """Run the kernels, saving only the arguments for backward."""

    @staticmethod
    def forward(
        ctx: Any,
        value: Tensor,
        offsets: Tensor,
        logits: Tensor,
        levels: FeatureLevels,
        softmax: bool,
        pairs: Pairs | None,
    ) -> Tensor:
        """Sample: offsets (R, M, L, P, 2), logits or weights (R, M, L, P) to (R, M * K)."""
        value, offsets, logits = value.contiguous(), _dense_rows(offsets), _dense_rows(logits)
        ctx.save_for_backward(value, offsets, logits, *(pairs or ()))
        ctx.levels, ctx.softmax = levels, softmax
        rows, heads = logits.shape[:2]
        output = torch.empty(rows, heads, value.shape[3], dtype=full_precision(value[:0]).dtype, device=value.device)
        if output.numel():
            given = _arguments(value, offsets, logits, levels, pairs)
            sizes = _sizes(value, offsets, logits, softmax, pairs, per_thread=8)
            with torch.cuda.device_of(value):
                triton_kernels.gather[(rows * heads,)](*given, output, **sizes)
        return output.flatten(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the gradients of value, offsets and logits."""
        value, offsets, logits, *rest = ctx.saved_tensors
        pairs = Pairs(*rest) if rest else None
        rows, heads = logits.shape[:2]
        gradient = gradient.contiguous()
        of_offsets, of_logits = (side.new_empty(side.shape) for side in (offsets, logits))
        fixed = torch.are_deterministic_algorithms_enabled()
        of_value = torch.zeros_like(value, dtype=torch.int64 if fixed else gradient.dtype)
        unit = _unit(gradient, logits, ctx.softmax, pairs) if fixed else gradient
        if logits.numel() and value.numel():
            given = _arguments(value, offsets, logits, ctx.levels, pairs)
            sizes = _sizes(value, offsets, logits, ctx.softmax, pairs, per_thread=4)
            found = of_value, of_offsets, of_logits, unit
            with torch.cuda.device_of(value):
                triton_kernels.scatter[(rows * heads,)](*given, gradient, *found, **sizes, FIXED=fixed)
        if fixed:
            of_value = of_value.to(gradient.dtype) / unit
        return of_value.to(value.dtype), of_offsets, of_logits, None, None, None


def _dense_rows(tensor: Tensor) -> Tensor:
    """Make what belongs to a row contiguous; rows may lie apart, as those of a part of a matrix do."""
    return tensor if tensor[:1].is_contiguous() else tensor.contiguous()


def _arguments(
    value: Tensor, offsets: Tensor, logits: Tensor, levels: FeatureLevels, pairs: Pairs | None
) -> tuple[Tensor, ...]:
    # Without pairs the kernel reads none of the last four.
    rest = pairs or (logits, levels.starts, levels.starts, logits)
    return (value, levels.shapes, levels.starts, offsets, logits, *rest)


def _sizes(
    value: Tensor, offsets: Tensor, logits: Tensor, softmax: bool, pairs: Pairs | None, per_thread: int
) -> dict[str, Any]:
    """Sizes of a kernel, and so many warps that each thread has `per_thread` numbers of a tile: registers are few."""
    heads, channels = value.shape[2:]
    num_levels, points = logits.shape[2:]
    block_p, block_k = triton.next_power_of_2(points), triton.next_power_of_2(channels)
    return dict(
        tokens=value.shape[1],
        offsets_row=offsets.stride(0),
        logits_row=logits.stride(0),
        queries=max(len(logits) // max(len(value), 1), 1),
        HEADS=heads,
        CHANNELS=channels,
        LEVELS=num_levels,
        POINTS=points,
        PLACES=0 if pairs is None else pairs.points.shape[1],
        SOFTMAX=softmax,
        NUMBER=tl.float64 if value.dtype == torch.float64 else tl.float32,
        BLOCK_P=block_p,
        BLOCK_K=block_k,
        BLOCK_LP=triton.next_power_of_2(num_levels * points),
        num_warps=min(max(block_p * block_k // (32 * per_thread), 1), 4),
    )


def _unit(gradient: Tensor, logits: Tensor, softmax: bool, pairs: Pairs | None) -> Tensor:
    """Find how many units of an integer a 1 is, so that no sum of parts of a gradient overflows 62 bits."""
    # Of a sampling point, at most one part reaches a cell.
    parts = (len(logits) if pairs is None else len(pairs.image)) * math.prod(logits.shape[2:])
    factors = [gradient] + ([] if softmax else [logits]) + ([] if pairs is None else [pairs.weight])
    largest = math.prod(factor.abs().amax() if factor.numel() else factor.new_zeros(()) for factor in factors)
    # The smallest keeps the unit of a gradient that vanishes finite.
    return 2.0 ** (62 - math.ceil(math.log2(max(parts, 1)))) / torch.as_tensor(largest).clamp(min=1e-18)
