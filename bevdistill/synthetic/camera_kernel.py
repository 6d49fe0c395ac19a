"""Rasterise cuboids and ground into the depth buffer of a pinhole camera (compiled)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .jit import jit
from .rays import HIT_GROUND, box_hit, ground_hit, pixel_ray

_NEAR = 0.3


@jit
def _outside(centre: Any, half: Any, o: Any, cam: Any, intrinsic: Any, h: int, w: int) -> bool:
    """Return whether a cuboid's bounding sphere lies outside the view frustum."""
    x, y, z = 0.0, 0.0, 0.0
    for k in range(3):
        p = centre[k] - o[k]
        x, y, z = x + p * cam[k, 0], y + p * cam[k, 1], z + p * cam[k, 2]
    radius = math.sqrt(half[0] ** 2 + half[1] ** 2 + half[2] ** 2)
    # Tangents of the view's left, right, upper and lower border.
    left, right = intrinsic[2] / intrinsic[0], (w - intrinsic[2]) / intrinsic[0]
    top, low = intrinsic[3] / intrinsic[1], (h - intrinsic[3]) / intrinsic[1]
    return (
        z < -radius
        or -x - z * left > radius * math.sqrt(1.0 + left * left)
        or x - z * right > radius * math.sqrt(1.0 + right * right)
        or -y - z * top > radius * math.sqrt(1.0 + top * top)
        or y - z * low > radius * math.sqrt(1.0 + low * low)
    )


@jit
def _pixel_window(
    centre: Any, rot: Any, half: Any, o: Any, cam: Any, intrinsic: Any, h: int, w: int
) -> tuple[int, int, int, int]:
    """Return the pixel window [r0, r1) x [c0, c1) of a cuboid; the whole image if it crosses the image plane."""
    u0, u1, v0, v1 = math.inf, -math.inf, math.inf, -math.inf
    behind = 0
    for corner in range(8):
        sx = half[0] if corner & 1 else -half[0]
        sy = half[1] if corner & 2 else -half[1]
        sz = half[2] if corner & 4 else -half[2]
        gx = centre[0] + rot[0, 0] * sx + rot[0, 1] * sy + rot[0, 2] * sz - o[0]
        gy = centre[1] + rot[1, 0] * sx + rot[1, 1] * sy + rot[1, 2] * sz - o[1]
        gz = centre[2] + rot[2, 0] * sx + rot[2, 1] * sy + rot[2, 2] * sz - o[2]
        z = cam[0, 2] * gx + cam[1, 2] * gy + cam[2, 2] * gz
        if z < _NEAR:
            behind += 1
            continue
        u = intrinsic[0] * (cam[0, 0] * gx + cam[1, 0] * gy + cam[2, 0] * gz) / z + intrinsic[2]
        v = intrinsic[1] * (cam[0, 1] * gx + cam[1, 1] * gy + cam[2, 1] * gz) / z + intrinsic[3]
        u0, u1, v0, v1 = min(u0, u), max(u1, u), min(v0, v), max(v1, v)
    if behind == 8:
        return 0, 0, 0, 0
    if behind > 0:
        return 0, h, 0, w
    # Clipped before the conversion: far off the image a coordinate need not fit an integer.
    r0, r1 = int(min(max(v0, 0.0), h)), int(min(max(v1 + 1.0, 0.0), h))
    c0, c1 = int(min(max(u0, 0.0), w)), int(min(max(u1 + 1.0, 0.0), w))
    return r0, r1, c0, c1


@jit
def cast_cuboids(
    o: Any,
    cam: Any,
    intrinsic: Any,
    centres: Any,
    rots: Any,
    halves: Any,
    owners: Any,
    depth: Any,
    hit: Any,
    face: Any,
    covered: Any,
) -> None:
    """Draw cuboids into a depth buffer.

    Args:
        o: (3,) camera centre.
        cam: (3, 3) camera to global; columns right, down, forward.
        intrinsic: (4,) fx, fy, cx, cy in pixels.
        centres: (M, 3) cuboids; those of one object stand together.
        rots: (M, 3, 3) cuboid to global.
        halves: (M, 3) half sizes.
        owners: (M,) object of each cuboid.
        depth: In and out (H, W): depth along the optical axis.
        hit: Out where a cuboid is nearer than ``depth`` (H, W): its number.
        face: Out (H, W): the cuboid's face, as ``box_hit`` numbers them.
        covered: In and out (N,): pixels that each object would fill if nothing stood before it, added up.
    """
    h, w = depth.shape
    last = np.full((h, w), -1, np.int32)
    for m in range(centres.shape[0]):
        if _outside(centres[m], halves[m], o, cam, intrinsic, h, w):
            continue
        r0, r1, c0, c1 = _pixel_window(centres[m], rots[m], halves[m], o, cam, intrinsic, h, w)
        for r in range(r0, r1):
            for c in range(c0, c1):
                t, side = box_hit(centres[m], rots[m], halves[m], o, pixel_ray(cam, intrinsic, r, c))
                if t == math.inf:
                    continue
                if last[r, c] != owners[m]:
                    last[r, c] = owners[m]
                    covered[owners[m]] += 1
                if t < depth[r, c]:
                    depth[r, c], hit[r, c], face[r, c] = t, m, side


@jit
def cast_ground(o: Any, cam: Any, intrinsic: Any, heights: Any, ground: Any, depth: Any, hit: Any) -> None:
    """Draw the relief into a depth buffer; arguments as in ``cast_cuboids`` and ``ground_hit``."""
    h, w = depth.shape
    for r in range(h):
        for c in range(w):
            t = ground_hit(heights, ground, o, pixel_ray(cam, intrinsic, r, c), depth[r, c])
            if t < depth[r, c]:
                depth[r, c], hit[r, c] = t, HIT_GROUND
