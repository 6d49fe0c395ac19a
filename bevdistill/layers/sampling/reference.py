"""Sampling by torch's operators: any device, any list, gradients by autograd."""

from __future__ import annotations

import torch
from torch import Tensor

from ..feature_levels import FeatureLevels


def dense(value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor) -> Tensor:
    """See :func:`~.interface.sample_deformable`."""
    batch, queries = weights.shape[:2]
    image = torch.arange(batch, device=value.device)[:, None].expand(-1, queries).flatten()
    return _sampled(value, levels, locations.flatten(0, 1), weights.flatten(0, 1), image).unflatten(0, (batch, queries))


def images(
    value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor, image: Tensor, row: Tensor, rows: int
) -> Tensor:
    """See :func:`~.interface.sample_images`."""
    sampled = _sampled(value, levels, locations, weights, image)
    return sampled.new_zeros(rows, sampled.shape[1]).index_add(0, row, sampled)


def _sampled(value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor, image: Tensor) -> Tensor:
    """Sample each pair's image: (A, C)."""
    heads = torch.arange(value.shape[2], device=value.device)[:, None]
    total = value.new_zeros(len(weights), *value.shape[2:])
    start = 0
    for level, (height, width) in enumerate(levels.sizes):
        x = locations[:, :, level, :, 0] * width - 0.5
        y = locations[:, :, level, :, 1] * height - 0.5
        inside = (x > -1) & (y > -1) & (x < width) & (y < height)
        # What is not a number must not meet a weight, not even one of zero.
        x, y = torch.where(inside, x, 0), torch.where(inside, y, 0)
        left, top = x.floor().detach(), y.floor().detach()
        for col, share_x in ((left, 1 - (x - left)), (left + 1, x - left)):
            for line, share_y in ((top, 1 - (y - top)), (top + 1, y - top)):
                known = inside & (col >= 0) & (col < width) & (line >= 0) & (line < height)
                token = torch.where(known, start + line * width + col, 0).long()
                share = torch.where(known, weights[:, :, level] * share_x * share_y, 0)
                total = total + (value[image[:, None, None], token, heads] * share[..., None]).sum(dim=2)
        start += height * width
    return total.flatten(1)
