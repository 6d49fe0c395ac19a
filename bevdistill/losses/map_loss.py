"""Base class of losses that compare a map of student and teacher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..structures import BEVOutputs, Targets
from .adapters import check_channels
from .alignment import resize_map

TAPS = ('bev', 'heatmap_features')
"""Maps of features."""


class MapLoss(nn.Module, ABC):
    """Loss of two maps: which map, the adapter between their channels, and the contract of every distillation loss.

    A distillation loss is a module with ``wants``, the names of what it reads (``'student.bev'``, ``'targets'``), and
    the ``forward`` below. Student and teacher come in float32; the loss may send gradients to the student alone.

    Args:
        tap: Field of :class:`BEVOutputs` that holds the map.
        adapter: Config of a module from student to teacher channels, None when they are the same space.
        wants: What the loss reads beside the two maps.
        taps: Names that `tap` may have.

    Raises:
        ValueError: If `tap` is unknown.
    """

    same_channels = True
    """Whether the loss compares channel by channel, so that the two maps must have equally many."""

    def __init__(
        self,
        tap: str = 'bev',
        adapter: dict[str, Any] | None = None,
        wants: tuple[str, ...] = (),
        taps: tuple[str, ...] = TAPS,
    ) -> None:
        super().__init__()
        if tap not in taps:
            raise ValueError(f"tap must be {' or '.join(map(repr, taps))}, got '{tap}'")
        self.tap = tap
        self.adapter = None if adapter is None else MODELS.build(adapter)
        self.wants = (f'student.{tap}', f'teacher.{tap}', *wants)

    @abstractmethod
    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute the loss.

        Args:
            student: Outputs of the student.
            teacher: Outputs of the teacher; nothing of it may get a gradient.
            targets: Ground truth, or the teacher's boxes in its place.

        Returns:
            Scalars by name. Those whose name contains ``loss`` are trained, others are only logged.

        Raises:
            ValueError: If the two sides do not fit each other.
        """

    def maps(self, student: BEVOutputs, teacher: BEVOutputs) -> tuple[Tensor, Tensor]:
        """Read the two maps, each on its own grid.

        Returns:
            Student map (B, C, H, W) through the adapter, teacher map (B, C', H', W') without gradient.

        Raises:
            ValueError: If a side does not offer the map, or channels differ.
        """
        for side, outputs in (('student', student), ('teacher', teacher)):
            if getattr(outputs, self.tap) is None:
                raise ValueError(
                    f"the {side} does not offer '{self.tap}'; give its head the auxiliary heatmap or tap 'bev'"
                )
        student_map, teacher_map = getattr(student, self.tap), getattr(teacher, self.tap).detach()
        if self.adapter is not None:
            student_map = self.adapter(student_map)
        if self.same_channels:
            check_channels(student_map, teacher_map, self.tap)
        return student_map, teacher_map

    def aligned_maps(self, student: BEVOutputs, teacher: BEVOutputs) -> tuple[Tensor, Tensor]:
        """Read the two maps on the student's grid: :meth:`maps` with the teacher's resized where sizes differ.

        Raises:
            ValueError: Also if the grids cover different ground.
        """
        student_map, teacher_map = self.maps(student, teacher)
        return student_map, resize_map(teacher_map, teacher.grid, student.grid)
