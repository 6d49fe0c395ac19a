"""Compare the boxes of paired queries."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet3d.registry import MODELS
from torch import Tensor

from ..detection.set_loss import CODE_WEIGHTS
from .instance_pairs import InstancePairs
from .instance_terms import InstanceTerm


@MODELS.register_module()
class BoxCodeTerm(InstanceTerm):
    """L1 distance of box codes: ``mean_i q_i sum_d w_d |p_id - t_id|``.

    Args:
        code_weights: Weight w of each of the ten slots; velocity counts a fifth by default.

    Raises:
        ValueError: If there are not ten weights.
    """

    wants = ('student.codes', 'teacher.codes')
    code_weights: Tensor

    def __init__(self, code_weights: Sequence[float] = CODE_WEIGHTS) -> None:
        super().__init__()
        if len(code_weights) != len(CODE_WEIGHTS):
            raise ValueError(f'expected {len(CODE_WEIGHTS)} code weights, got {len(code_weights)}')
        self.register_buffer('code_weights', torch.tensor(code_weights, dtype=torch.float32), persistent=False)

    def forward(self, pairs: InstancePairs) -> Tensor:
        """Compare box codes; (L,)."""
        error_LBMD = (pairs.student_codes() - pairs.pairing.teacher_boxes.codes).abs()
        return pairs.mean((error_LBMD * self.code_weights).sum(dim=-1))
