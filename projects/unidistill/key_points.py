"""Features of student and teacher at nine key points of each object.

Legend: N boxes of all samples, P = 9 points, C channels.
"""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from bevdistill.distributed.reductions import shared_normaliser
from bevdistill.losses import MapLoss, sample_boxes
from bevdistill.structures import BEVOutputs, Targets

LATTICE = 3
"""Three by three: corners, middles of the edges, centre."""


class KeyPointLoss(MapLoss):
    """What both losses on key points share: where maps are read, and how objects are averaged.

    Both maps are read where they are (bilinear, zero outside), so that grids of different size need no resizing.

    Note:
        The release (megvii-research/CVPR2023-UniDistill @ 32f02b4) swaps x and y before it reads: it mirrors every key
        point at the diagonal of the map, which shows on no square map. It also counts an object at the ego position for
        each sample without boxes. Neither is done here.

    Args:
        tap: Which map, ``'bev'`` or ``'heatmap_features'``.
        adapter: Config of a module from student to teacher channels, None when they are the same space.

    Raises:
        ValueError: If `tap` is unknown.
    """

    def __init__(
        self, tap: Literal['bev', 'heatmap_features'] = 'bev', adapter: dict[str, Any] | None = None
    ) -> None:
        super().__init__(tap, adapter, wants=('targets',))

    def features(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> tuple[Tensor, Tensor]:
        """Student and teacher features at the key points, each (N, P, C), the teacher's without gradient."""
        student_map, teacher_map = self.maps(student, teacher)
        return (
            sample_boxes(student_map, student.grid, targets, LATTICE),
            sample_boxes(teacher_map, teacher.grid, targets, LATTICE),
        )

    @staticmethod
    def mean_over_boxes(values_N: Tensor) -> Tensor:
        """Sum over boxes by their number on all ranks; 0 without any."""
        return values_N.sum() / shared_normaliser(values_N.new_full((), len(values_N)), floor=1)
