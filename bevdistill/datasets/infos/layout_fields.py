"""Find fields of the neutral layout that would be passed over: misspelt ones, and distortion; and cameras that lie."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

NAMES = (
    'token', 'scene', 'timestamp', 'ego2global', 'cameras', 'lidar', 'boxes', 'image', 'intrinsics', 'sensor2ego',
    'points', 'num_features', 'category', 'centre', 'size', 'yaw', 'velocity', 'track', 'num_points',
)  # fmt: skip
"""All fields of all objects of the layout."""
ALIKE = 0.75
OTHER_LENSES = ('dist_coeffs', 'dist', 'd', 'k1', 'k2', 'k3', 'p1', 'p2', 'xi', 'camera_model', 'model', 'fisheye')
WITHOUT = ('', 'none', 'pinhole', 'perspective', 'plumb_bob')
"""Models of a camera that are right where its coefficients are 0."""
DOWN = -0.5
"""Largest upward part of an axis that points to the ground, give or take 60 degrees."""


def check_names(values: Mapping[str, Any], where: str) -> None:
    """Refuse a field that is nearly one of the layout, or says that an image is distorted; others are not read.

    Raises:
        ValueError: If there is one.
    """
    for name, value in values.items():
        if name in NAMES:
            continue
        lens = 'intrinsics' in values and (name.lower() in OTHER_LENSES or 'distort' in name.lower())
        if lens and _bends(value):
            raise ValueError(
                f"{where}: '{name}' is not read: undistort the images, and give the intrinsics of the result"
            )
        near = difflib.get_close_matches(name.lower(), NAMES, n=1, cutoff=ALIKE)
        if near and not lens and near[0] not in values:
            raise ValueError(f"{where}: '{name}' is no field of the layout; did you mean '{near[0]}'?")


def check_upright(camera2ego: Mapping[str, Any], where: str) -> None:
    """Look whether the lower edge of any image points to the ground.

    Args:
        camera2ego: Pose (4, 4) of each camera, from its frame (x right, y down, z ahead) to the ego frame (z up).
        where: For errors.

    Raises:
        ValueError: If that of no camera does: poses are inverted, transposed or of other axes.
    """
    up = {name: float(np.asarray(pose)[2, 1]) for name, pose in camera2ego.items()}
    if up and min(up.values()) > DOWN:
        raise ValueError(
            f"{where}: expected 'sensor2ego' from a camera (x right, y down, z ahead) to the car (x ahead, y left, z "
            f'up), found no camera of {", ".join(up)} whose y axis points to the ground; is it the inverse, or are the '
            'axes others?'
        )


def _bends(value: Any) -> bool:
    """Whether a description of a lens is of one that distorts."""
    if isinstance(value, str):
        return value.lower() not in WITHOUT
    if isinstance(value, Mapping):
        return any(map(_bends, value.values()))
    if isinstance(value, list):
        return any(map(_bends, value))
    return bool(value)
