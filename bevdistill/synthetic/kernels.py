"""Compiled ray casting: cuboids and a bilinear relief, seen by a pinhole camera or by a spinning LiDAR.

Legend of shapes: M cuboids, N objects, H x W pixels, A azimuths, B beams. Everything is in the global frame, metres.
``HIT_NOTHING`` marks a ray into the sky and ``HIT_GROUND`` one that ends on the ground; other values are cuboids.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .jit import jit

HIT_NOTHING = -2
HIT_GROUND = -1
_NEAR = 0.3


@jit
def ground_height(heights: Any, ox: float, oy: float, cell: float, x: float, y: float) -> float:
    """Bilinear height of the ground; the border's height goes on outside."""
    rows, cols = heights.shape
    col = min(max((x - ox) / cell, 0.0), cols - 1.001)
    row = min(max((y - oy) / cell, 0.0), rows - 1.001)
    i, j = int(row), int(col)
    a, b = row - i, col - j
    low = heights[i, j] * (1.0 - b) + heights[i, j + 1] * b
    high = heights[i + 1, j] * (1.0 - b) + heights[i + 1, j + 1] * b
    return low * (1.0 - a) + high * a


@jit
def ground_hit(
    heights: Any, ox: float, oy: float, cell: float, slope: float, o: Any, dx: float, dy: float, dz: float, t_max: float
) -> float:
    """Parameter t at which the ray ``o + t d`` meets the ground, or inf.

    The gap to the ground shrinks by at most ``-dz + slope |dxy|`` per unit of t, so a step of gap over that rate
    never jumps through the surface.
    """
    rate = -dz + slope * math.sqrt(dx * dx + dy * dy)
    if rate <= 0.0:
        return math.inf
    t = 0.0
    for _ in range(64):
        gap = o[2] + t * dz - ground_height(heights, ox, oy, cell, o[0] + t * dx, o[1] + t * dy)
        if gap < 0.004:
            return t
        t += gap / rate
        if t > t_max:
            return math.inf
    return t if gap < 0.1 else math.inf


@jit
def box_hit(centre: Any, rot: Any, half: Any, o: Any, dx: float, dy: float, dz: float) -> tuple[float, int]:
    """Slab test of a ray with a cuboid.

    Returns:
        Parameter of the entry point (inf if missed or the origin lies inside) and the face: 0, 1, 2 for the axis,
        plus 3 where the face looks along the positive axis.
    """
    t_in, t_out, face = -math.inf, math.inf, 0
    px, py, pz = o[0] - centre[0], o[1] - centre[1], o[2] - centre[2]
    for axis in range(3):
        p = px * rot[0, axis] + py * rot[1, axis] + pz * rot[2, axis]
        d = dx * rot[0, axis] + dy * rot[1, axis] + dz * rot[2, axis]
        if abs(d) < 1e-12:
            if abs(p) > half[axis]:
                return math.inf, 0
            continue
        near, far = (-half[axis] - p) / d, (half[axis] - p) / d
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
def _pixel_window(
    centre: Any, rot: Any, half: Any, o: Any, cam: Any, fx: float, fy: float, cx: float, cy: float, h: int, w: int
) -> tuple[int, int, int, int]:
    """Rows and columns [r0, r1) x [c0, c1) that can see a cuboid; all of them where it reaches behind the camera."""
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
        u = fx * (cam[0, 0] * gx + cam[1, 0] * gy + cam[2, 0] * gz) / z + cx
        v = fy * (cam[0, 1] * gx + cam[1, 1] * gy + cam[2, 1] * gz) / z + cy
        u0, u1, v0, v1 = min(u0, u), max(u1, u), min(v0, v), max(v1, v)
    if behind == 8:
        return 0, 0, 0, 0
    if behind > 0:
        return 0, h, 0, w
    r0, r1 = max(0, int(math.floor(v0))), min(h, int(math.ceil(v1)) + 1)
    c0, c1 = max(0, int(math.floor(u0))), min(w, int(math.ceil(u1)) + 1)
    return r0, max(r0, r1), c0, max(c0, c1)


@jit
def cast_camera(
    o: Any,
    cam: Any,
    intrinsic: Any,
    centres: Any,
    rots: Any,
    halves: Any,
    owners: Any,
    heights: Any,
    ground: Any,
    far: float,
    depth: Any,
    hit: Any,
    face: Any,
    covered: Any,
) -> None:
    """What every pixel of a pinhole camera sees.

    Args:
        o: (3,) camera centre.
        cam: (3, 3) camera to global rotation; columns right, down, forward.
        intrinsic: (4,) fx, fy, cx, cy in pixels; pixel (r, c) looks through (c + 0.5, r + 0.5).
        centres: (M, 3) cuboids; those of one object stand together.
        rots: (M, 3, 3) cuboid to global.
        halves: (M, 3) half sizes.
        owners: (M,) object of each cuboid.
        heights: Relief.
        ground: (4,) origin x, origin y, cell, bound of the slope.
        far: Depth at which the sky starts.
        depth: Out (H, W): depth along the optical axis.
        hit: Out (H, W): cuboid, HIT_GROUND or HIT_NOTHING.
        face: Out (H, W): face of the cuboid.
        covered: In and out (N,): pixels each object would have if nothing stood before it, added up.
    """
    h, w = depth.shape
    fx, fy, cx, cy = intrinsic[0], intrinsic[1], intrinsic[2], intrinsic[3]
    last = np.full((h, w), -1, np.int32)
    depth[:] = far
    hit[:] = HIT_NOTHING
    for m in range(centres.shape[0]):
        r0, r1, c0, c1 = _pixel_window(centres[m], rots[m], halves[m], o, cam, fx, fy, cx, cy, h, w)
        for r in range(r0, r1):
            b = (r + 0.5 - cy) / fy
            for c in range(c0, c1):
                a = (c + 0.5 - cx) / fx
                dx = cam[0, 0] * a + cam[0, 1] * b + cam[0, 2]
                dy = cam[1, 0] * a + cam[1, 1] * b + cam[1, 2]
                dz = cam[2, 0] * a + cam[2, 1] * b + cam[2, 2]
                t, side = box_hit(centres[m], rots[m], halves[m], o, dx, dy, dz)
                if t > 1e6:
                    continue
                if last[r, c] != owners[m]:
                    last[r, c] = owners[m]
                    covered[owners[m]] += 1
                if t < depth[r, c]:
                    depth[r, c], hit[r, c], face[r, c] = t, m, side
    for r in range(h):
        b = (r + 0.5 - cy) / fy
        for c in range(w):
            a = (c + 0.5 - cx) / fx
            dx = cam[0, 0] * a + cam[0, 1] * b + cam[0, 2]
            dy = cam[1, 0] * a + cam[1, 1] * b + cam[1, 2]
            dz = cam[2, 0] * a + cam[2, 1] * b + cam[2, 2]
            t = ground_hit(heights, ground[0], ground[1], ground[2], ground[3], o, dx, dy, dz, depth[r, c])
            if t < depth[r, c]:
                depth[r, c], hit[r, c] = t, HIT_GROUND


@jit
def cast_lidar(
    o: Any,
    rot: Any,
    azimuths: Any,
    elevations: Any,
    centres: Any,
    rots: Any,
    halves: Any,
    heights: Any,
    ground: Any,
    far: float,
    ranges: Any,
    hit: Any,
    face: Any,
) -> None:
    """What every beam of a spinning LiDAR meets at one instant.

    Args:
        o: (3,) LiDAR centre.
        rot: (3, 3) LiDAR to global.
        azimuths: (A,) atan2(y, x) of the firings in the LiDAR frame, evenly falling from pi.
        elevations: (B,) rising, evenly spaced.
        centres: (M, 3) cuboids, with ``rots`` (M, 3, 3) and ``halves`` (M, 3).
        heights: Relief, with ``ground`` as for the camera.
        far: Longest range.
        ranges: Out (A, B): metres.
        hit: Out (A, B): as for the camera.
        face: Out (A, B): face of the cuboid.
    """
    n_az, n_el = azimuths.shape[0], elevations.shape[0]
    step = 2.0 * math.pi / n_az
    el_step = (elevations[n_el - 1] - elevations[0]) / max(n_el - 1, 1)
    dirs = np.empty((n_az, n_el, 3))
    ranges[:] = far
    hit[:] = HIT_NOTHING
    for i in range(n_az):
        for j in range(n_el):
            x = math.cos(azimuths[i]) * math.cos(elevations[j])
            y = math.sin(azimuths[i]) * math.cos(elevations[j])
            z = math.sin(elevations[j])
            for k in range(3):
                dirs[i, j, k] = rot[k, 0] * x + rot[k, 1] * y + rot[k, 2] * z
    for m in range(centres.shape[0]):
        gx, gy, gz = centres[m, 0] - o[0], centres[m, 1] - o[1], centres[m, 2] - o[2]
        x = rot[0, 0] * gx + rot[1, 0] * gy + rot[2, 0] * gz
        y = rot[0, 1] * gx + rot[1, 1] * gy + rot[2, 1] * gz
        z = rot[0, 2] * gx + rot[1, 2] * gy + rot[2, 2] * gz
        radius = math.sqrt(halves[m, 0] ** 2 + halves[m, 1] ** 2 + halves[m, 2] ** 2)
        flat, dist = math.sqrt(x * x + y * y), math.sqrt(x * x + y * y + z * z)
        if dist - radius > far:
            continue
        first, count = 0, n_az
        if flat > radius:
            spread = math.asin(radius / flat)
            first = int(math.floor((math.pi - math.atan2(y, x) - spread) / step))
            count = min(n_az, int(math.ceil(2.0 * spread / step)) + 2)
        j0, j1 = 0, n_el
        if dist > radius:
            spread, middle = math.asin(radius / dist), math.atan2(z, flat)
            j0 = max(0, int(math.floor((middle - spread - elevations[0]) / el_step)))
            j1 = min(n_el, int(math.ceil((middle + spread - elevations[0]) / el_step)) + 1)
        for n in range(count):
            i = (first + n) % n_az
            for j in range(j0, j1):
                t, side = box_hit(centres[m], rots[m], halves[m], o, dirs[i, j, 0], dirs[i, j, 1], dirs[i, j, 2])
                if t < ranges[i, j]:
                    ranges[i, j], hit[i, j], face[i, j] = t, m, side
    for i in range(n_az):
        for j in range(n_el):
            dx, dy, dz = dirs[i, j, 0], dirs[i, j, 1], dirs[i, j, 2]
            t = ground_hit(heights, ground[0], ground[1], ground[2], ground[3], o, dx, dy, dz, ranges[i, j])
            if t < ranges[i, j]:
                ranges[i, j], hit[i, j] = t, HIT_GROUND


@jit
def paint_ground(
    paint: Any, origin: Any, cell: float, path: Any, half_width: float, verge: Any, asphalt: float
) -> None:
    """Paint a road with lane marks and pavements along a path; ``paint`` is (rows, cols, 3), filled in place."""
    rows, cols = paint.shape[:2]
    for i in range(rows):
        for j in range(cols):
            x, y = origin[0] + (j + 0.5) * cell, origin[1] + (i + 0.5) * cell
            best, at = math.inf, 0
            for p in range(path.shape[0]):
                d = (path[p, 0] - x) ** 2 + (path[p, 1] - y) ** 2
                if d < best:
                    best, at = d, p
            q = min(at + 1, path.shape[0] - 1)
            tx, ty = path[q, 0] - path[max(q - 1, 0), 0], path[q, 1] - path[max(q - 1, 0), 1]
            norm = math.sqrt(tx * tx + ty * ty) + 1e-9
            d = abs((x - path[at, 0]) * ty - (y - path[at, 1]) * tx) / norm
            along = ((x - path[at, 0]) * tx + (y - path[at, 1]) * ty) / norm + at * norm
            d = max(d, math.sqrt(best) - norm)
            for k in range(3):
                value = asphalt
                if d > half_width + 2.5:
                    value = verge[k]
                elif d > half_width:
                    value = 0.58
                elif d > half_width - 0.5 or (abs(d - 2.0) < 0.3 and along % 6.0 < 3.0):
                    value = 0.85
                paint[i, j, k] = value
