"""Sampling by mmcv's operator, where mmcv was built with its CUDA operators; float32 at least."""

from __future__ import annotations

from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction, multi_scale_deformable_attn_pytorch
from torch import Tensor

from ..feature_levels import FeatureLevels

MAX_IM2COL_STEP = 64
"""Samples that mmcv's kernel takes at once; its default."""


def im2col_step(batch: int) -> int:
    """Largest step up to :data:`MAX_IM2COL_STEP` that divides the batch, as mmcv's kernel demands."""
    return next(step for step in range(min(batch, MAX_IM2COL_STEP), 0, -1) if batch % step == 0)


def dense(value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor) -> Tensor:
    """See :func:`~.interface.sample_deformable`; where there is no CUDA, by mmcv's form in torch."""
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


def images(
    value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor, image: Tensor, row: Tensor, rows: int
) -> Tensor:
    """See :func:`~.interface.sample_images`; equally many queries of each image, image after image."""
    by_image = (len(value), -1)
    output = dense(value, levels, locations.unflatten(0, by_image), weights.unflatten(0, by_image))
    return output.new_zeros(rows, output.shape[-1]).index_add(0, row, output.flatten(0, 1))
