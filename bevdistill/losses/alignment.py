"""Maps of student and teacher on one grid."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..structures import BEVGrid, BEVOutputs


def tapped(student: BEVOutputs, teacher: BEVOutputs, tap: str) -> tuple[Tensor, Tensor]:
    """Read a map of both sides, each on its own grid, the teacher's without gradient.

    Args:
        student: Outputs of the student.
        teacher: Outputs of the teacher.
        tap: Field of :class:`BEVOutputs` that holds a map.

    Returns:
        Student map (B, C, H, W) and teacher map (B, C', H', W').

    Raises:
        ValueError: If a side does not offer the tap.
    """
    maps = {'student': getattr(student, tap), 'teacher': getattr(teacher, tap)}
    for side, value in maps.items():
        if value is None:
            raise ValueError(f"the {side} does not offer '{tap}'; give its head the auxiliary heatmap or tap 'bev'")
    return maps['student'], maps['teacher'].detach()


def tapped_maps(student: BEVOutputs, teacher: BEVOutputs, tap: str) -> tuple[Tensor, Tensor]:
    """Read a map of both sides on the student's grid: :func:`tapped`, then :func:`resize_map`.

    Raises:
        ValueError: If a side does not offer the tap, or if the two grids cover different ground.
    """
    student_map, teacher_map = tapped(student, teacher, tap)
    return student_map, resize_map(teacher_map, teacher.grid, student.grid)


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
