"""Contrast the decoder states of paired queries."""

from __future__ import annotations

from typing import Any, Literal

import torch
from mmdet3d.registry import MODELS
from torch import Tensor

from .critics import has_batch_norm
from .info_nce import Anchor, info_nce
from .instance_pairs import InstancePairs
from .instance_terms import InstanceTerm


@MODELS.register_module()
class StateContrastTerm(InstanceTerm):
    """InfoNCE between decoder states of the pairs, through a critic on each side: ``mean_i q_i info_nce_i``.

    Positives are pairs; negatives are the other pairs of the same sample (``negatives='sample'``, so that a batch is
    made of its samples) or of the batch on all ranks (``'batch'``). Instances are weighted before the mean: an instance
    of weight 0 does not teach, but it stays a negative of the others.

    Note:
        The paper compares features of the "penultimate layer" of the head; these are taken to be what the last
        prediction branches read, that is the states of the last decoder layer. Which side is the anchor is not known
        for certain; the default lets each student query find its own teacher query among the others.

    Args:
        student_critic: Config of the student's critic.
        teacher_critic: Config of the teacher's critic; it is trained as well.
        temperature: tau.
        anchor: ``'student'``, ``'teacher'`` or ``'both'``.
        negatives: ``'sample'`` or ``'batch'``.

    Raises:
        ValueError: If an option is unknown, or a critic has batch norm: padding would enter its statistics.
    """

    wants = ('student.states', 'teacher.states')

    def __init__(
        self,
        student_critic: dict[str, Any],
        teacher_critic: dict[str, Any],
        temperature: float = 0.07,
        anchor: Anchor = 'student',
        negatives: Literal['sample', 'batch'] = 'sample',
    ) -> None:
        super().__init__()
        if negatives not in ('sample', 'batch'):
            raise ValueError(f"negatives must be 'sample' or 'batch', got '{negatives}'")
        self.student_critic = MODELS.build(student_critic)
        self.teacher_critic = MODELS.build(teacher_critic)
        if has_batch_norm(self.student_critic) or has_batch_norm(self.teacher_critic):
            raise ValueError("critics of StateContrastTerm see padded rows: use norm='LN' or None, not 'BN'")
        self.temperature = temperature
        self.anchor = anchor
        self.negatives = negatives

    def forward(self, pairs: InstancePairs) -> Tensor:
        """Compare states; (L,)."""
        student_LBMC = self.student_critic(pairs.student_states())
        teacher_BMC = self.teacher_critic(pairs.teacher_states())
        over_ranks = self.negatives == 'batch'
        per_layer = [
            info_nce(student_BMC, teacher_BMC, valid_BM, self.temperature, self.anchor, over_ranks)
            for student_BMC, valid_BM in zip(student_LBMC, pairs.matched, strict=True)
        ]
        return pairs.mean(torch.stack(per_layer))
