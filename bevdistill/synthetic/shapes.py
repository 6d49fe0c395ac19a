"""Model objects as a few coloured cuboids that show class and heading.

A part is ``(offset, half, colour gain, material)`` in units of the object's box: its axes run from -1 to 1 along
length, width and height, and every part stays inside the box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import shading

Array = npt.NDArray[np.float64]
_Part = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float], int]

_SAME = (1.0, 1.0, 1.0)
_DARK = (0.4, 0.4, 0.4)
_PALE = (1.15, 1.15, 1.15)

_PARTS: dict[str, tuple[_Part, ...]] = {
    'car': (
        ((0, 0, -0.35), (1, 1, 0.65), _SAME, shading.BODY),
        ((-0.15, 0, 0.6), (0.55, 0.88, 0.4), _SAME, shading.CABIN),
    ),
    'truck': (
        ((-0.28, 0, 0), (0.72, 1, 1), _PALE, shading.BODY),
        ((0.74, 0, -0.2), (0.26, 0.94, 0.8), _SAME, shading.CABIN),
    ),
    'trailer': (
        ((-0.06, 0, 0.12), (0.94, 1, 0.88), _SAME, shading.PLAIN),
        ((-0.6, 0, -0.85), (0.3, 0.9, 0.15), _DARK, shading.PLAIN),
        ((0.94, 0, -0.7), (0.06, 0.3, 0.12), _DARK, shading.PLAIN),
    ),
    'bus': (
        ((0, 0, -0.4), (1, 1, 0.6), _SAME, shading.BODY),
        ((0, 0, 0.6), (0.99, 0.98, 0.4), _SAME, shading.CABIN),
    ),
    'construction_vehicle': (
        ((-0.35, 0, -0.45), (0.65, 1, 0.55), _SAME, shading.BODY),
        ((-0.4, 0.3, 0.45), (0.35, 0.6, 0.4), _SAME, shading.CABIN),
        ((0.55, -0.4, 0.3), (0.45, 0.2, 0.25), _SAME, shading.PLAIN),
        ((0.88, -0.4, -0.45), (0.12, 0.5, 0.5), _DARK, shading.PLAIN),
    ),
    'cycle': (
        ((0, 0, -0.3), (1, 0.3, 0.7), _SAME, shading.CYCLE),
        ((0.5, 0, 0.6), (0.1, 1, 0.15), _DARK, shading.PLAIN),
    ),
    'ridden cycle': (
        ((0, 0, -0.5), (1, 0.3, 0.5), _SAME, shading.CYCLE),
        ((0.4, 0, 0.0), (0.1, 1, 0.1), _DARK, shading.PLAIN),
        ((-0.15, 0, 0.35), (0.28, 0.75, 0.45), _SAME, shading.PLAIN),
        ((-0.1, 0, 0.9), (0.15, 0.3, 0.1), (1.4, 1.2, 1.0), shading.PLAIN),
    ),
    'pedestrian': (
        ((0, 0, -0.15), (0.5, 0.85, 0.85), _SAME, shading.PERSON),
        ((0.05, 0, 0.85), (0.4, 0.4, 0.15), (1.5, 1.1, 1.2), shading.PLAIN),
        ((0.6, 0, -0.9), (0.4, 0.6, 0.1), _DARK, shading.PLAIN),
    ),
    'traffic_cone': (
        ((0, 0, -0.94), (1, 1, 0.06), _DARK, shading.PLAIN),
        ((0, 0, -0.4), (0.65, 0.65, 0.5), _SAME, shading.PLAIN),
        ((0, 0, 0.5), (0.35, 0.35, 0.5), _SAME, shading.CONE),
    ),
    'barrier': (
        ((0, 0, 0.1), (1, 0.5, 0.9), _SAME, shading.BARRIER),
        ((0, 0, -0.92), (0.95, 1, 0.08), _DARK, shading.PLAIN),
    ),
    'building': (((0, 0, 0), (1, 1, 1), _SAME, shading.FACADE),),
    'tree': (
        ((0, 0, -0.4), (0.12, 0.12, 0.6), (0.9, 0.55, 0.4), shading.PLAIN),
        ((0, 0, 0.45), (1, 1, 0.55), _SAME, shading.FOLIAGE),
    ),
    'pole': (((0, 0, 0), (1, 1, 1), _SAME, shading.PLAIN),),
    'crate': (((0, 0, 0), (1, 1, 1), _SAME, shading.PLAIN),),
}
# How well a material returns LiDAR light, 0 to 1.
_REFLECTANCE = {
    shading.PLAIN: 0.12,
    shading.BODY: 0.16,
    shading.CABIN: 0.05,
    shading.FACADE: 0.14,
    shading.FOLIAGE: 0.08,
    shading.PERSON: 0.10,
    shading.CONE: 0.60,
    shading.BARRIER: 0.35,
    shading.CYCLE: 0.07,
}


@dataclass(frozen=True)
class Parts:
    """Cuboids of N objects, those of one object together.

    Attributes:
        owners: (M,) int64 index of the object.
        offsets: (M, 3) centre in the object's axes, metres.
        halves: (M, 3) half sizes, metres.
        colours: (M, 3) RGB.
        kinds: (M,) int64 materials.
        reflectance: (M,) share of LiDAR light that comes back.
    """

    owners: npt.NDArray[np.int64]
    offsets: Array
    halves: Array
    colours: Array
    kinds: npt.NDArray[np.int64]
    reflectance: Array


def build_parts(shapes: list[str], sizes: Array, colours: Array) -> Parts:
    """Build the cuboids of objects.

    Args:
        shapes: N names of shapes.
        sizes: (N, 3) width, length, height in metres.
        colours: (N, 3) RGB in [0, 1].
    """
    rows = [(owner, *part) for owner, shape in enumerate(shapes) for part in _PARTS[shape]]
    owners = np.array([row[0] for row in rows], np.int64)
    half_boxes = sizes[:, [1, 0, 2]] / 2
    kinds = np.array([row[4] for row in rows], np.int64)
    return Parts(
        owners=owners,
        offsets=np.array([row[1] for row in rows], float) * half_boxes[owners],
        halves=np.array([row[2] for row in rows], float) * half_boxes[owners],
        colours=np.clip(np.array([row[3] for row in rows]) * colours[owners], 0.02, 1.0),
        kinds=kinds,
        reflectance=np.array([_REFLECTANCE[int(kind)] for kind in kinds]),
    )
