"""PKD: imitate the pattern of each channel, whatever its mean and its scale."""

from __future__ import annotations

from typing import Any, Literal

import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor

from bevdistill.distributed.reductions import mean_over_samples
from bevdistill.losses import MapLoss
from bevdistill.structures import BEVOutputs, Targets


@MODELS.register_module()
class PearsonBEVLoss(MapLoss):
    """Squared error of BEV maps that are standardised per channel (PKD, arXiv 2207.02039, section 3.2).

    With hats for maps of mean 0 and standard deviation 1 over the cells of a sample, per channel, and r the Pearson
    correlation coefficient of a channel's two maps::

        loss = 1/2 mean_bcp (S^_bcp - T^_bcp)^2 = mean_bc (1 - r_bc)

    It lies in [0, 2] whatever the features' magnitudes are, so that its weight carries over between teachers. The
    teacher's map is resized to the student's grid. A batch is the mean of its samples.

    Note:
        mmrazor's implementation takes the statistics over all samples of a GPU's batch; here each sample has its own,
        so that the loss depends neither on the batch size nor on the number of ranks. With one sample per GPU, as in
        the full-scale configs, both agree. A channel that is constant in one of the two maps has no pattern to learn:
        it adds 1/2 of its own weight and no gradient to speak of.

    Args:
        tap: Which map, ``'bev'`` or ``'heatmap_features'``.
        adapter: Config of a module from student to teacher channels, None when there are equally many.

    Raises:
        ValueError: If `tap` is unknown; in forward, if channels differ.
    """

    def __init__(
        self, tap: Literal['bev', 'heatmap_features'] = 'bev', adapter: dict[str, Any] | None = None
    ) -> None:
        super().__init__(tap, adapter)

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute ``loss``, see :meth:`MapLoss.forward`."""
        student_BCHW, teacher_BCHW = self.aligned_maps(student, teacher)
        error_BCHW = (standardise(student_BCHW) - standardise(teacher_BCHW)).square()
        return {'loss': 0.5 * mean_over_samples(error_BCHW.mean(dim=(1, 2, 3)))}


def standardise(map_BCHW: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1 over the cells of each sample and channel; 0 where a channel is constant."""
    return F.instance_norm(map_BCHW, eps=1e-6)
