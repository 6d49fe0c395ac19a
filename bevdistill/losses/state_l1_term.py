"""Imitate the decoder states of paired queries."""

from __future__ import annotations

from typing import Any

from mmdet3d.registry import MODELS
from torch import Tensor

from .instance_pairs import InstancePairs
from .instance_terms import InstanceTerm


@MODELS.register_module()
class StateL1Term(InstanceTerm):
    """Mean absolute difference of the pairs' decoder states, the plain alternative to contrast.

    Args:
        adapter: Config of an adapter from student to teacher channels, None when they are the same space.

    Raises:
        ValueError: In forward, if channels differ.
    """

    wants = ('student.states', 'teacher.states')

    def __init__(self, adapter: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.adapter = None if adapter is None else MODELS.build(adapter)

    def forward(self, pairs: InstancePairs) -> Tensor:
        """Compare states; (L,)."""
        student_LBMC, teacher_BMC = pairs.student_states(), pairs.teacher_states()
        if self.adapter is not None:
            student_LBMC = self.adapter(student_LBMC)
        if student_LBMC.shape[-1] != teacher_BMC.shape[-1]:
            raise ValueError(
                f"student states have {student_LBMC.shape[-1]} channels and the teacher's {teacher_BMC.shape[-1]}; "
                f"give the term adapter=dict(type='LinearAdapter', student_channels=.., teacher_channels=..)"
            )
        return pairs.mean((student_LBMC - teacher_BMC).abs().mean(dim=-1))
