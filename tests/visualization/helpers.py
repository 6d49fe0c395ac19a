"""Small made-up samples that the tests of pictures share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from mmdet3d.structures import LiDARInstance3DBoxes

from bevdistill.structures import BEVGrid
from bevdistill.visualization import BoxSet

CLASSES = ('car', 'pedestrian')
GRID = BEVGrid((-20.0, -10.0, -5.0, 20.0, 10.0, 3.0), rows=10, cols=40)
"""Cells of 1 m along x and 2 m along y, so that swapped axes cannot pass."""


def box_set(
    rows: Sequence[Sequence[float]], labels: Sequence[int] | None = None, scores: Sequence[float] | None = None
) -> BoxSet:
    """Boxes of rows ``x, y, z(bottom), dx, dy, dz, yaw``."""
    tensor = torch.tensor(rows, dtype=torch.float32).reshape(-1, 7)
    tensor = torch.cat((tensor, torch.zeros(len(tensor), 2)), dim=1)
    labels = [0] * len(tensor) if labels is None else labels
    return BoxSet(
        LiDARInstance3DBoxes(tensor, box_dim=9),
        np.asarray(labels, dtype=np.int64),
        None if scores is None else np.asarray(scores, dtype=float),
    )


def front_camera(focal: float = 100.0, cx: float = 88.0, cy: float = 32.0) -> np.ndarray:
    """Camera at the LiDAR's origin that looks along +y with x to the right and z up."""
    lidar2cam = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    cam2img = np.array([[focal, 0, cx, 0], [0, focal, cy, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    return cam2img @ lidar2cam


def pixels_of(figure: Figure) -> np.ndarray:
    """The drawn figure, (height, width, 3) uint8."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
