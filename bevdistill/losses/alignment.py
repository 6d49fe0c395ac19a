"""Maps on one grid."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..structures import BEVGrid


def resize_map(teacher_map_BCHW: Tensor, source: BEVGrid, wanted: BEVGrid) -> Tensor:
    """Resize a map (bilinear, ``align_corners=False``) to another grid of the same ground.

    Raises:
        ValueError: If the grids cover different ground.
    """
    if not source.same_range(wanted):
        raise ValueError(
            f'a teacher map of range {source.point_cloud_range} cannot be laid on a student grid of range '
            f'{wanted.point_cloud_range}; train both with one point_cloud_range'
        )
    if (source.rows, source.cols) == (wanted.rows, wanted.cols):
        return teacher_map_BCHW
    size = (wanted.rows, wanted.cols)
    return F.interpolate(teacher_map_BCHW, size=size, mode='bilinear', align_corners=False)
