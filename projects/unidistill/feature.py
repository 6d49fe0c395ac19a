"""UniDistill's feature distillation."""

from __future__ import annotations

from mmdet3d.registry import MODELS
from torch import Tensor

from bevdistill.structures import BEVOutputs, Targets

from .key_points import KeyPointLoss


@MODELS.register_module()
class UniDistillFeatureLoss(KeyPointLoss):
    """L1 distance of features at nine key points of each object (UniDistill, arXiv 2303.15083, section 3.2).

    With student features S, teacher features T and N boxes on all ranks::

        loss = 1/N sum_n mean_pc |S_npc - T_npc|
    """

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss``, see :meth:`MapLoss.forward`."""
        student_NPC, teacher_NPC = self.features(student, teacher, targets)
        return {'loss': self.mean_over_boxes((student_NPC - teacher_NPC).abs().mean(dim=(1, 2)))}
