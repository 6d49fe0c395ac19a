"""Response distillation of auxiliary class heatmaps."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor

from ..distributed.reductions import shared_normaliser
from ..structures import BEVOutputs, Targets
from .foreground import Region, region_config
from .map_loss import MapLoss


@MODELS.register_module()
class HeatmapDistillLoss(MapLoss):
    """Binary cross entropy of the student's heatmap against the teacher's probabilities.

    With logits s, t and weights M::

        loss = sum_bp M_bp * mean_k BCE(sigmoid(s_bkp), sigmoid(t_bkp)) / sum_bp M_bp

    Note:
        The release averages the cross entropy before it applies the mask, which then cancels; that is the value for
        ``where=dict(type='AllCells')``. Its student value is squashed by the sigmoid twice (an in-place sigmoid in the
        heatmap loss); ``released_double_sigmoid`` reproduces that.

    Args:
        where: Config of the cells that are compared, see :mod:`.foreground`.
        released_double_sigmoid: Apply the sigmoid to the student's heatmap twice.
        mask: Former name of `where`, see :func:`~.foreground.region_config`.
    """

    def __init__(
        self,
        where: dict[str, Any] | None = None,
        released_double_sigmoid: bool = False,
        mask: dict[str, Any] | None = None,
    ) -> None:
        region: Region = MODELS.build(region_config('HeatmapDistillLoss', where, mask))
        super().__init__('heatmap', wants=region.wants, taps=('heatmap',))
        self.region = region
        self.released_double_sigmoid = released_double_sigmoid

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss``, see :meth:`MapLoss.forward`."""
        maps = self.aligned_maps(student, teacher)
        student_BKP, teacher_BKP, weight_BP = self.region.select(maps, student, teacher, targets)
        if self.released_double_sigmoid:
            student_BKP = student_BKP.sigmoid()
        entropy_BKP = F.binary_cross_entropy_with_logits(student_BKP, teacher_BKP.sigmoid(), reduction='none')
        total = (entropy_BKP.mean(dim=1) * weight_BP).sum()
        return {'loss': total / shared_normaliser(weight_BP.sum(), floor=1e-6)}
