"""Voxels of point clouds by torch's operators: any device, as many steps as there are points.

Legend: B samples, P points of all samples, D numbers of a point, V voxels, N points that a voxel holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..structures.constants import constant_like


class HardVoxels(NamedTuple):
    """Voxels with room for N points each.

    Args:
        voxels: Points, in the order of the cloud, zeros behind them, (V, N, D).
        coors: Sample, z, y, x, (V, 4) int32. Sample after sample, voxels in the order of their first points.
        num_points: (V,) int32.
    """

    voxels: Tensor
    coors: Tensor
    num_points: Tensor


def voxel_coordinates(
    points: Tensor, voxel_size: Sequence[float], point_cloud_range: Sequence[float], shape: Sequence[int]
) -> Tensor:
    """Compute the voxel of each point.

    Args:
        points: (P, D), x, y, z in metres first.
        voxel_size: Along x, y, z, metres.
        point_cloud_range: x, y, z minimum, then maximum, metres.
        shape: Number of voxels along x, y, z.

    Returns:
        z, y, x, (P, 3) int32; -1 in all three for a point outside the range, or one that is not a number.
    """
    xyz = points[:, :3].float()
    low, size = constant_like(tuple(point_cloud_range[:3]), xyz), constant_like(tuple(voxel_size), xyz)
    cell = ((xyz - low) / size).floor()
    inside = ((cell >= 0) & (cell < constant_like(tuple(float(side) for side in shape), xyz))).all(dim=1, keepdim=True)
    return torch.where(inside, cell, -1).int().flip(-1)


def hard_voxels(
    points: Sequence[Tensor],
    voxel_size: Sequence[float],
    point_cloud_range: Sequence[float],
    shape: Sequence[int],
    max_points: int,
    max_voxels: int,
    counts: Sequence[int] | None = None,
) -> HardVoxels:
    """Group points into voxels; of a sample the first `max_voxels` voxels are kept, of a voxel the first `max_points`.

    A radix sort brings the points of a voxel together. The host has to know how many voxels there are. If it has not
    counted them itself, it waits for the device, once for all samples.

    Args:
        points: (P_b, D) of each sample, x, y, z in metres first.
        voxel_size: Along x, y, z, metres.
        point_cloud_range: x, y, z minimum, then maximum, metres.
        shape: Number of voxels along x, y, z.
        max_points: N.
        max_voxels: Per sample.
        counts: How many voxels each sample has, of :func:`count_voxels`.
    """
    cloud_PD = torch.cat(list(points))
    coors_P3 = voxel_coordinates(cloud_PD, voxel_size, point_cloud_range, shape)
    coors_P4 = torch.cat([functional.pad(part, (1, 0), value=sample) for sample, part in enumerate(
        coors_P3.split([len(cloud) for cloud in points])
    )])  # fmt: skip
    order_P, rank_P, number_P, counts_B = _numbered(coors_P4, shape, [len(cloud) for cloud in points])
    kept_B = counts_B.clamp(max=max_voxels)
    first_B = kept_B.cumsum(dim=0) - kept_B
    total = sum(kept_B.tolist() if counts is None else [min(count, max_voxels) for count in counts])
    cloud_PD, coors_P4 = cloud_PD[order_P], coors_P4[order_P]
    # What is left out goes to one more voxel, which is cut off.
    taken_P = (coors_P4[:, 1] >= 0) & (rank_P < max_points) & (number_P < max_voxels)
    voxel_P = torch.where(taken_P, first_B[coors_P4[:, 0].long()] + number_P, total)
    voxels = cloud_PD.new_zeros(total + 1, max_points, cloud_PD.shape[1])
    voxels[voxel_P, rank_P.clamp(max=max_points - 1)] = cloud_PD
    coors = coors_P4.new_zeros(total + 1, 4)
    coors[voxel_P] = coors_P4
    num_points = coors_P4.new_zeros(total + 1).index_add(0, voxel_P, taken_P.int())
    return HardVoxels(voxels[:-1], coors[:-1], num_points[:-1])


def count_voxels(
    points: Tensor, voxel_size: Sequence[float], point_cloud_range: Sequence[float], shape: Sequence[int]
) -> int:
    """Count the voxels that have points; for points on the host, the arguments are those of :func:`voxel_coordinates`.

    The coordinates are differences, quotients and floors of float32, which are the same numbers on every device.
    """
    columns, rows, heights = shape
    z, y, x = voxel_coordinates(points, voxel_size, point_cloud_range, shape).long().unbind(dim=1)
    # Points outside go to one more cell.
    key_P = torch.where(z < 0, heights * rows * columns, (z * rows + y) * columns + x)
    filled = torch.zeros(heights * rows * columns + 1, dtype=torch.bool, device=points.device)
    return int(filled.index_fill_(0, key_P, True)[:-1].count_nonzero())


def _numbered(
    coors_P4: Tensor, shape: Sequence[int], lengths: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sort points by voxel.

    Returns:
        Order of the points; for each in this order, how many points of its voxel come before it, and the number of its
        voxel among those of its sample, counted by first points; how many voxels each sample has, (B,). Points outside
        the range come first, with numbers that mean nothing.
    """
    columns, rows, heights = shape
    sample_P, z, y, x = coors_P4.long().unbind(dim=1)
    key_P = torch.where(z < 0, -1, ((sample_P * heights + z) * rows + y) * columns + x)
    key_P, order_P = key_P.sort(stable=True)
    place_P = torch.arange(len(key_P), device=key_P.device)
    begins_P = torch.cat((torch.ones_like(key_P[:1], dtype=torch.bool), key_P[1:] != key_P[:-1]))
    start_P = torch.where(begins_P, place_P, 0).cummax(dim=0).values if len(key_P) else place_P
    # In the order of the cloud: which points open a voxel, and how many voxels are open before.
    opens_P = torch.zeros_like(begins_P)
    opens_P[order_P] = begins_P & (key_P >= 0)
    opened = functional.pad(opens_P.long().cumsum(dim=0), (1, 0))
    ends_B = torch.stack([opened[sum(lengths[:sample])] for sample in range(len(lengths) + 1)])
    number_P = opened[order_P[start_P]] - ends_B[sample_P[order_P]]
    return order_P, place_P - start_P, number_P, ends_B.diff()
