"""Project straight lines from the LiDAR frame to pixels, cut at the near plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEAR = 0.2
"""Depth in metres in front of a camera at which lines are cut; nothing nearer is drawn."""


def _to_homogeneous(points: Array, lidar2img: Array) -> Array:
    """Project points (..., 3) to (u d, v d, d) with depth d, (..., 3)."""
    return points @ lidar2img[:3, :3].T + lidar2img[:3, 3]


def project_points(points: Array, lidar2img: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Project points to pixels.

    Args:
        points: (n, 3) metres, LiDAR frame.
        lidar2img: (4, 4); rows 0 and 1 are divided by row 2.

    Returns:
        Pixels (x, y), (n, 2), NaN where the point is not in front of the camera, and a mask (n,) of those in front.
    """
    homogeneous = _to_homogeneous(np.asarray(points, dtype=np.float64), np.asarray(lidar2img, dtype=np.float64))
    in_front = homogeneous[..., 2] >= NEAR
    depth = np.where(in_front, homogeneous[..., 2], np.nan)
    return homogeneous[..., :2] / depth[..., None], in_front


def project_segments(segments: Array, lidar2img: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Project line segments to pixels; the part behind the near plane is cut off.

    A segment with one end behind the camera is cut where its depth is :data:`NEAR`: depth is linear along a segment
    in homogeneous pixels, so the cut is a linear interpolation. Dividing by a negative depth would mirror that end.

    Args:
        segments: (..., 2, 3) metres, LiDAR frame.
        lidar2img: (4, 4).

    Returns:
        Pixels (x, y) of both ends, (..., 2, 2), NaN where nothing is visible, and the mask (...) of what is.
    """
    ends = _to_homogeneous(np.asarray(segments, dtype=np.float64), np.asarray(lidar2img, dtype=np.float64))
    depth = ends[..., 2]
    visible: NDArray[np.bool_] = np.any(depth >= NEAR, axis=-1)
    first, second = ends[..., 0, :], ends[..., 1, :]
    span = depth[..., 1] - depth[..., 0]
    ratio = np.clip((NEAR - depth[..., 0]) / np.where(span == 0, 1.0, span), 0.0, 1.0)
    cut = first + ratio[..., None] * (second - first)
    first = np.where((depth[..., 0] < NEAR)[..., None], cut, first)
    second = np.where((depth[..., 1] < NEAR)[..., None], cut, second)
    clipped = np.stack((first, second), axis=-2)
    safe_depth = np.where(visible[..., None], np.maximum(clipped[..., 2], NEAR), np.nan)
    return clipped[..., :2] / safe_depth[..., None], visible


def inside_image(pixels: Array, width: int, height: int) -> NDArray[np.bool_]:
    """Test whether the bounding box of each segment (..., 2, 2) touches an image; NaN segments do not."""
    with np.errstate(invalid='ignore'):
        low, high = pixels.min(axis=-2), pixels.max(axis=-2)
        touches: NDArray[np.bool_] = (
            (high[..., 0] >= 0) & (low[..., 0] <= width) & (high[..., 1] >= 0) & (low[..., 1] <= height)
        )
    return touches
