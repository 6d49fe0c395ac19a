"""Intersect rays with the terrain and with cuboids (compiled). Global frame, metres.

Legend of shapes in the compiled modules: M cuboids, N objects, H x W pixels, A azimuths, B beams.
"""

from __future__ import annotations

import math
from typing import Any

from .jit import jit

# What a ray met when it was no cuboid, whose numbers start at 0.
HIT_NOTHING = -2
HIT_GROUND = -1
# Surface closer than this to a ray's point counts as met.
_TOUCH = 0.004
_STEPS = 64


@jit
def ground_height(heights: Any, ox: float, oy: float, cell: float, x: float, y: float) -> float:
    """Return the bilinear ground height; constant beyond the border."""
    rows, cols = heights.shape
    col = min(max((x - ox) / cell, 0.0), cols - 1.001)
    row = min(max((y - oy) / cell, 0.0), rows - 1.001)
    i, j = int(row), int(col)
    a, b = row - i, col - j
    low = heights[i, j] * (1.0 - b) + heights[i, j + 1] * b
    high = heights[i + 1, j] * (1.0 - b) + heights[i + 1, j + 1] * b
    return low * (1.0 - a) + high * a


@jit
def ground_hit(heights: Any, ground: Any, o: Any, d: tuple[float, float, float], t_max: float) -> float:
    """Return the parameter t at which the ray ``o + t d`` hits the ground, or inf.

    The gap to the ground shrinks by at most ``-d_z + slope |d_xy|`` per unit of t, so a step of gap over that rate
    never jumps through the surface.

    Args:
        heights: Relief (rows, cols).
        ground: (4,) origin x, origin y, cell, bound of the slope's tangent.
        o: (3,) origin.
        d: Direction.
        t_max: Where to stop.
    """
    rate = -d[2] + ground[3] * math.sqrt(d[0] * d[0] + d[1] * d[1])
    if rate <= 0.0:
        return math.inf
    t, gap = 0.0, 0.0
    for _ in range(_STEPS):
        floor = ground_height(heights, ground[0], ground[1], ground[2], o[0] + t * d[0], o[1] + t * d[1])
        gap = o[2] + t * d[2] - floor
        if gap < _TOUCH:
            return t
        t += gap / rate
        if t > t_max:
            return math.inf
    # A ray that grazes the ground creeps; one that has come this close is as good as there.
    return t if gap < 25.0 * _TOUCH else math.inf


@jit
def box_hit(centre: Any, rot: Any, half: Any, o: Any, d: tuple[float, float, float]) -> tuple[float, int]:
    """Slab test of a ray with a cuboid.

    Args:
        centre: (3,) centre.
        rot: (3, 3) cuboid to global.
        half: (3,) half sizes.
        o: (3,) origin of the ray.
        d: Direction of the ray.

    Returns:
        Parameter of the entry point (inf if missed or the origin lies inside) and the face: 0, 1, 2 for the axis,
        plus 3 where the face looks along the positive axis.
    """
    t_in, t_out, face = -math.inf, math.inf, 0
    px, py, pz = o[0] - centre[0], o[1] - centre[1], o[2] - centre[2]
    for axis in range(3):
        p = px * rot[0, axis] + py * rot[1, axis] + pz * rot[2, axis]
        v = d[0] * rot[0, axis] + d[1] * rot[1, axis] + d[2] * rot[2, axis]
        if abs(v) < 1e-12:
            if abs(p) > half[axis]:
                return math.inf, 0
            continue
        near, far = (-half[axis] - p) / v, (half[axis] - p) / v
        side = axis
        if near > far:
            near, far = far, near
            side = axis + 3
        if near > t_in:
            t_in, face = near, side
        t_out = min(t_out, far)
        if t_in > t_out:
            return math.inf, 0
    if t_in <= 0.0:
        return math.inf, 0
    return t_in, face


@jit
def pixel_ray(cam: Any, intrinsic: Any, r: int, c: int) -> tuple[float, float, float]:
    """Return the global direction, of unit depth, through the pixel centre (c + 0.5, r + 0.5).

    Args:
        cam: (3, 3) camera to global; columns right, down, forward.
        intrinsic: (4,) fx, fy, cx, cy in pixels.
        r: Row.
        c: Column.
    """
    a = (c + 0.5 - intrinsic[2]) / intrinsic[0]
    b = (r + 0.5 - intrinsic[3]) / intrinsic[1]
    return (
        cam[0, 0] * a + cam[0, 1] * b + cam[0, 2],
        cam[1, 0] * a + cam[1, 1] * b + cam[1, 2],
        cam[2, 0] * a + cam[2, 1] * b + cam[2, 2],
    )
