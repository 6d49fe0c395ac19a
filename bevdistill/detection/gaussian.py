"""Draw ground-truth boxes on a BEV grid: class heatmaps, soft and hard foreground masks.

All boxes of a batch are drawn at once: every box gets a window of the largest reach in the batch, and the windows are
merged with one scattered maximum. Legend: N boxes of all samples, B samples, K classes, H x W cells, D window size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..structures import BEVGrid, Targets
from ..structures.constants import constant_like


def gaussian_radius(sizes_N2: Tensor, min_overlap: float = 0.1) -> Tensor:
    """Compute the largest shift of a box that keeps an overlap, CornerNet's rule (arXiv 1808.01244, section 3.3).

    With T the sum of the sides, A the area and m the overlap, element by element what
    ``mmdet3d.models.utils.gaussian_radius`` computes for one box::

        r = sqrt(m^2 T^2 + 4 m (1 - m) A) - m T

    That is its solution for a grown box with its denominator. It takes the smallest of three, and this one always is:
    since ``4 A <= T^2`` it is at most T / 4, while those for a shifted and a shrunk box are at least T / 2.

    Args:
        sizes_N2: Two side lengths in cells, (N, 2); their order does not matter.
        min_overlap: Overlap (IoU) that a shifted box must keep.

    Returns:
        Radius in cells, (N,), not rounded.
    """
    part_N, area_N = min_overlap * sizes_N2.sum(dim=-1), sizes_N2.prod(dim=-1)
    return (part_N.square() + 4 * min_overlap * (1 - min_overlap) * area_N).sqrt() - part_N


def heatmap_targets(
    targets: Targets,
    grid: BEVGrid,
    num_classes: int,
    min_overlap: float = 0.1,
    min_radius: int = 1,
    sigma: float | None = None,
) -> Tensor:
    """Draw the Gaussian centre heatmap of each class.

    A box at cell (r, c) draws ``exp(-((i - r)^2 + (j - c)^2) / (2 sigma^2))``; boxes of one class merge by maximum
    and the peak is exactly 1. By box size (BEVDistill's release): radius R = max(min_radius, floor of
    :func:`gaussian_radius`), sigma = (2R + 1) / 6, cut to a window of 2R + 1 cells. With a constant `sigma` (the
    paper, arXiv 2211.09386, section 3.2) there is no window; values below float32's resolution are 0.

    Args:
        targets: Boxes and labels. Boxes whose centre lies outside the grid, without size, or with a label outside
            ``0 .. num_classes - 1`` are not drawn.
        grid: Grid of the map. Sizes are measured along the box axes, dx in columns and dy in rows.
        num_classes: K.
        min_overlap: See :func:`gaussian_radius`.
        min_radius: Smallest radius in cells (the originals call it ``max_radius``).
        sigma: Constant standard deviation in cells, None for the rule by box size.

    Returns:
        (B, K, H, W), float32.

    Raises:
        ValueError: If `sigma` is not positive.
    """
    _, sample_N = _flatten(targets)
    label_N = torch.cat(list(targets.labels))
    known_N = (label_N >= 0) & (label_N < num_classes)
    plane_N = sample_N * num_classes + label_N.clamp(0, num_classes - 1)
    num_planes = len(targets) * num_classes
    maps = _draw(targets, plane_N, known_N, num_planes, grid, min_overlap, min_radius, sigma)
    return maps.view(len(targets), num_classes, grid.rows, grid.cols)


def gaussian_foreground(
    targets: Targets,
    grid: BEVGrid,
    min_overlap: float = 0.1,
    min_radius: int = 1,
    sigma: float | None = None,
    released_sides: bool = False,
) -> Tensor:
    """Draw the soft foreground mask of all classes; see :func:`heatmap_targets` for the rule and other arguments.

    Args:
        targets: Boxes.
        grid: Grid of the mask.
        min_overlap: See :func:`gaussian_radius`.
        min_radius: Smallest radius in cells.
        sigma: Constant standard deviation in cells, None for the rule by box size.
        released_sides: Count dy in columns and dx in rows, as the release does.

    Returns:
        (B, H, W), float32 in [0, 1].

    Note:
        The release divides the width (dy) by the cell's x and the length (dx) by its y: the same for square cells,
        which all released models have. Ours divides each side by the cell along it.
    """
    _, sample_N = _flatten(targets)
    known_N = torch.ones_like(sample_N, dtype=torch.bool)
    return _draw(targets, sample_N, known_N, len(targets), grid, min_overlap, min_radius, sigma, released_sides)


def hard_foreground(targets: Targets, grid: BEVGrid) -> Tensor:
    """Mark the cells whose centre lies inside a rotated box; a box always marks at least its own centre's cell.

    Args:
        targets: Boxes; those whose centre lies outside the grid still mark the cells that they reach into.
        grid: Grid of the map.

    Returns:
        (B, H, W), float32, 0 or 1.
    """
    boxes_N9, sample_N = _flatten(targets)
    canvas = boxes_N9.new_zeros(len(targets), grid.rows, grid.cols)
    if len(boxes_N9) == 0:
        return canvas
    centre_N2, size_N2, yaw_N = boxes_N9[:, :2], boxes_N9[:, 3:5], boxes_N9[:, 6]
    valid_N = boxes_N9[:, :7].isfinite().all(dim=1) & (size_N2 > 0).all(dim=1)
    cell_N2 = grid.to_cells(centre_N2).floor().long()
    half_diagonal = float(_valid_sizes(targets).norm(dim=1).numpy().max()) / 2
    reach = min(math.ceil(half_diagonal / min(grid.cell_size)), max(grid.rows, grid.cols))
    offset_D = torch.arange(-reach, reach + 1, device=boxes_N9.device)
    col_N1D, row_ND1 = cell_N2[:, :1, None] + offset_D, cell_N2[:, 1:, None] + offset_D[:, None]
    cos_N11, sin_N11 = yaw_N.cos()[:, None, None], yaw_N.sin()[:, None, None]
    cell_x, cell_y = grid.cell_size
    x_N1D = (col_N1D + 0.5) * cell_x + grid.point_cloud_range[0] - centre_N2[:, 0, None, None]
    y_ND1 = (row_ND1 + 0.5) * cell_y + grid.point_cloud_range[1] - centre_N2[:, 1, None, None]
    along_NDD = x_N1D * cos_N11 + y_ND1 * sin_N11
    across_NDD = y_ND1 * cos_N11 - x_N1D * sin_N11
    half_N211 = size_N2[:, :, None, None] / 2
    inside_NDD = (along_NDD.abs() <= half_N211[:, 0]) & (across_NDD.abs() <= half_N211[:, 1])
    inside_NDD[:, reach, reach] = True
    inside_NDD &= valid_N[:, None, None]
    inside_NDD &= (row_ND1 >= 0) & (row_ND1 < grid.rows) & (col_N1D >= 0) & (col_N1D < grid.cols)
    return _scatter_max(canvas, sample_N, row_ND1, col_N1D, inside_NDD.to(canvas))


def _flatten(targets: Targets) -> tuple[Tensor, Tensor]:
    """Return the boxes of all samples, (N, 9), and the sample of each, (N,)."""
    counts = [len(boxes) for boxes in targets.boxes]
    boxes_N9 = torch.cat(list(targets.boxes)).float()
    sample_N = [boxes_N9.new_full((count,), sample, dtype=torch.long) for sample, count in enumerate(counts)]
    return boxes_N9, torch.cat(sample_N)


def _valid_sizes(targets: Targets) -> Tensor:
    """Return length and width of all boxes on the host, (N, 2); 0 in place of what is no size."""
    sizes_N2 = targets.sizes_on_host().float()
    valid_N1 = ((sizes_N2 > 0) & sizes_N2.isfinite()).all(dim=1, keepdim=True)
    return torch.where(valid_N1, sizes_N2, 0.0)


def _extents(
    sizes_N2: Tensor, grid: BEVGrid, min_overlap: float, min_radius: int, sigma: float | None, released_sides: bool
) -> tuple[Tensor, Tensor]:
    """Compute radius, in whole cells, and standard deviation of Gaussians from sizes in metres; (N,) each."""
    limit = max(grid.rows, grid.cols)
    if sigma is None:
        cell_size = grid.cell_size[::-1] if released_sides else grid.cell_size
        radius_N = gaussian_radius(sizes_N2 / constant_like(cell_size, sizes_N2), min_overlap)
        radius_N = radius_N.clamp(max=limit).floor().clamp(min=min_radius)
        return radius_N, (2 * radius_N + 1) / 6
    if sigma <= 0:
        raise ValueError(f'sigma must be a positive number of cells, or None for the rule by box size; got {sigma}')
    visible = math.ceil(sigma * math.sqrt(-2 * math.log(torch.finfo(torch.float32).eps)))
    return sizes_N2.new_full((len(sizes_N2),), visible), sizes_N2.new_full((len(sizes_N2),), sigma)


def _draw(
    targets: Targets,
    plane_N: Tensor,
    known_N: Tensor,
    num_planes: int,
    grid: BEVGrid,
    min_overlap: float,
    min_radius: int,
    sigma: float | None,
    released_sides: bool = False,
) -> Tensor:
    """Draw each box as a Gaussian on its plane; (num_planes, H, W)."""
    boxes_N9 = torch.cat(list(targets.boxes)).float()
    canvas = boxes_N9.new_zeros(num_planes, grid.rows, grid.cols)
    rule = grid, min_overlap, min_radius, sigma, released_sides
    # The host computes the largest radius from its own copy of the sizes: to ask the device would be to wait for it.
    host_radius_N, _ = _extents(_valid_sizes(targets), *rule)
    if len(boxes_N9) == 0:
        return canvas
    reach = min(int(host_radius_N.numpy().max()), max(grid.rows, grid.cols))
    size_N2 = boxes_N9[:, 3:5]
    valid_N = known_N & (size_N2 > 0).all(dim=1) & size_N2.isfinite().all(dim=1) & grid.contains(boxes_N9[:, :2])
    col_N1, row_N1 = grid.to_cells(boxes_N9[:, :2]).floor().long().split(1, dim=1)
    radius_N, sigma_N = _extents(size_N2, *rule)
    offset_D = torch.arange(-reach, reach + 1, device=boxes_N9.device)
    bell_ND = torch.exp(-offset_D.square() / (2 * sigma_N[:, None].square()))
    bell_ND = torch.where((offset_D.abs() <= radius_N[:, None]) & valid_N[:, None], bell_ND, 0.0)
    value_NDD = bell_ND[:, :, None] * bell_ND[:, None, :]
    return _scatter_max(canvas, plane_N, (row_N1 + offset_D)[:, :, None], (col_N1 + offset_D)[:, None, :], value_NDD)


def _scatter_max(canvas_PHW: Tensor, plane_N: Tensor, row_ND1: Tensor, col_N1D: Tensor, value_NDD: Tensor) -> Tensor:
    """Merge windows into planes by maximum; what lies outside counts for the nearest cell inside.

    A Gaussian is never higher outside than in that cell, since its centre is inside.
    """
    _, rows, cols = canvas_PHW.shape
    cell_NDD = row_ND1.clamp(0, rows - 1) * cols + col_N1D.clamp(0, cols - 1)
    index_NDD = plane_N[:, None, None] * (rows * cols) + cell_NDD
    flat = canvas_PHW.flatten().scatter_reduce(0, index_NDD.flatten(), value_NDD.flatten(), 'amax')
    return flat.view_as(canvas_PHW)
