"""TiG-BEV's inner-geometry learning in BEV: how the places, and the channels, of one object relate to each other.

Legend: N boxes of all samples, P places of a box, C channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from bevdistill.distributed.reductions import shared_normaliser
from bevdistill.losses import sample_boxes
from bevdistill.structures import BEVOutputs, Targets


@MODELS.register_module()
class InnerGeometryLoss(nn.Module):
    """Similarity of an object's places, and of its channels, in two BEV maps (TiG-BEV, arXiv 2212.13979, section 3.3).

    Both maps are read on a lattice over each enlarged box, f (P, C). With the rows of a Gram matrix brought to length
    one, and N boxes on all ranks::

        loss_keypoint = w_k / N sum_n mean_pq ( [f f^T]^S_npq - [f f^T]^T_npq )^2
        loss_channel  = w_c / N sum_n mean_cd ( [f^T f]^S_ncd - [f^T f]^T_ncd )^2

    Relations do not depend on the scale of the features. Maps are read where they are, so that grids of different size
    need no resizing. Zero outside of the map. The defaults are the release's.

    Args:
        keypoint_weight: w_k; at 0 the term is not computed.
        channel_weight: w_c; at 0 the term is not computed. Channels of student and teacher must agree if it is not.
        samples: Places along each side of a box.
        scale: Size of the lattice in sizes of the box.

    Raises:
        ValueError: If both weights are 0; in forward, if channels differ.
    """

    wants = ('student.bev', 'teacher.bev', 'targets')

    def __init__(
        self, keypoint_weight: float = 100.0, channel_weight: float = 20.0, samples: int = 24, scale: float = 1.6
    ) -> None:
        super().__init__()
        if keypoint_weight == 0 and channel_weight == 0:
            raise ValueError('InnerGeometryLoss needs keypoint_weight or channel_weight above 0')
        self.keypoint_weight = keypoint_weight
        self.channel_weight = channel_weight
        self.samples = samples
        self.scale = scale

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute the terms.

        Args:
            student: Outputs of the student.
            teacher: Outputs of the teacher.
            targets: Ground truth.

        Returns:
            ``loss_keypoint`` and ``loss_channel``, scalars.
        """
        student_NPC = sample_boxes(student.bev, student.grid, targets, self.samples, self.scale)
        teacher_NPC = sample_boxes(teacher.bev.detach(), teacher.grid, targets, self.samples, self.scale)
        losses: dict[str, Tensor] = {}
        if self.keypoint_weight:
            losses['loss_keypoint'] = self.keypoint_weight * relation_error(student_NPC, teacher_NPC)
        if self.channel_weight:
            if student_NPC.shape[-1] != teacher_NPC.shape[-1]:
                raise ValueError(
                    f"student bev has {student_NPC.shape[-1]} channels and the teacher's {teacher_NPC.shape[-1]}: "
                    'relations among channels cannot be compared; set channel_weight=0'
                )
            student_NCP, teacher_NCP = student_NPC.transpose(1, 2), teacher_NPC.transpose(1, 2)
            losses['loss_channel'] = self.channel_weight * relation_error(student_NCP, teacher_NCP)
        return losses


def relation_error(student_NXY: Tensor, teacher_NXY: Tensor) -> Tensor:
    """Squared error of the Gram matrices of X vectors, mean over their entries and over the boxes of all ranks."""
    error_NXX = (gram(student_NXY) - gram(teacher_NXY)).square()
    boxes = error_NXX.new_full((), len(error_NXX))
    return torch.sum(error_NXX.mean(dim=(1, 2))) / shared_normaliser(boxes, floor=1)


def gram(vectors_NXY: Tensor) -> Tensor:
    """Inner products of X vectors of length Y, each row of the matrix brought to length one; (N, X, X)."""
    return F.normalize(vectors_NXY @ vectors_NXY.transpose(1, 2), dim=-1)
