"""Heatmap targets and foreground masks drawn object by object, as CenterPoint and BEVDistill's release do it.

Names and arguments are those of :mod:`bevdistill.detection.gaussian`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from mmdet3d.models.utils import draw_heatmap_gaussian, gaussian_radius
from torch import Tensor

from bevdistill.structures import BEVGrid, Targets


def heatmap_targets(
    targets: Targets,
    grid: BEVGrid,
    num_classes: int,
    min_overlap: float = 0.1,
    min_radius: int = 1,
    sigma: float | None = None,
) -> Tensor:
    """Class heatmaps, (B, K, H, W)."""
    maps = targets.boxes[0].new_zeros(len(targets), num_classes, grid.rows, grid.cols)
    for b in range(len(targets)):
        for box, label in zip(targets.boxes[b], targets.labels[b], strict=True):
            if 0 <= int(label) < num_classes:
                draw(maps[b, int(label)], box, grid, min_overlap, min_radius, sigma)
    return maps


def gaussian_foreground(
    targets: Targets, grid: BEVGrid, min_overlap: float = 0.1, min_radius: int = 1, sigma: float | None = None
) -> Tensor:
    """Soft masks, (B, H, W)."""
    masks = targets.boxes[0].new_zeros(len(targets), grid.rows, grid.cols)
    for b in range(len(targets)):
        for box in targets.boxes[b]:
            draw(masks[b], box, grid, min_overlap, min_radius, sigma)
    return masks


def draw(
    heatmap: Tensor, box: Tensor, grid: BEVGrid, min_overlap: float, min_radius: int, sigma: float | None
) -> None:
    """Draw one object on one map."""
    cell_x, cell_y = grid.cell_size
    columns, rows = box[3] / cell_x, box[4] / cell_y
    if not (box[:5].isfinite().all() and columns > 0 and rows > 0):
        return
    col = math.floor((box[0] - grid.point_cloud_range[0]) / cell_x)
    row = math.floor((box[1] - grid.point_cloud_range[1]) / cell_y)
    if not (0 <= col < grid.cols and 0 <= row < grid.rows):
        return
    if sigma is None:
        radius = max(min_radius, int(gaussian_radius((rows, columns), min_overlap)))
        draw_heatmap_gaussian(heatmap, torch.tensor([col, row]), radius)
        return
    y, x = torch.meshgrid(torch.arange(grid.rows) - row, torch.arange(grid.cols) - col, indexing='ij')
    bell = torch.exp(-(x.square() + y.square()) / (2 * sigma**2)).to(heatmap)
    torch.maximum(heatmap, bell, out=heatmap)


def hard_foreground(targets: Targets, grid: BEVGrid) -> Tensor:
    """Masks of the cells whose centres lie in boxes, and of the cells that hold the centres of boxes, (B, H, W)."""
    masks = targets.boxes[0].new_zeros(len(targets), grid.rows, grid.cols)
    centres = grid.cell_centres(masks.device, torch.float64)
    for b, box in boxes_of(targets):
        x, y, _, length, width, _, yaw = box[:7].double().tolist()
        if not all(map(math.isfinite, box[:7].tolist())) or length <= 0 or width <= 0:
            continue
        right, forward = centres[..., 0] - x, centres[..., 1] - y
        along = right * math.cos(yaw) + forward * math.sin(yaw)
        across = forward * math.cos(yaw) - right * math.sin(yaw)
        inside = (along.abs() <= length / 2) & (across.abs() <= width / 2)
        masks[b][inside] = 1
        col, row = grid.to_cells(box[:2]).floor().long().tolist()
        if 0 <= row < grid.rows and 0 <= col < grid.cols:
            masks[b, row, col] = 1
    return masks


def boxes_of(targets: Targets) -> Iterator[tuple[int, Tensor]]:
    """Sample and box of every object."""
    for b, boxes in enumerate(targets.boxes):
        for box in boxes:
            yield b, box
