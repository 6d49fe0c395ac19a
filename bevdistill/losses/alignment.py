"""Bring a teacher's map onto the student's grid."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..structures import BEVGrid, BEVOutputs


def tapped_maps(student: BEVOutputs, teacher: BEVOutputs, tap: str) -> tuple[Tensor, Tensor]:
    """A pair of BEV maps with the same cells, the teacher's without gradient.

    Args:
        student: Its map decides the size.
        teacher: Its map is resized to that size (bilinear, ``align_corners=False``) when the sizes differ.
        tap: Field of :class:`BEVOutputs` that holds a map.

    Returns:
        Student map (B, C, H, W) and teacher map (B, C', H, W).

    Raises:
        ValueError: If a side does not offer the tap, or if the two grids cover different ground.
    """
    maps = {'student': getattr(student, tap), 'teacher': getattr(teacher, tap)}
    for side, value in maps.items():
        if value is None:
            raise ValueError(f"the {side} does not offer '{tap}'; give its head the auxiliary heatmap or tap 'bev'")
    return maps['student'], resize_map(maps['teacher'].detach(), teacher.grid, student.grid)


def resize_map(teacher_map_BCHW: Tensor, source: BEVGrid, wanted: BEVGrid) -> Tensor:
    """Resize a map from one grid to another that covers the same ground.

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
