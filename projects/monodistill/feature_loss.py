"""MonoDistill's two losses on features, which share what adapts the student's map."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mmdet3d.registry import MODELS
from torch import Tensor, nn

from bevdistill.losses import DenseBEVLoss
from bevdistill.structures import BEVOutputs, Targets

from .scene_affinity import SceneAffinityLoss


@MODELS.register_module()
class MonoDistillFeatureLoss(nn.Module):
    """Object features and scene affinity of the adapted student map (MonoDistill, arXiv 2201.10830).

    With the adapted student map S, the teacher's T and the cells p inside ground-truth boxes::

        loss_object = object_weight * 1/2 * mean_p mean_c (S_cp - T_cp)^2
        loss_scene = scene_weight * (SceneAffinityLoss of S and T)

    The default weights are the release's 10 and 1 over its batch of 12, by which it divides both means over the batch
    once more (monster-ghost/MonoDistill @ 26ca8da).

    Note:
        MonoDistill marks upright rectangles in the image where the teacher's features are not 0, since its depth maps
        are sparse; here it is the cells inside the rotated boxes, and a BEV map is dense.

    Args:
        adapter: Config of what adapts the student's map, from student to teacher channels.
        object_weight: Weight of the object features.
        scene_weight: Weight of the affinity.
        cells: See :class:`~.scene_affinity.SceneAffinityLoss`.
        cosine: See :class:`~.scene_affinity.SceneAffinityLoss`.
    """

    def __init__(
        self,
        adapter: dict[str, Any],
        object_weight: float = 10 / 12,
        scene_weight: float = 1 / 12,
        cells: int = 32,
        cosine: bool = False,
    ) -> None:
        super().__init__()
        self.adapter = MODELS.build(adapter)
        self.object = DenseBEVLoss(mask=dict(type='HardForeground'), channels='mean', normaliser='mask')
        self.scene = SceneAffinityLoss(cells, cosine)
        self.object_weight = object_weight
        self.scene_weight = scene_weight
        self.wants = tuple(dict.fromkeys((*self.object.wants, *self.scene.wants)))

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute both losses.

        Args:
            student: Outputs of the student.
            teacher: Outputs of the teacher.
            targets: Ground truth.

        Returns:
            ``loss_object`` and ``loss_scene``, scalars.

        Raises:
            ValueError: If the adapter does not lead to the teacher's channels.
        """
        adapted = replace(student, bev=self.adapter(student.bev))
        return {
            'loss_object': self.object(adapted, teacher, targets)['loss'] * (0.5 * self.object_weight),
            'loss_scene': self.scene(adapted, teacher, targets)['loss'] * self.scene_weight,
        }
