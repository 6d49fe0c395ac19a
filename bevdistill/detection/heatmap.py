"""Auxiliary centre heatmap on a BEV map: layers under the parameter names of the released checkpoints, and loss."""

from __future__ import annotations

from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmdet3d.models.dense_heads.centerpoint_head import SeparateHead
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..distributed.reductions import shared_normaliser
from ..structures import BEVGrid, Targets
from .gaussian import heatmap_targets


class AuxHeatmapMixin:
    """Auxiliary heatmap layers of a detection head.

    A mix-in and not a module of its own, because released weights keep these layers directly on the head:
    ``shared_conv.{conv,bn}`` (3x3 convolution, batch norm, ReLU) and ``task_heads.0.heatmap.N`` (CenterPoint's
    separate head for one task that holds all classes).
    """

    shared_conv: nn.Module | None
    task_heads: nn.ModuleList | None
    detach_heatmap_input: bool

    def build_aux_heatmap(self, in_channels: int, num_classes: int, cfg: dict[str, Any] | None) -> None:
        """Build the layers, or none.

        Args:
            in_channels: Channels of the BEV map.
            num_classes: Channels of the heatmap.
            cfg: None for no heatmap, else the arguments of :meth:`_add_layers` beside the first two.
        """
        self.shared_conv = None
        self.task_heads = None
        self.detach_heatmap_input = False
        if cfg is not None:
            self._add_layers(in_channels, num_classes, **cfg)

    def _add_layers(
        self,
        in_channels: int,
        num_classes: int,
        share_channels: int | None = None,
        head_channels: int = 64,
        num_convs: int = 3,
        init_bias: float = -2.19,
        detach_input: bool = False,
    ) -> None:
        """Build the layers.

        Args:
            in_channels: Channels of the BEV map.
            num_classes: Channels of the heatmap.
            share_channels: Channels after the shared convolution, as many as the BEV map has by default.
            head_channels: Channels inside the heatmap branch.
            num_convs: Convolutions of the heatmap branch, the last one included; at least 2.
            init_bias: First bias of the heatmap logits.
            detach_input: Keep the heatmap's gradient out of the BEV map (as the released teacher does).

        Note:
            The release configures a bias of +2.19 that it never applies; CenterPoint's -2.19 (a prior of 0.1) is
            the default here. Start values are those of construction, as in the release, with and without
            ``init_weights``.
        """
        if num_convs < 2:
            raise ValueError(f'aux_heatmap needs num_convs >= 2, got {num_convs}')
        share_channels = share_channels or in_channels
        self.shared_conv = ConvModule(in_channels, share_channels, 3, padding=1, norm_cfg=dict(type='BN2d'))
        branch = SeparateHead(
            share_channels,
            heads=dict(heatmap=(num_classes, num_convs)),
            head_conv=head_channels,
            final_kernel=3,
            init_bias=init_bias,
        )
        branch.heatmap[-1].bias.data.fill_(init_bias)
        # Torch's list hides the branch from mmengine's init_weights, whose Kaiming start of the last convolution would
        # overrule the prior: logits of +-2 in every cell, a first loss of hundreds.
        self.task_heads = nn.ModuleList([branch])
        self.detach_heatmap_input = detach_input

    def run_aux_heatmap(self, bev_BCHW: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Predict the heatmap of a BEV map.

        Args:
            bev_BCHW: BEV map.

        Returns:
            Class logits (B, K, H, W) and shared features (B, C', H, W); (None, None) without a heatmap.
        """
        if self.shared_conv is None:
            return None, None
        assert self.task_heads is not None
        features_BCHW = self.shared_conv(bev_BCHW.detach() if self.detach_heatmap_input else bev_BCHW)
        return self.task_heads[0](features_BCHW)['heatmap'], features_BCHW


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
