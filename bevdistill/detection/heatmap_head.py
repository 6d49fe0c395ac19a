"""Auxiliary centre heatmap on a BEV map, under the parameter names of the released checkpoints."""

from __future__ import annotations

from typing import Any

from mmcv.cnn import ConvModule
from mmdet3d.models.dense_heads.centerpoint_head import SeparateHead
from torch import Tensor, nn


class AuxHeatmapMixin:
    """Adds the auxiliary heatmap layers to a detection head.

    A mix-in and not a module of its own, because released weights keep these layers directly on the head:
    ``shared_conv.{conv,bn}`` (3x3 convolution, batch norm, ReLU) and ``task_heads.0.heatmap.N`` (CenterPoint's
    separate head for one task that holds all classes).
    """

    shared_conv: nn.Module | None
    task_heads: nn.ModuleList | None
    detach_heatmap_input: bool

    def build_aux_heatmap(self, in_channels: int, num_classes: int, cfg: dict[str, Any] | None) -> None:
        """Make the layers, or none.

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
        """Make the layers.

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
        """Heatmap of a BEV map.

        Args:
            bev_BCHW: BEV map.

        Returns:
            Class logits (B, K, H, W) and shared features (B, C', H, W); two times None for a head without heatmap.
        """
        if self.shared_conv is None or self.task_heads is None:
            return None, None
        features_BCHW = self.shared_conv(bev_BCHW.detach() if self.detach_heatmap_input else bev_BCHW)
        return self.task_heads[0](features_BCHW)['heatmap'], features_BCHW
