"""Shade what a camera ray hits (compiled). Shapes as in ``rays``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .jit import jit
from .rays import HIT_GROUND, HIT_NOTHING, box_hit, pixel_ray

# Materials of cuboids. The pattern of a material is drawn in the cuboid's own axes: x forward, z up.
PLAIN, BODY, CABIN, FACADE, FOLIAGE, PERSON, CONE, BARRIER, CYCLE = range(9)
_FRONT, _BACK, _TOP = 3, 0, 5
_SHADOW_REACH = 45.0


@jit
def _noise(x: float, y: float, z: int) -> float:
    """Hash the unit cell of x, y in layer z to [0, 1)."""
    n = math.floor(x) * 374761393 + math.floor(y) * 668265263 + z * 974634533
    n = (n ^ (n >> 13)) * 1274126177
    n = n ^ (n >> 16)
    return (n & 0xFFFFFF) / 16777216.0


@jit
def _set(rgb: Any, r: float, g: float, b: float) -> None:
    rgb[0], rgb[1], rgb[2] = r, g, b


@jit
def _pattern(kind: int, side: int, x: float, y: float, z: float, rgb: Any) -> None:
    """Paint a material's pattern over ``rgb`` in place; x, y, z in [-1, 1] across the cuboid."""
    gain = 1.0
    if kind == BODY:
        if side != _TOP and z < -0.55:
            gain = 0.25
        elif side == _FRONT and abs(y) > 0.55 and z < 0.2:
            _set(rgb, 0.95, 0.95, 0.80)
        elif side == _BACK and abs(y) > 0.55 and z < 0.3:
            _set(rgb, 0.70, 0.03, 0.03)
    elif kind == CABIN and side != _TOP and z > -0.3 and z < 0.75:
        _set(rgb, 0.10, 0.13, 0.17)
    elif kind == FACADE and side != _TOP and (x * 4.0 + y * 4.0) % 1.0 > 0.5 and (z * 4.0) % 1.0 > 0.45:
        gain = 0.5
    elif kind == PERSON and z < -0.15:
        gain = 0.45
    elif kind == CONE and z > 0.0 and z < 0.45:
        _set(rgb, 0.95, 0.95, 0.95)
    elif kind == BARRIER and z > -0.1 and z < 0.55 and (x * 3.0) % 1.0 > 0.5:
        _set(rgb, 0.85, 0.12, 0.12)
    elif kind == CYCLE and z < -0.2 and abs(x) > 0.25:
        gain = 0.3
    for k in range(3):
        rgb[k] *= gain


@jit
def _ground_colour(paint: Any, ground: Any, x: float, y: float, depth: float, rgb: Any) -> None:
    """Compute the ground's painted colour with grain; the finest grain fades with depth, below pixel size."""
    i = min(max(int((y - ground[1]) / ground[2]), 0), paint.shape[0] - 1)
    j = min(max(int((x - ground[0]) / ground[2]), 0), paint.shape[1] - 1)
    coarse, middle, fine = _noise(x * 0.15, y * 0.15, 1), _noise(x * 0.7, y * 0.7, 2), _noise(x * 4.0, y * 4.0, 3)
    gain = 0.84 + 0.16 * coarse + 0.16 * middle + 0.22 * (fine - 0.5) * max(0.0, 1.0 - depth / 25.0)
    for k in range(3):
        rgb[k] = paint[i, j, k] * gain


@jit
def _in_shadow(point: Any, sun: Any, centres: Any, rots: Any, halves: Any) -> bool:
    """Return whether a cuboid blocks the sun from a point."""
    flat = 1.0 / math.sqrt(sun[0] * sun[0] + sun[1] * sun[1] + 1e-9)
    sx, sy = sun[0] * flat, sun[1] * flat
    for m in range(centres.shape[0]):
        gx, gy = centres[m, 0] - point[0], centres[m, 1] - point[1]
        size = halves[m, 0] + halves[m, 1] + halves[m, 2]
        ahead = gx * sx + gy * sy
        if abs(gx * sy - gy * sx) > size or ahead < -size or ahead > _SHADOW_REACH:
            continue
        t, _ = box_hit(centres[m], rots[m], halves[m], point, (sun[0], sun[1], sun[2]))
        if t < math.inf:
            return True
    return False


@jit
def _cuboid_colour(point: Any, centre: Any, rot: Any, half: Any, kind: int, side: int, m: int, rgb: Any) -> None:
    """Apply grain and pattern of a cuboid's material to ``rgb`` in place."""
    x, y, z = 0.0, 0.0, 0.0
    for k in range(3):
        p = point[k] - centre[k]
        x, y, z = x + p * rot[k, 0], y + p * rot[k, 1], z + p * rot[k, 2]
    grain, spread = (9.0, 0.7) if kind == FOLIAGE else (5.0, 0.14)
    noise = _noise(x * grain, y * grain, math.floor(z * grain) + 97 * m)
    for k in range(3):
        rgb[k] *= 1.0 + spread * (noise - 0.5)
    _pattern(kind, side, x / half[0], y / half[1], z / half[2], rgb)


@jit
def shade(
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
    """Colour every pixel of a filled depth buffer.

    A surface is lit by ``albedo * (ambient + sun * max(0, n . s))`` and mixed with the horizon's colour by
    ``1 - exp(-fog * distance)``. Ground points behind a cuboid, seen from the sun, get no direct light.

    Args:
        o: (3,) camera centre.
        cam: (3, 3) camera to global.
        intrinsic: (4,) fx, fy, cx, cy.
        depth: (H, W) as ``camera_kernel`` fills it.
        hit: (H, W) likewise.
        face: (H, W) likewise.
        centres: (M, 3) cuboids.
        rots: (M, 3, 3) cuboid to global.
        halves: (M, 3) half sizes.
        colours: (M, 3) RGB in [0, 1].
        kinds: (M,) materials.
        paint: (rows, cols, 3) painted ground.
        ground: (4,) origin x, origin y, side of a painted cell, whether shadows are drawn.
        light: (12,) sun direction, sun, ambient, fog, zenith RGB, horizon RGB.
        image: Out (H, W, 3): RGB in [0, 1], without noise.
    """
    rgb, point, sun = np.empty(3), np.empty(3), light[:3]
    for r in range(depth.shape[0]):
        for c in range(depth.shape[1]):
            d = pixel_ray(cam, intrinsic, r, c)
            norm = math.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
            t, m = depth[r, c], hit[r, c]
            if m == HIT_NOTHING:
                high = min(1.0, max(0.0, d[2] / norm * 3.0))
                for k in range(3):
                    image[r, c, k] = light[6 + k] * high + light[9 + k] * (1.0 - high)
                continue
            for k in range(3):
                point[k] = o[k] + t * d[k]
            if m == HIT_GROUND:
                _ground_colour(paint, ground, point[0], point[1], t, rgb)
                # A little above the ground, or objects that stand on it would shade their own feet only in part.
                point[2] += 0.05
                shaded = ground[3] > 0.0 and t < _SHADOW_REACH and _in_shadow(point, sun, centres, rots, halves)
                lit = 0.0 if shaded else sun[2]
            else:
                for k in range(3):
                    rgb[k] = colours[m, k]
                side = face[r, c]
                _cuboid_colour(point, centres[m], rots[m], halves[m], kinds[m], side, m, rgb)
                axis, sign = side % 3, 1.0 if side > 2 else -1.0
                dot = rots[m, 0, axis] * sun[0] + rots[m, 1, axis] * sun[1] + rots[m, 2, axis] * sun[2]
                lit = max(0.0, sign * dot)
            haze = 1.0 - math.exp(-light[5] * t * norm)
            for k in range(3):
                image[r, c, k] = rgb[k] * (light[4] + light[3] * lit) * (1.0 - haze) + light[9 + k] * haze
