"""Sums of bilinear samples of feature maps: what attention modules call.

Legend: B batch, I images, S tokens of all levels, M heads, D channels of a head, Q queries, A pairs of a query and an
image, L levels, P points, V points of a query in an image that its sampling points start from, R rows, C = M * D.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from ...structures.precision import full_precision
from ..feature_levels import FeatureLevels
from .backend import backend_of

MODULES = {'host': 'host', 'triton': 'by_triton', 'reference': 'reference', 'mmcv': 'by_mmcv', 'grid': 'by_grid'}


def sample_deformable(
    value_BSMD: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor, softmax: bool = False
) -> Tensor:
    """Weighted sum of bilinear samples (Deformable DETR, arXiv 2010.04159, equation 3), in float32 at least.

    Args:
        value_BSMD: Projected tokens of all levels.
        levels: Their sizes.
        locations: (B, Q, M, L, P, 2), x and y in [0, 1] of a level's map; zero outside.
        weights: (B, Q, M, L, P).
        softmax: The weights are logits: take the softmax over levels and points first.

    Returns:
        (B, Q, C), the heads concatenated.

    Raises:
        ValueError: If the tokens do not fill the levels.
    """
    backend, value, locations, weights = _checked(value_BSMD, levels, locations, weights)
    with torch.autocast(value.device.type, enabled=False):
        if hasattr(backend, 'views'):
            return backend.dense(value, levels, locations, weights, softmax)
        return backend.dense(value, levels, locations, _softmax(weights) if softmax else weights)


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
        image_A: Which image a query looks at, int64. The backend `mmcv` wants equally many queries of each image, image
            after image; the others take any list.
        row_A: Which row its result is added to, int64.
        rows: R.

    Returns:
        (R, C).

    Raises:
        ValueError: If the tokens do not fill the levels.
    """
    backend, value, locations, weights = _checked(value_ISMD, levels, locations, weights)
    with torch.autocast(value.device.type, enabled=False):
        return backend.images(value, levels, locations, weights, image_A, row_A, rows)


def sample_views(
    value_ISMD: Tensor,
    levels: FeatureLevels,
    offsets: Tensor,
    logits: Tensor,
    points_AV2: Tensor,
    image_A: Tensor,
    row_A: Tensor,
    weight_A: Tensor,
) -> Tensor:
    """Sample what each row predicts in all images that it looks at: sampling points start from its places there.

    With pair a of row r, the softmax w of the row's logits over levels and points, and the bilinear sample v::

        out_r = sum over pairs a of r of weight_a * sum over l, p of w_lp * v(image_a, points_a[p mod V] + offsets_lp)

    Args:
        value_ISMD: Projected tokens of all levels.
        levels: Their sizes.
        offsets: (R, M, L, P, 2), in cells of a level's map.
        logits: (R, M, L, P).
        points_AV2: x and y in [0, 1]. They have no gradient.
        image_A: Which image a pair is about, int64.
        row_A: Which row it is of, int64; in ascending order for the backend `triton`, see
            :func:`~.backend.lists_of`.
        weight_A: Factor of its samples; without gradient, and nothing is sampled where it is 0.

    Returns:
        (R, C), zero for rows without pairs.

    Raises:
        ValueError: If the tokens do not fill the levels.
    """
    backend, value, offsets, logits = _checked(value_ISMD, levels, offsets, logits)
    points_AV2, weight_A = points_AV2.detach().to(logits), weight_A.detach().to(logits)
    with torch.autocast(value.device.type, enabled=False):
        if hasattr(backend, 'views'):
            return backend.views(value, levels, offsets, logits, points_AV2, image_A, row_A, weight_A)
        weights = _softmax(logits).index_select(0, row_A) * weight_A[:, None, None, None]
        offsets = levels.shares(offsets).index_select(0, row_A)
        offsets = offsets.unflatten(3, (-1, points_AV2.shape[1]))
        locations = (points_AV2[:, None, None, None] + offsets).flatten(3, 4)
        return backend.images(value, levels, locations, weights, image_A, row_A, len(logits))


def _softmax(logits: Tensor) -> Tensor:
    """Take the softmax over levels and points, the last two axes."""
    return logits.flatten(-2).softmax(dim=-1).view_as(logits)


def _checked(
    value: Tensor, levels: FeatureLevels, places: Tensor, weights: Tensor
) -> tuple[Any, Tensor, Tensor, Tensor]:
    """Choose the backend, check the tokens, bring all to one precision; only Triton takes tokens in half precision."""
    if value.shape[1] != levels.num_tokens:
        raise ValueError(f'{value.shape[1]} tokens do not fill levels of sizes {levels.sizes}')
    name = backend_of(value)
    precise = full_precision(value[:0])
    if name != 'triton':
        value = full_precision(value)
    return import_module(f'{__package__}.{MODULES[name]}'), value, places.to(precise), weights.to(precise)
