"""UniDistill's relation distillation."""

from __future__ import annotations

from mmdet3d.registry import MODELS
from torch import Tensor

from bevdistill.structures import BEVOutputs, Targets

from .key_points import KeyPointLoss


@MODELS.register_module()
class UniDistillRelationLoss(KeyPointLoss):
    """L1 distance of the cosine similarities among an object's key points (UniDistill, arXiv 2303.15083, section 3.2).

    With R_npq the cosine of the features at points p and q of box n, and N boxes on all ranks::

        loss = 1/N sum_n mean_pq |R^S_npq - R^T_npq|

    Channels of student and teacher may differ: only similarities are compared.
    """

    same_channels = False

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss``, see :meth:`MapLoss.forward`."""
        student_NPP, teacher_NPP = map(cosines, self.features(student, teacher, targets))
        return {'loss': self.mean_over_boxes((student_NPP - teacher_NPP).abs().mean(dim=(1, 2)))}


def cosines(features_NPC: Tensor) -> Tensor:
    """Cosine of each pair of points, (N, P, P); 0 with a point whose feature is zero, as outside of the map."""
    unit_NPC = features_NPC / (features_NPC.norm(dim=-1, keepdim=True) + 1e-4)
    return unit_NPC @ unit_NPC.transpose(1, 2)
