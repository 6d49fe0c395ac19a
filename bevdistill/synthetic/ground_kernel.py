"""Paint the ground and place footprints on it (compiled)."""

from __future__ import annotations

import math
from typing import Any

from .jit import jit
from .rays import ground_height


@jit
def stand_on(heights: Any, ground: Any, xy: Any, yaw: Any, length: Any, width: Any, height: Any, rot: Any) -> None:
    """Put footprints on the relief.

    Args:
        heights: Relief, with ``ground`` as for ``rays.ground_hit``.
        ground: (4,).
        xy: (N, 2) centres.
        yaw: (N,) headings in radians.
        length: (N,) extent along the heading.
        width: (N,) extent across it.
        height: Out (N,): mean height below the four ends of the footprint's axes.
        rot: Out (N, 3, 3): columns forward, left, up of the plane through those ends.
    """
    ox, oy, cell = ground[0], ground[1], ground[2]
    for n in range(xy.shape[0]):
        x, y, c, s = xy[n, 0], xy[n, 1], math.cos(yaw[n]), math.sin(yaw[n])
        a, b = length[n] / 2.0, width[n] / 2.0
        front = ground_height(heights, ox, oy, cell, x + a * c, y + a * s)
        back = ground_height(heights, ox, oy, cell, x - a * c, y - a * s)
        left = ground_height(heights, ox, oy, cell, x - b * s, y + b * c)
        right = ground_height(heights, ox, oy, cell, x + b * s, y - b * c)
        height[n] = (front + back + left + right) / 4.0
        rise, bank = (front - back) / length[n], (left - right) / width[n]
        # Up is the cross product of (c, s, rise) and (-s, c, bank).
        ux, uy, uz = s * bank - rise * c, -rise * s - c * bank, 1.0
        norm = math.sqrt(ux * ux + uy * uy + 1.0)
        ux, uy, uz = ux / norm, uy / norm, uz / norm
        norm = math.sqrt(1.0 + rise * rise)
        fx, fy, fz = c / norm, s / norm, rise / norm
        rot[n, 0, 0], rot[n, 1, 0], rot[n, 2, 0] = fx, fy, fz
        rot[n, 0, 1], rot[n, 1, 1], rot[n, 2, 1] = uy * fz - uz * fy, uz * fx - ux * fz, ux * fy - uy * fx
        rot[n, 0, 2], rot[n, 1, 2], rot[n, 2, 2] = ux, uy, uz


@jit
def paint_ground(paint: Any, ground: Any, path: Any, half_width: float, verge: Any, asphalt: float) -> None:
    """Paint a road with lane marks and pavements along a path.

    Args:
        paint: Out (rows, cols, 3): RGB in [0, 1].
        ground: (3,) origin x, origin y, side of a painted cell.
        path: (Q, 2) evenly spaced points.
        half_width: Half width of the road in metres.
        verge: (3,) colour beside the pavements.
        asphalt: Grey of the road.
    """
    rows, cols = paint.shape[:2]
    last = path.shape[0] - 1
    for i in range(rows):
        for j in range(cols):
            x, y = ground[0] + (j + 0.5) * ground[2], ground[1] + (i + 0.5) * ground[2]
            best, at = math.inf, 0
            for p in range(last + 1):
                d = (path[p, 0] - x) ** 2 + (path[p, 1] - y) ** 2
                if d < best:
                    best, at = d, p
            q = min(max(at, 1), last)
            tx, ty = path[q, 0] - path[q - 1, 0], path[q, 1] - path[q - 1, 1]
            spacing = math.sqrt(tx * tx + ty * ty)
            d = abs((x - path[at, 0]) * ty - (y - path[at, 1]) * tx) / spacing
            along = ((x - path[at, 0]) * tx + (y - path[at, 1]) * ty) / spacing + at * spacing
            # Beyond the ends the distance to the line is not the distance to the road.
            d = max(d, math.sqrt(best) - spacing)
            for k in range(3):
                value = asphalt
                if d > half_width + 2.5:
                    value = verge[k]
                elif d > half_width:
                    value = 0.58
                elif d > half_width - 0.5 or (abs(d - 2.0) < 0.3 and along % 6.0 < 3.0):
                    value = 0.85
                paint[i, j, k] = value
