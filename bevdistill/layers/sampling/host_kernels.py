"""Deformable sampling on the host, compiled by numba: one pass over the samples, without intermediate arrays.

Legend: I images, S tokens of an image, M heads, K channels of a head, A queries with an image, L levels, P points,
R rows of the result. Heads are independent of one another, so that threads can share them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

F = TypeVar('F', bound=Callable[..., Any])
Array = NDArray[Any]


def compiled(function: F) -> F:
    """Compile a kernel: sums may be reordered, infinite and undefined numbers stay what they are.

    Note:
        numba refuses ``cache=True`` while decorating where it finds no folder to write to; such an installation
        compiles at every start.
    """
    options = dict(nogil=True, error_model='numpy', fastmath={'reassoc', 'contract'})
    try:
        return numba.njit(function, cache=True, **options)
    except RuntimeError:
        return numba.njit(function, **options)


@compiled
def _bilinear(x: Any, y: Any, weight: Any) -> tuple[int, int, Any, Any, Any, Any, Any, Any]:
    """Column and row of the upper left cell, shares of the right and the lower cells, `weight` times those of all four.

    x and y count in cells from the first cell's centre. Weights come row by row.
    """
    left, top = np.floor(x), np.floor(y)
    right_share, low_share = x - left, y - top
    w11 = weight * right_share * low_share
    w10, w01 = weight * low_share - w11, weight * right_share - w11
    return int(left), int(top), right_share, low_share, weight - w01 - w10 - w11, w01, w10, w11


@compiled
def _add(
    value: Array,
    i: int,
    m: int,
    start: int,
    height: int,
    width: int,
    x: Any,
    y: Any,
    weight: Any,
    output: Array,
    r: int,
) -> None:
    """Add ``weight`` times a bilinear sample to a row of the output; x and y as in :func:`_bilinear`."""
    col, line, _, _, w00, w01, w10, w11 = _bilinear(x, y, weight)
    s = start + line * width + col
    if col >= 0 and line >= 0 and col + 1 < width and line + 1 < height:
        low = s + width
        for k in range(value.shape[3]):
            above = w00 * value[i, s, m, k] + w01 * value[i, s + 1, m, k]
            output[r, m, k] += above + w10 * value[i, low, m, k] + w11 * value[i, low + 1, m, k]
        return
    for down in range(2):
        for right in range(2):
            if 0 <= col + right < width and 0 <= line + down < height:
                share = (w11 if right else w10) if down else (w01 if right else w00)
                corner = s + down * width + right
                for k in range(value.shape[3]):
                    output[r, m, k] += share * value[i, corner, m, k]


@compiled
def _spread(
    value: Array,
    of_value: Array,
    i: int,
    m: int,
    start: int,
    height: int,
    width: int,
    x: Any,
    y: Any,
    weight: Any,
    given: Array,
) -> tuple[Any, Any, Any]:
    """Gradients of :func:`_add`: adds to `of_value`, returns those of x, y and the weight."""
    col, line, right_share, low_share, w00, w01, w10, w11 = _bilinear(x, y, weight)
    s = start + line * width + col
    d00 = d01 = d10 = d11 = value.dtype.type(0)
    if col >= 0 and line >= 0 and col + 1 < width and line + 1 < height:
        v00, v01, v10, v11 = value[i, s, m], value[i, s + 1, m], value[i, s + width, m], value[i, s + width + 1, m]
        for k in range(len(given)):
            d00 += given[k] * v00[k]
            d01 += given[k] * v01[k]
            d10 += given[k] * v10[k]
            d11 += given[k] * v11[k]
        _add_scaled(of_value[i, s, m], given, w00)
        _add_scaled(of_value[i, s + 1, m], given, w01)
        _add_scaled(of_value[i, s + width, m], given, w10)
        _add_scaled(of_value[i, s + width + 1, m], given, w11)
    else:
        if col >= 0 and line >= 0:
            d00 = _spread_corner(value[i, s, m], of_value[i, s, m], given, w00)
        if col + 1 < width and line >= 0:
            d01 = _spread_corner(value[i, s + 1, m], of_value[i, s + 1, m], given, w01)
        if col >= 0 and line + 1 < height:
            d10 = _spread_corner(value[i, s + width, m], of_value[i, s + width, m], given, w10)
        if col + 1 < width and line + 1 < height:
            d11 = _spread_corner(value[i, s + width + 1, m], of_value[i, s + width + 1, m], given, w11)
    along, across, bend = d01 - d00, d10 - d00, d00 - d01 - d10 + d11
    of_weight = d00 + right_share * along + low_share * across + right_share * low_share * bend
    return weight * (along + low_share * bend), weight * (across + right_share * bend), of_weight


@compiled
def _add_scaled(total: Array, given: Array, factor: Any) -> None:
    for k in range(len(given)):
        total[k] += factor * given[k]


@compiled
def _spread_corner(corner: Array, of_corner: Array, given: Array, share: Any) -> Any:
    """Add a corner's gradient, return the gradient of its share."""
    product = corner.dtype.type(0)
    for k in range(len(given)):
        product += given[k] * corner[k]
    _add_scaled(of_corner, given, share)
    return product


@compiled
def gather(
    value: Array,
    shapes: Array,
    starts: Array,
    locations: Array,
    weights: Array,
    image: Array,
    row: Array,
    output: Array,
    first: int,
    last: int,
) -> None:
    """Add each query's weighted bilinear samples to its row.

    Args:
        value: (I, S, M, K).
        shapes: (height, width) of each level, (L, 2).
        starts: First token of each level, (L,).
        locations: x and y in [0, 1] of a level's map, (A, M, L, P, 2).
        weights: (A, M, L, P).
        image: Which image a query looks at, (A,).
        row: Which row its result belongs to, (A,).
        output: Where results are added, (R, M, K).
        first: First head.
        last: Head after the last one.
    """
    asking, _, levels, points = weights.shape
    half = value.dtype.type(0.5)
    # Heads in the inner loop: the stride between tokens of one head maps them to few cache sets, where they evict
    # one another.
    for a in range(asking):
        for m in range(first, last):
            for level in range(levels):
                height, width = shapes[level]
                # In the precision of the value: an integer times float32 would be float64, and so all that follows.
                tall, wide = value.dtype.type(height), value.dtype.type(width)
                for p in range(points):
                    x = locations[a, m, level, p, 0] * wide - half
                    y = locations[a, m, level, p, 1] * tall - half
                    # Nothing is added outside, nor where the place is not a number.
                    if x > -1 and y > -1 and x < width and y < height:
                        weight = weights[a, m, level, p]
                        _add(value, image[a], m, starts[level], height, width, x, y, weight, output, row[a])


@compiled
def scatter(
    value: Array,
    shapes: Array,
    starts: Array,
    locations: Array,
    weights: Array,
    image: Array,
    row: Array,
    gradient: Array,
    of_value: Array,
    of_locations: Array,
    of_weights: Array,
    first: int,
    last: int,
) -> None:
    """Gradients of :func:`gather`, of which the first seven arguments and the last two are; nothing else was kept.

    Args:
        value: (I, S, M, K).
        shapes: (L, 2).
        starts: (L,).
        locations: (A, M, L, P, 2).
        weights: (A, M, L, P).
        image: (A,).
        row: (A,).
        gradient: Of the output, (R, M, K).
        of_value: Where the gradient of `value` is added.
        of_locations: Where that of `locations` is written.
        of_weights: Where that of `weights` is written.
        first: First head.
        last: Head after the last one.
    """
    asking, _, levels, points = weights.shape
    half, zero = value.dtype.type(0.5), value.dtype.type(0)
    for a in range(asking):
        for m in range(first, last):
            i, given = image[a], gradient[row[a], m]
            for level in range(levels):
                height, width = shapes[level]
                # In the precision of the value: an integer times float32 would be float64, and so all that follows.
                tall, wide = value.dtype.type(height), value.dtype.type(width)
                for p in range(points):
                    x = locations[a, m, level, p, 0] * wide - half
                    y = locations[a, m, level, p, 1] * tall - half
                    of_x = of_y = of_weight = zero
                    if x > -1 and y > -1 and x < width and y < height:
                        weight = weights[a, m, level, p]
                        of_x, of_y, of_weight = _spread(
                            value, of_value, i, m, starts[level], height, width, x, y, weight, given
                        )
                    of_locations[a, m, level, p, 0] = of_x * wide
                    of_locations[a, m, level, p, 1] = of_y * tall
                    of_weights[a, m, level, p] = of_weight
