"""Ego motion between BEV maps: shift of the reference points, rotation of the history.

Legend: B samples, Q cells, C channels, H x W grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...structures import BEVGrid
from ...structures.constants import constant_like
from ...structures.ego_state import YAW_RADIANS


def ego_shift(can_bus_B18: Tensor, grid: BEVGrid, released_extents: bool = False) -> Tensor:
    """Compute the shift of a static object: its place on the previous map minus its place now.

    With (dx, dy) the motion since the previous frame in global axes and the heading theta::

        forward = |d| cos(theta - atan2(dy, dx)),    right = |d| sin(theta - atan2(dy, dx))
        shift   = (right / extent_x, forward / extent_y)

    (BEVFormer, arXiv 2203.17270, section 3.4.) It is added to the reference points that look at history.

    Args:
        can_bus_B18: Vehicle state.
        grid: Gives the extents.
        released_extents: Divide by the extents as the release does.

    Returns:
        (B, 2), x and y in units of the range.

    Note:
        The release swaps the extents, ``shift = (right / extent_y, forward / extent_x)``: the same on a square range,
        which all released models have. On others a standing object would move; ``released_extents`` reproduces it.
    """
    east_B, north_B, yaw_B = can_bus_B18[:, 0], can_bus_B18[:, 1], can_bus_B18[:, YAW_RADIANS]
    extent_x, extent_y, _ = grid.extent
    if released_extents:
        extent_x, extent_y = extent_y, extent_x
    # |d| cos and |d| sin of a difference of angles, without the angle of d: exporters know sine and cosine.
    forward_B = east_B * yaw_B.cos() + north_B * yaw_B.sin()
    right_B = east_B * yaw_B.sin() - north_B * yaw_B.cos()
    return torch.stack((right_B / extent_x, forward_B / extent_y), dim=-1)


def rotate_history(
    bev_BQC: Tensor, turn_B: Tensor, grid: BEVGrid, rotate_center: Sequence[float] | None = None
) -> Tensor:
    """Rotate each sample's previous BEV map into the present heading: nearest cell, zero outside.

    The cell at p takes the cell nearest to ``R(a) (p - c) + c`` with a the turn and c the centre of rotation.

    Args:
        bev_BQC: Previous maps, cells row by row. Not changed.
        turn_B: Change of heading in degrees, counter-clockwise positive.
        grid: Grid of the maps.
        rotate_center: Centre as (column, row) in cells, then the turn happens in cells; None: the LiDAR's own
            position, and the turn happens in metres.

    Returns:
        (B, Q, C).

    Note:
        The released models always turn about cell (100, 100), which is the centre of a 200 x 200 grid only. The
        default differs from them on every other grid; pass ``[100, 100]`` to reproduce released results.
    """
    batch, _, channels = bev_BQC.shape
    centres_HW2 = grid.cell_centres(bev_BQC.device)
    if rotate_center is None:
        arm_HW2 = centres_HW2
    else:
        centre_2 = constant_like(tuple(float(value) for value in rotate_center), centres_HW2)
        arm_HW2 = grid.to_cells(centres_HW2) - centre_2
    angle_B11 = torch.deg2rad(turn_B.float())[:, None, None]
    cos_B11, sin_B11 = angle_B11.cos(), angle_B11.sin()
    x_HW, y_HW = arm_HW2.unbind(dim=-1)
    source_BHW2 = torch.stack((cos_B11 * x_HW - sin_B11 * y_HW, sin_B11 * x_HW + cos_B11 * y_HW), dim=-1)
    if rotate_center is not None:
        source_BHW2 = grid.to_metres(source_BHW2 + centre_2)
    bev_BCHW = bev_BQC.transpose(1, 2).reshape(batch, channels, grid.rows, grid.cols)
    turned_BCHW = functional.grid_sample(
        bev_BCHW.float(), grid.sampling_grid(source_BHW2), mode='nearest', align_corners=False
    )
    return turned_BCHW.flatten(2).transpose(1, 2).to(bev_BQC.dtype)
