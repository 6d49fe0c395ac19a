"""Sampling by ``grid_sample`` and products of dense tensors, which exporters know: for ``torch.export`` and ONNX."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..feature_levels import FeatureLevels


def dense(
    value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor, softmax: bool = False
) -> Tensor:
    """See :func:`~.interface.sample_deformable`."""
    if softmax:
        weights = weights.flatten(-2).softmax(dim=-1).view_as(weights)
    total = _sampled(value, levels, locations, weights)
    return total.flatten(1, 2).transpose(1, 2)


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
    """See :func:`~.interface.sample_views`; the list must hold all pairs, query after query.

    Every query is sampled in every camera, and the unseen ones have the weight 0: no list whose length depends on the
    calibration. `image` and `row` follow from the order and are not read.
    """
    rows, heads = logits.shape[:2]
    cams = len(weight) // rows
    batch = len(value) // cams
    queries = rows // batch
    # Pairs to (B, Q, N, V, 2), then to images.
    anchors = points.view(batch, queries, cams, 1, 1, -1, 2).transpose(1, 2).flatten(0, 1)
    moves = (offsets / levels.extents(offsets)[:, None]).view(batch, 1, queries, *offsets.shape[1:])
    moves = moves.expand(-1, cams, -1, -1, -1, -1, -1).flatten(0, 1).unflatten(4, (-1, points.shape[1]))
    locations = (anchors[:, :, :, :, None] + moves).flatten(4, 5)
    shares = logits.flatten(-2).softmax(dim=-1).view(batch, 1, queries, heads, *logits.shape[2:])
    shares = shares * weight.view(batch, queries, cams).transpose(1, 2)[..., None, None, None]
    total = _sampled(value, levels, locations, shares.flatten(0, 1))
    return total.unflatten(0, (batch, cams)).sum(dim=1).flatten(1, 2).transpose(1, 2).flatten(0, 1)


def _sampled(value: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor) -> Tensor:
    """Sample tokens (I, S, M, D) at locations (I, Q, M, L, P, 2), weighted: (I, M, D, Q)."""
    images, _, heads, channels = value.shape
    maps = value.permute(0, 2, 3, 1).flatten(0, 1)
    grids = (locations * 2 - 1).transpose(1, 2).flatten(0, 1)
    shares = weights.transpose(1, 2).flatten(0, 1)
    parts = []
    start = 0
    for level, (height, width) in enumerate(levels.sizes):
        tokens = maps[:, :, start : start + height * width].unflatten(2, (height, width))
        sampled = functional.grid_sample(tokens, grids[:, :, level], align_corners=False)
        parts.append((sampled * shares[:, None, :, level]).sum(dim=-1))
        start += height * width
    return torch.stack(parts).sum(dim=0).view(images, heads, channels, -1)
