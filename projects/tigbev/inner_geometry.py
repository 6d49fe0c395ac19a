"""TiG-BEV's inner-geometry learning in BEV: how the places, and the channels, of one object relate to each other.

Legend: N boxes of all samples, P places of a box, C channels.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from bevdistill.distributed.reductions import shared_normaliser
from bevdistill.losses import sample_places
from bevdistill.structures import BEVOutputs, Targets

from .regions import region_places


@MODELS.register_module()
class InnerGeometryLoss(nn.Module):
    """Similarity of an object's places, and of its channels, in two BEV maps (TiG-BEV, arXiv 2212.13979, section 3.3).

    Both maps are read on a lattice over each enlarged box (:mod:`.regions`), f (P, C). With e the embedding of the
    student's features, the rows of a Gram matrix brought to length one, and N boxes on all ranks::

        loss_keypoint = w_k / N sum_n mean_p sum_q ( [f f^T]^S_npq - [f f^T]^T_npq )^2
        loss_channel  = w_c / N sum_n mean_c sum_d ( [e(f)^T e(f)]^S_ncd - [f^T f]^T_ncd )^2

    Sums over one row, means over rows: the terms depend neither on the size of the matrices nor on the scale of the
    features. Maps are read where they are: grids of different size need no resizing. The defaults are the release's
    (ADLab3Ds/TiG-BEV @ 0b85461); its temporal ResNet-50 has ``channel_weight=20``.

    Args:
        keypoint_weight: w_k; at 0 the term is not computed.
        channel_weight: w_c; at 0 the term is not computed.
        samples: Places along each side of a box.
        margin: See :func:`~.regions.region_places`.
        scale: See :func:`~.regions.region_places`.
        embedding: Config of a module from vectors of student channels to teacher channels, which the channel term
            alone reads; the release has a learned linear one. None where both are the same space.
        released_places: See :func:`~.regions.region_places`.

    Raises:
        ValueError: If both weights are 0; in forward, if channels differ.
    """

    wants = ('student.bev', 'teacher.bev', 'targets')

    def __init__(
        self,
        keypoint_weight: float = 100.0,
        channel_weight: float = 10.0,
        samples: int = 24,
        margin: float = 1.6,
        scale: float = 1.0,
        embedding: dict[str, Any] | None = None,
        released_places: bool = False,
    ) -> None:
        super().__init__()
        if keypoint_weight == 0 and channel_weight == 0:
            raise ValueError('InnerGeometryLoss needs keypoint_weight or channel_weight above 0')
        self.keypoint_weight = keypoint_weight
        self.channel_weight = channel_weight
        self.places = partial(region_places, size=samples, margin=margin, scale=scale, released=released_places)
        # Without the channel term nothing would train it.
        self.embedding = MODELS.build(embedding) if embedding is not None and channel_weight else None

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute the terms.

        Args:
            student: Outputs of the student.
            teacher: Outputs of the teacher.
            targets: Ground truth.

        Returns:
            ``loss_keypoint`` and ``loss_channel``, scalars.
        """
        student_NPC = self._read(student.bev, student, targets)
        teacher_NPC = self._read(teacher.bev.detach(), teacher, targets)
        losses: dict[str, Tensor] = {}
        if self.keypoint_weight:
            losses['loss_keypoint'] = self.keypoint_weight * relation_error(student_NPC, teacher_NPC)
        if self.channel_weight:
            embedded_NPC = student_NPC if self.embedding is None else self.embedding(student_NPC)
            if embedded_NPC.shape[-1] != teacher_NPC.shape[-1]:
                raise ValueError(
                    f"student bev has {embedded_NPC.shape[-1]} channels and the teacher's {teacher_NPC.shape[-1]}: "
                    "relations among channels cannot be compared; give the loss embedding=dict(type='LinearAdapter', "
                    'student_channels=.., teacher_channels=..) or channel_weight=0'
                )
            student_NCP, teacher_NCP = embedded_NPC.transpose(1, 2), teacher_NPC.transpose(1, 2)
            losses['loss_channel'] = self.channel_weight * relation_error(student_NCP, teacher_NCP)
        return losses

    def _read(self, map_BCHW: Tensor, side: BEVOutputs, targets: Targets) -> Tensor:
        """Features of a side's map at the places of all boxes, (N, P, C)."""
        places = [self.places(boxes.to(map_BCHW), side.grid) for boxes in targets.boxes]
        return sample_places(map_BCHW, side.grid, places)


def relation_error(student_NXY: Tensor, teacher_NXY: Tensor) -> Tensor:
    """Squared error of the Gram matrices of X vectors, summed over a row, mean over rows and the boxes of all ranks."""
    error_NXX = (gram(student_NXY) - gram(teacher_NXY)).square()
    boxes = error_NXX.new_full((), len(error_NXX))
    return torch.sum(error_NXX.sum(dim=2).mean(dim=1)) / shared_normaliser(boxes, floor=1)


def gram(vectors_NXY: Tensor) -> Tensor:
    """Inner products of X vectors of length Y, each row of the matrix brought to length one; (N, X, X)."""
    return F.normalize(vectors_NXY @ vectors_NXY.transpose(1, 2), dim=-1)
