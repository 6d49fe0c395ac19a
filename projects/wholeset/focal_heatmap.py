"""Every cell of the student's class heatmap answers as the teacher's does."""

from __future__ import annotations

from mmdet3d.registry import MODELS
from torch import Tensor

from bevdistill.distributed.reductions import shared_normaliser
from bevdistill.losses import MapLoss
from bevdistill.structures import BEVOutputs, Targets

from .quality_focal import QualityFocal


@MODELS.register_module()
class FocalHeatmapLoss(MapLoss):
    """Quality focal loss (arXiv 2006.04388, equation 2) of the student's auxiliary heatmap against the teacher's.

    With s and t the class probabilities of a cell c, and p_i those of a teacher's box that scores above `threshold`::

        loss = sum_ck |t_ck - s_ck|^gamma * BCE(s_ck, t_ck) / sum_i max_k p_ik

    The sum is divided by how many objects the teacher sees, as a heatmap loss divides by the objects that there are.

    Args:
        gamma: How much less what is nearly right counts, >= 0.
        threshold: Score that a teacher box must exceed to count.

    Raises:
        ValueError: If `gamma` is negative.
    """

    def __init__(self, gamma: float = 2.0, threshold: float = 0.1) -> None:
        super().__init__('heatmap', wants=('teacher.logits',), taps=('heatmap',))
        self.compare = QualityFocal(gamma)
        self.threshold = threshold

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss``, see :meth:`MapLoss.forward`."""
        student_map, teacher_map = self.aligned_maps(student, teacher)
        value_BKHW = self.compare(student_map, teacher_map.float().sigmoid())
        score_BQ = teacher.logits[-1].detach().float().sigmoid().amax(dim=-1)
        objects = (score_BQ * (score_BQ > self.threshold)).sum()
        return {'loss': value_BKHW.sum() / shared_normaliser(objects, floor=1)}
