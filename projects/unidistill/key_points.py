"""Features of student and teacher at nine key points of each object.

Legend: N boxes of all samples, P = 9 points, C channels.
"""

from __future__ import annotations

from typing import Any, Literal

from mmdet3d.registry import MODELS
from torch import Tensor, nn

from bevdistill.distributed.reductions import shared_normaliser
from bevdistill.losses import sample_boxes
from bevdistill.structures import BEVOutputs, Targets

LATTICE = 3
"""Three by three: corners, middles of the edges, centre."""


class KeyPointLoss(nn.Module):
    """What both losses on key points share: where maps are read, and how objects are averaged.

    Both maps are read where they are (bilinear, zero outside), so that grids of different size need no resizing.

    Args:
        tap: Which map, ``'bev'`` or ``'heatmap_features'``.
        adapter: Config of a module from student to teacher channels, None when they are the same space.

    Raises:
        ValueError: If `tap` is unknown.
    """

    def __init__(
        self, tap: Literal['bev', 'heatmap_features'] = 'bev', adapter: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        if tap not in ('bev', 'heatmap_features'):
            raise ValueError(f"tap must be 'bev' or 'heatmap_features', got '{tap}'")
        self.tap = tap
        self.adapter = None if adapter is None else MODELS.build(adapter)
        self.wants = (f'student.{tap}', f'teacher.{tap}', 'targets')

    def features(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> tuple[Tensor, Tensor]:
        """Student and teacher features at the key points, each (N, P, C), the teacher's without gradient."""
        student_map = getattr(student, self.tap)
        if self.adapter is not None:
            student_map = self.adapter(student_map)
        teacher_map = getattr(teacher, self.tap).detach()
        return (
            sample_boxes(student_map, student.grid, targets, LATTICE),
            sample_boxes(teacher_map, teacher.grid, targets, LATTICE),
        )

    @staticmethod
    def mean_over_boxes(values_N: Tensor) -> Tensor:
        """Sum over boxes by their number on all ranks; 0 without any."""
        return values_N.sum() / shared_normaliser(values_N.new_full((), len(values_N)), floor=1)
