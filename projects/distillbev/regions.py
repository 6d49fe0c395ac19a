"""DistillBEV's two regions: how much each cell of the foreground and of the background counts."""

from __future__ import annotations

import torch
from torch import Tensor

from bevdistill.structures import BEVGrid, Targets


def region_weights(targets: Targets, grid: BEVGrid) -> tuple[Tensor, Tensor]:
    """Weights of the cells whose centre lies inside a ground-truth box, and of all others.

    With G cells outside of all boxes of a sample, a background cell counts 1 / G, and one inside of a box
    ``max(sqrt(area of a cell / area of the box), 1 / G)``, so that an object counts as the square root of its area.
    Where boxes overlap the first in the list decides. A box that holds no cell centre marks nothing.

    Args:
        targets: Ground truth; boxes without size are left out.
        grid: Grid of the map.

    Returns:
        Foreground and background, (B, H, W) each; every cell is 0 in one of them.
    """
    foreground_BHW = torch.stack([_foreground(boxes, grid) for boxes in targets.boxes])
    outside_BHW = foreground_BHW == 0
    share_B11 = 1 / outside_BHW.sum(dim=(1, 2), keepdim=True).clamp(min=1)
    background_BHW = outside_BHW * share_B11
    return torch.where(outside_BHW, 0.0, torch.maximum(foreground_BHW, share_B11)), background_BHW


def _foreground(boxes_N9: Tensor, grid: BEVGrid) -> Tensor:
    """``sqrt(area of a cell / area of a box)`` of the first box over each cell, 0 where there is none; (H, W)."""
    if len(boxes_N9) == 0:
        return boxes_N9.new_zeros(grid.rows, grid.cols)
    centre_N112, half_N112 = boxes_N9[:, None, None, :2], boxes_N9[:, None, None, 3:5] / 2
    x_NHW, y_NHW = (grid.cell_centres(boxes_N9.device) - centre_N112).unbind(-1)
    cos_N11, sin_N11 = boxes_N9[:, 6, None, None].cos(), boxes_N9[:, 6, None, None].sin()
    along_NHW, across_NHW = x_NHW * cos_N11 + y_NHW * sin_N11, y_NHW * cos_N11 - x_NHW * sin_N11
    inside_NHW = (along_NHW.abs() < half_N112[..., 0]) & (across_NHW.abs() < half_N112[..., 1])
    cell_x, cell_y = grid.cell_size
    scale_N = (cell_x * cell_y / (boxes_N9[:, 3] * boxes_N9[:, 4])).sqrt()
    # argmax gives the first of several.
    return torch.where(inside_NHW.any(dim=0), scale_N[inside_NHW.int().argmax(dim=0)], 0.0)
