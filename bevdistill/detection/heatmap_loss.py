"""Loss of an auxiliary centre heatmap."""

from __future__ import annotations

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..distributed.reductions import shared_normaliser
from ..structures import BEVGrid, Targets
from .gaussian import heatmap_targets


@MODELS.register_module()
class HeatmapLoss(nn.Module):
    """Gaussian focal loss of class heatmaps against ground truth (CenterPoint, arXiv 2006.11275).

    With p the sigmoid of the logits, clamped to [1e-4, 1 - 1e-4], and t the target of
    :func:`~bevdistill.detection.gaussian.heatmap_targets`::

        loss = weight / max(#{t = 1}, 1) * sum( -(1 - p)^alpha log p        where t = 1
                                                -(1 - t)^gamma p^alpha log(1 - p)   elsewhere )

    The count of peaks is that of all ranks. With weights of samples (:attr:`Targets.weights`) every term of both sums
    is multiplied by its sample's.

    Args:
        loss_weight: Weight.
        alpha: Focal power.
        gamma: Power of the penalty reduction around a peak.
        min_overlap: Radius rule, see :func:`~bevdistill.detection.gaussian.gaussian_radius`.
        min_radius: Smallest radius in cells.

    Note:
        The originals overwrite the logits with probabilities while computing this loss; here they stay logits.
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        alpha: float = 2.0,
        gamma: float = 4.0,
        min_overlap: float = 0.1,
        min_radius: int = 1,
    ) -> None:
        super().__init__()
        self.focal = MODELS.build(
            dict(type='mmdet.GaussianFocalLoss', alpha=alpha, gamma=gamma, loss_weight=loss_weight)
        )
        self.min_overlap = min_overlap
        self.min_radius = min_radius

    def forward(self, logits_BKHW: Tensor, targets: Targets, grid: BEVGrid) -> Tensor:
        """Compute the loss.

        Args:
            logits_BKHW: Heatmap logits, (B, K, H, W).
            targets: Ground truth of the batch.
            grid: Grid of the heatmap.

        Returns:
            Scalar.
        """
        target_BKHW = heatmap_targets(targets, grid, logits_BKHW.shape[1], self.min_overlap, self.min_radius)
        with torch.autocast(logits_BKHW.device.type, enabled=False):
            probability_BKHW = logits_BKHW.float().sigmoid().clamp(1e-4, 1 - 1e-4)
            weight_B111 = targets.sample_weights(probability_BKHW)[:, None, None, None]
            peaks = shared_normaliser((target_BKHW.eq(1) * weight_B111).sum(), floor=1)
            return self.focal(probability_BKHW, target_BKHW, weight=weight_B111, avg_factor=peaks)
