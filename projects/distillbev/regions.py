"""DistillBEV's two regions: how much each cell of the foreground and of the background counts."""

from __future__ import annotations

import torch
from torch import Tensor

from bevdistill.detection import hard_foreground
from bevdistill.structures import BEVGrid, Targets


def foreground_weights(targets: Targets, grid: BEVGrid) -> Tensor:
    """Weights of the cells inside of ground-truth boxes, smaller in larger boxes.

    ``sqrt(area of a cell / area of the box)``, so that an object counts as the square root of its area; where boxes
    overlap the smaller box decides.

    Args:
        targets: Ground truth; boxes without size are left out.
        grid: Grid of the map.

    Returns:
        (B, H, W), 0 outside of all boxes.
    """
    cell_x, cell_y = grid.cell_size
    area_N = torch.cat([boxes[:, 3] * boxes[:, 4] for boxes in targets.boxes])
    return hard_foreground(targets, grid, (cell_x * cell_y / area_N).sqrt())


def background_weights(foreground_BHW: Tensor) -> Tensor:
    """Equal weights of all other cells, of sum 1 in each sample (0 where there are none).

    Args:
        foreground_BHW: Positive inside of boxes, 0 elsewhere.

    Returns:
        (B, H, W).
    """
    outside_BHW = (foreground_BHW == 0).float()
    return outside_BHW / outside_BHW.sum(dim=(1, 2), keepdim=True).clamp(min=1)
