"""Convert boxes to corners, and corners to outlines, wireframes and heading marks; needs numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_EDGES = ((4, 5), (5, 6), (6, 7), (7, 4), (0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (1, 5), (2, 6), (3, 7))
"""Pairs of corners in mmdet3d's order; corners 4 to 7 form the front face, 0, 3, 4, 7 the floor."""
_FOOTPRINT = (0, 3, 7, 4)
_FRONT_FLOOR = (4, 7)
EDGES_PER_BOX = len(_EDGES) + 1


def box_corners(centres: Array, sizes: Array, yaws: Array) -> Array:
    """Compute corners in mmdet3d's order, (n, 8, 3).

    Args:
        centres: Of the whole boxes, (n, 3) metres.
        sizes: Along the heading, across, up, (n, 3) metres.
        yaws: Radians from +x, counter-clockwise, (n,).
    """
    # x behind, then ahead; of each the floor, two corners above, the floor.
    signs = np.array([[x, *yz] for x in (-1, 1) for yz in ((-1, -1), (-1, 1), (1, 1), (1, -1))]) / 2
    x, y, z = np.moveaxis(signs * sizes[:, None], -1, 0)
    cos, sin = np.cos(yaws)[:, None], np.sin(yaws)[:, None]
    corners: Array = np.stack((cos * x - sin * y, sin * x + cos * y, z), axis=-1) + centres[:, None]
    return corners


def footprints(corners: Array) -> Array:
    """Compute ground outlines, (n, 4, 2) metres: rear right, rear left, front left, front right (or rotated)."""
    return corners[:, _FOOTPRINT, :2]


def heading_marks(corners: Array) -> Array:
    """Compute the segment from the centre of each floor to the middle of its front edge, (n, 2, 3) metres."""
    centre = corners[:, _FOOTPRINT].mean(axis=1)
    front = corners[:, _FRONT_FLOOR].mean(axis=1)
    return np.stack((centre, front), axis=1)


def wireframes(corners: Array) -> Array:
    """Compute twelve edges and the heading mark of each box, (n, 13, 2, 3) metres."""
    edges = corners[:, np.asarray(_EDGES).reshape(-1)].reshape(len(corners), len(_EDGES), 2, 3)
    return np.concatenate((edges, heading_marks(corners)[:, None]), axis=1)
