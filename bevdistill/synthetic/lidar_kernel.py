"""Cast the beams of a spinning LiDAR at one instant (compiled)."""

from __future__ import annotations

import math
from typing import Any

from .jit import jit
from .rays import HIT_GROUND, box_hit, ground_hit


@jit
def _beam_window(
    x: float, y: float, z: float, radius: float, n_azimuths: int, elevations: Any
) -> tuple[int, int, int, int]:
    """Return first azimuth, azimuth count and beams [j0, j1) that can hit a sphere at x, y, z (LiDAR frame)."""
    step, n_beams = 2.0 * math.pi / n_azimuths, elevations.shape[0]
    flat, dist = math.sqrt(x * x + y * y), math.sqrt(x * x + y * y + z * z)
    first, count, j0, j1 = 0, n_azimuths, 0, n_beams
    if flat > radius:
        spread = math.asin(radius / flat)
        first = math.floor((math.pi - math.atan2(y, x) - spread) / step)
        count = min(n_azimuths, math.ceil(2.0 * spread / step) + 2)
    if dist > radius and n_beams > 1:
        rise = (elevations[n_beams - 1] - elevations[0]) / (n_beams - 1)
        spread, middle = math.asin(radius / dist), math.atan2(z, flat)
        j0 = max(0, math.floor((middle - spread - elevations[0]) / rise))
        j1 = min(n_beams, math.ceil((middle + spread - elevations[0]) / rise) + 1)
    return first, count, j0, j1


@jit
def cast_lidar(
    o: Any,
    rot: Any,
    directions: Any,
    elevations: Any,
    centres: Any,
    rots: Any,
    halves: Any,
    heights: Any,
    ground: Any,
    ranges: Any,
    hit: Any,
) -> None:
    """Cast every beam.

    Args:
        o: (3,) LiDAR centre.
        rot: (3, 3) LiDAR to global.
        directions: (A, B, 3) global unit vectors; azimuth atan2(y, x) in the LiDAR frame falls evenly from pi.
        elevations: (B,) evenly rising, radians.
        centres: (M, 3) cuboids.
        rots: (M, 3, 3) cuboid to global.
        halves: (M, 3) half sizes.
        heights: Relief, as for ``ground_hit``.
        ground: (4,) as for ``ground_hit``.
        ranges: In and out (A, B): metres; comes in as the longest range.
        hit: In and out (A, B): cuboid, HIT_GROUND, or as it came.
    """
    n_azimuths, n_beams = ranges.shape
    far = ranges[0, 0]
    for m in range(centres.shape[0]):
        gx, gy, gz = centres[m, 0] - o[0], centres[m, 1] - o[1], centres[m, 2] - o[2]
        x = rot[0, 0] * gx + rot[1, 0] * gy + rot[2, 0] * gz
        y = rot[0, 1] * gx + rot[1, 1] * gy + rot[2, 1] * gz
        z = rot[0, 2] * gx + rot[1, 2] * gy + rot[2, 2] * gz
        radius = math.sqrt(halves[m, 0] ** 2 + halves[m, 1] ** 2 + halves[m, 2] ** 2)
        if math.sqrt(x * x + y * y + z * z) - radius > far:
            continue
        first, count, j0, j1 = _beam_window(x, y, z, radius, n_azimuths, elevations)
        for n in range(count):
            i = (first + n) % n_azimuths
            for j in range(j0, j1):
                d = (directions[i, j, 0], directions[i, j, 1], directions[i, j, 2])
                t, _ = box_hit(centres[m], rots[m], halves[m], o, d)
                if t < ranges[i, j]:
                    ranges[i, j], hit[i, j] = t, m
    for i in range(n_azimuths):
        for j in range(n_beams):
            d = (directions[i, j, 0], directions[i, j, 1], directions[i, j, 2])
            t = ground_hit(heights, ground, o, d, ranges[i, j])
            if t < ranges[i, j]:
                ranges[i, j], hit[i, j] = t, HIT_GROUND


@jit
def count_inside(points: Any, centres: Any, rots: Any, halves: Any, counts: Any) -> None:
    """Count the points in boxes, borders included.

    Args:
        points: (P, 3+) float32, any frame.
        centres: (K, 3) in that frame.
        rots: (K, 3, 3) box to frame.
        halves: (K, 3) half sizes.
        counts: In and out (K,).
    """
    for p in range(points.shape[0]):
        for k in range(centres.shape[0]):
            dx, dy, dz = points[p, 0] - centres[k, 0], points[p, 1] - centres[k, 1], points[p, 2] - centres[k, 2]
            inside = True
            for axis in range(3):
                local = dx * rots[k, 0, axis] + dy * rots[k, 1, axis] + dz * rots[k, 2, axis]
                inside = inside and abs(local) <= halves[k, axis]
            counts[k] += inside
