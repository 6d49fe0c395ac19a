"""Sampling of deformable attention: mmcv's kernel on CUDA, a compiled pass on the CPU, torch's operators elsewhere.

Legend: B batch, I images, S tokens of all levels, M heads, D channels of a head, Q queries, A queries of all
images, L levels, P points, R rows, C = M * D.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction, multi_scale_deformable_attn_pytorch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..structures.precision import full_precision
from . import sampling_kernels
from .feature_levels import FeatureLevels

MAX_IM2COL_STEP = 64
"""Samples that mmcv's kernel takes at once; its default."""


def has_kernels(tensor: Tensor) -> bool:
    """Whether :mod:`.sampling_kernels` run on the device of a tensor, so that lists need no padding."""
    return tensor.device.type == 'cpu'


def im2col_step(batch: int) -> int:
    """Largest step up to :data:`MAX_IM2COL_STEP` that divides the batch, as mmcv's kernel demands."""
    return next(step for step in range(min(batch, MAX_IM2COL_STEP), 0, -1) if batch % step == 0)


def sample_deformable(value_BSMD: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor) -> Tensor:
    """Weighted sum of bilinear samples (Deformable DETR, arXiv 2010.04159, equation 3), in float32 at least.

    Args:
        value_BSMD: Projected tokens of all levels.
        levels: Their sizes.
        locations: (B, Q, M, L, P, 2), x and y in [0, 1] of a level's map; zero outside.
        weights: (B, Q, M, L, P).

    Returns:
        (B, Q, C), the heads concatenated.

    Raises:
        ValueError: If the tokens do not fill the levels.
    """
    value_BSMD, locations, weights = _checked(value_BSMD, levels, locations, weights)
    with torch.autocast(value_BSMD.device.type, enabled=False):
        if not has_kernels(value_BSMD):
            return _by_mmcv(value_BSMD, levels, locations, weights)
        batch, queries = weights.shape[:2]
        row = torch.arange(batch * queries)
        flat = locations.flatten(0, 1), weights.flatten(0, 1)
        return _on_host(value_BSMD, levels, *flat, row // queries, row, len(row)).view(batch, queries, -1)


def sample_images(
    value_ISMD: Tensor,
    levels: FeatureLevels,
    locations: Tensor,
    weights: Tensor,
    image_A: Tensor,
    row_A: Tensor,
    rows: int,
) -> Tensor:
    """Sample for a list of queries, each of which looks at one image, and sum the results of a row.

    Args:
        value_ISMD: Projected tokens of all levels.
        levels: Their sizes.
        locations: (A, M, L, P, 2).
        weights: (A, M, L, P).
        image_A: Which image a query looks at, int64. Anywhere but on the host all images must have equally many
            queries, image after image.
        row_A: Which row its result is added to, int64.
        rows: R.

    Returns:
        (R, C).

    Raises:
        ValueError: If the tokens do not fill the levels.
    """
    value_ISMD, locations, weights = _checked(value_ISMD, levels, locations, weights)
    with torch.autocast(value_ISMD.device.type, enabled=False):
        if has_kernels(value_ISMD):
            return _on_host(value_ISMD, levels, locations, weights, image_A, row_A, rows)
        by_image = (len(value_ISMD), -1)
        output = _by_mmcv(value_ISMD, levels, locations.unflatten(0, by_image), weights.unflatten(0, by_image))
        return output.new_zeros(rows, output.shape[-1]).index_add(0, row_A, output.flatten(0, 1))


def _checked(
    value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Check the tokens; bring value, locations and weights to one precision."""
    if value.shape[1] != levels.num_tokens:
        raise ValueError(f'{value.shape[1]} tokens do not fill levels of sizes {levels.sizes}')
    value = full_precision(value)
    return value, locations.to(value), weights.to(value)


def _by_mmcv(value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor) -> Tensor:
    """Run :func:`sample_deformable` by mmcv."""
    if not value.is_cuda:
        return multi_scale_deformable_attn_pytorch(value, levels.sizes, locations, weights)
    return MultiScaleDeformableAttnFunction.apply(
        value.contiguous(),
        levels.shapes,
        levels.starts,
        locations.contiguous(),
        weights.contiguous(),
        im2col_step(value.shape[0]),
    )


@torch.compiler.disable
def _on_host(
    value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor, image: Tensor, row: Tensor, rows: int
) -> Tensor:
    """Run :func:`sample_images` by the compiled kernels."""
    return HostSampling.apply(value, locations, weights, image, row, levels.shapes, levels.starts, rows)


class HostSampling(torch.autograd.Function):
    """Run :func:`sample_images` by the kernels of :mod:`.sampling_kernels`, saving only its arguments for backward."""

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
        """Sample, see :func:`sample_images`."""
        value, locations, weights = value.contiguous(), locations.contiguous(), weights.contiguous()
        ctx.save_for_backward(value, locations, weights, image, row, shapes, starts)
        heads, channels = map(int, value.shape[2:])
        output = value.new_zeros(rows, heads, channels)
        arrays = [tensor.detach().numpy() for tensor in (value, shapes, starts, locations, weights, image, row, output)]
        _for_heads(sampling_kernels.gather, arrays, heads)
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
        _for_heads(sampling_kernels.scatter, [tensor.detach().numpy() for tensor in (*given, *found)], heads)
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
