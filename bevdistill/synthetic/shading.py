"""Compiled shading: the colour of what a camera ray met. Shapes as in ``kernels``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .jit import jit
from .kernels import HIT_GROUND, HIT_NOTHING

# Materials of cuboids. The pattern of a material is drawn in the cuboid's own axes: x forward, z up.
PLAIN, BODY, CABIN, FACADE, FOLIAGE, PERSON, CONE, BARRIER, CYCLE = range(9)


@jit
def _noise(i: int, j: int, k: int) -> float:
    """Hash of three integers in [0, 1)."""
    n = i * 374761393 + j * 668265263 + k * 974634533
    n = (n ^ (n >> 13)) * 1274126177
    n = n ^ (n >> 16)
    return (n & 0xFFFFFF) / 16777216.0


@jit
def _pattern(kind: int, side: int, x: float, y: float, z: float, rgb: Any) -> None:
    """Paint a material's pattern over ``rgb`` in place; x, y, z in [-1, 1] across the cuboid."""
    gain = 1.0
    if kind == BODY:
        if side != 5 and z < -0.55:
            gain = 0.25
        elif side == 3 and abs(y) > 0.55 and z < 0.2:
            rgb[0], rgb[1], rgb[2] = 0.95, 0.95, 0.80
        elif side == 0 and abs(y) > 0.55 and z < 0.3:
            rgb[0], rgb[1], rgb[2] = 0.70, 0.03, 0.03
    elif kind == CABIN:
        if side != 5 and z > -0.3 and z < 0.75:
            rgb[0], rgb[1], rgb[2] = 0.10, 0.13, 0.17
    elif kind == FACADE:
        if side != 5 and (x * 4.0 + y * 4.0) % 1.0 > 0.5 and (z * 4.0) % 1.0 > 0.45:
            gain = 0.5
    elif kind == PERSON:
        if z < -0.15:
            gain = 0.45
    elif kind == CONE:
        if z > 0.0 and z < 0.45:
            rgb[0], rgb[1], rgb[2] = 0.95, 0.95, 0.95
    elif kind == BARRIER:
        if z > -0.1 and z < 0.55 and (x * 3.0) % 1.0 > 0.5:
            rgb[0], rgb[1], rgb[2] = 0.85, 0.12, 0.12
    elif kind == CYCLE:
        if z < -0.2 and abs(x) > 0.25:
            gain = 0.3
    for c in range(3):
        rgb[c] *= gain


@jit
def _ground_colour(paint: Any, ox: float, oy: float, cell: float, x: float, y: float, depth: float, rgb: Any) -> None:
    rows, cols = paint.shape[:2]
    i = min(max(int((y - oy) / cell), 0), rows - 1)
    j = min(max(int((x - ox) / cell), 0), cols - 1)
    coarse = _noise(int(math.floor(x * 0.15)), int(math.floor(y * 0.15)), 1) - 0.5
    middle = _noise(int(math.floor(x * 0.7)), int(math.floor(y * 0.7)), 2) - 0.5
    fine = _noise(int(math.floor(x * 4.0)), int(math.floor(y * 4.0)), 3) - 0.5
    gain = 1.0 + 0.16 * coarse + 0.16 * middle + 0.22 * fine * max(0.0, 1.0 - depth / 25.0)
    for c in range(3):
        rgb[c] = paint[i, j, c] * gain


@jit
def _in_shadow(x: float, y: float, z: float, sun: Any, centres: Any, rots: Any, halves: Any) -> bool:
    """Whether a cuboid stands between a ground point and the sun."""
    point = np.array((x, y, z + 0.05))
    inverse = 1.0 / math.sqrt(sun[0] * sun[0] + sun[1] * sun[1] + 1e-9)
    sx, sy = sun[0] * inverse, sun[1] * inverse
    for m in range(centres.shape[0]):
        gx, gy = centres[m, 0] - x, centres[m, 1] - y
        across = gx * sy - gy * sx
        reach = halves[m, 0] + halves[m, 1] + halves[m, 2]
        if abs(across) > reach or gx * sx + gy * sy < -reach or gx * gx + gy * gy > 1600.0:
            continue
        p = 0
        t_in, t_out = 0.0, math.inf
        for axis in range(3):
            o = (
                (point[0] - centres[m, 0]) * rots[m, 0, axis]
                + (point[1] - centres[m, 1]) * rots[m, 1, axis]
                + (point[2] - centres[m, 2]) * rots[m, 2, axis]
            )
            d = sun[0] * rots[m, 0, axis] + sun[1] * rots[m, 1, axis] + sun[2] * rots[m, 2, axis]
            if abs(d) < 1e-9:
                p += abs(o) > halves[m, axis]
                continue
            a, b = (-halves[m, axis] - o) / d, (halves[m, axis] - o) / d
            t_in, t_out = max(t_in, min(a, b)), min(t_out, max(a, b))
        if p == 0 and t_in < t_out:
            return True
    return False


@jit
def shade_camera(
    o: Any,
    cam: Any,
    intrinsic: Any,
    depth: Any,
    hit: Any,
    face: Any,
    centres: Any,
    rots: Any,
    halves: Any,
    colours: Any,
    kinds: Any,
    paint: Any,
    ground: Any,
    light: Any,
    image: Any,
) -> None:
    """Colour every pixel that ``cast_camera`` has resolved.

    A surface is lit by ``albedo * (ambient + sun * max(0, n . s))`` and mixed with the horizon's colour by
    ``1 - exp(-fog * distance)``. Ground points behind a cuboid, seen from the sun, get no direct light.

    Args:
        o: (3,) camera centre; ``cam``, ``intrinsic``, ``depth``, ``hit``, ``face``, ``centres``, ``rots``,
            ``halves`` as in ``cast_camera``.
        colours: (M, 3) RGB in [0, 1].
        kinds: (M,) materials.
        paint: (rows, cols, 3) painted ground.
        ground: (4,) origin x, origin y, side of a painted cell, whether shadows are drawn.
        light: (12,) sun direction, sun, ambient, fog, zenith RGB, horizon RGB.
        image: Out (H, W, 3): RGB in [0, 1], without noise.
    """
    h, w = depth.shape
    rgb = np.empty(3)
    sun = light[:3]
    for r in range(h):
        b = (r + 0.5 - intrinsic[3]) / intrinsic[1]
        for c in range(w):
            a = (c + 0.5 - intrinsic[2]) / intrinsic[0]
            dx = cam[0, 0] * a + cam[0, 1] * b + cam[0, 2]
            dy = cam[1, 0] * a + cam[1, 1] * b + cam[1, 2]
            dz = cam[2, 0] * a + cam[2, 1] * b + cam[2, 2]
            norm = math.sqrt(dx * dx + dy * dy + dz * dz)
            t, m = depth[r, c], hit[r, c]
            if m == HIT_NOTHING:
                high = min(1.0, max(0.0, dz / norm * 3.0))
                for k in range(3):
                    image[r, c, k] = light[6 + k] * high + light[9 + k] * (1.0 - high)
                continue
            gx, gy, gz = o[0] + t * dx, o[1] + t * dy, o[2] + t * dz
            if m == HIT_GROUND:
                _ground_colour(paint, ground[0], ground[1], ground[2], gx, gy, t, rgb)
                lit = sun[2]
                if ground[3] > 0.0 and t < 45.0 and _in_shadow(gx, gy, gz, sun, centres, rots, halves):
                    lit = 0.0
            else:
                rot, half = rots[m], halves[m]
                px, py, pz = gx - centres[m, 0], gy - centres[m, 1], gz - centres[m, 2]
                x = px * rot[0, 0] + py * rot[1, 0] + pz * rot[2, 0]
                y = px * rot[0, 1] + py * rot[1, 1] + pz * rot[2, 1]
                z = px * rot[0, 2] + py * rot[1, 2] + pz * rot[2, 2]
                grain = 9.0 if kinds[m] == FOLIAGE else 5.0
                n = _noise(int(math.floor(x * grain)), int(math.floor(y * grain)), int(math.floor(z * grain)) + 97 * m)
                spread = 0.7 if kinds[m] == FOLIAGE else 0.14
                for k in range(3):
                    rgb[k] = colours[m, k] * (1.0 + spread * (n - 0.5))
                side = face[r, c]
                _pattern(kinds[m], side, x / half[0], y / half[1], z / half[2], rgb)
                axis, sign = side % 3, 1.0 if side > 2 else -1.0
                lit = max(0.0, sign * (rot[0, axis] * sun[0] + rot[1, axis] * sun[1] + rot[2, axis] * sun[2]))
            haze = 1.0 - math.exp(-light[5] * t * norm)
            for k in range(3):
                value = rgb[k] * (light[4] + light[3] * lit)
                image[r, c, k] = value * (1.0 - haze) + light[9 + k] * haze
