"""Response distillation of auxiliary class heatmaps."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..distributed.reductions import shared_normaliser
from ..structures import BEVOutputs, Targets
from .alignment import tapped_maps
from .foreground import Region


@MODELS.register_module()
class HeatmapDistillLoss(nn.Module):
    """Binary cross entropy of the student's heatmap against the teacher's probabilities.

    With logits s, t and weights M::

        loss = sum_bp M_bp * mean_k BCE(sigmoid(s_bkp), sigmoid(t_bkp)) / sum_bp M_bp

    Note:
        The release averages the cross entropy before it applies the mask, which then cancels; that is the value for
        ``mask=dict(type='AllCells')``. Its student value is squashed by the sigmoid twice (an in-place sigmoid in the
        heatmap loss); ``released_double_sigmoid`` reproduces that.

    Args:
        mask: Config of a mask of cells, see :mod:`.foreground`.
        released_double_sigmoid: Apply the sigmoid to the student's heatmap twice.
    """

    def __init__(self, mask: dict[str, Any], released_double_sigmoid: bool = False) -> None:
        super().__init__()
        self.region: Region = MODELS.build(mask)
        self.released_double_sigmoid = released_double_sigmoid
        self.wants = ('student.heatmap', 'teacher.heatmap', *self.region.wants)

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute the loss.

        Args:
            student: Outputs of the student.
            teacher: Outputs of the teacher.
            targets: Ground truth.

        Returns:
            ``loss``, a scalar.
        """
        student_map, teacher_map = tapped_maps(student, teacher, 'heatmap')
        student_BKP, teacher_BKP, weight_BP = self.region.select(student_map, teacher_map, student, teacher, targets)
        if self.released_double_sigmoid:
            student_BKP = student_BKP.sigmoid()
        entropy_BKP = F.binary_cross_entropy_with_logits(student_BKP, teacher_BKP.sigmoid(), reduction='none')
        total = (entropy_BKP.mean(dim=1) * weight_BP).sum()
        return {'loss': total / shared_normaliser(weight_BP.sum(), floor=1e-6)}
