"""mmdet3d's pillar encoder, with less work on a CPU.

Legend: V pillars, P places for points in a pillar, N points that are there, D numbers of a point, C channels.
"""

from __future__ import annotations

from typing import Any

import torch
from mmdet3d.models.voxel_encoders import PillarFeatureNet
from mmdet3d.models.voxel_encoders.utils import PFNLayer
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ...distributed.batch_norm import track

NORM = dict(type='BN1d', eps=1e-3, momentum=0.01)


class FlatPFNLayer(PFNLayer):
    """PFNLayer that normalises all points in one list, or where that is the same the largest of each pillar alone."""

    def forward(self, inputs: Tensor, num_voxels: Tensor | None = None) -> Tensor:
        """As the parent without aligned distances: (V, P, D) to (V, 1, C), or (V, P, 2C) if not the last layer."""
        if num_voxels is not None and self._pools_first(inputs):
            return self._pooled_first(inputs, num_voxels)
        x_VPC = self.linear(inputs)
        x_VPC = self.norm(x_VPC.flatten(0, 1)).view_as(x_VPC).relu()
        if self.mode == 'max':
            pooled_V1C = x_VPC.max(dim=1, keepdim=True)[0]
        else:
            assert num_voxels is not None
            pooled_V1C = x_VPC.sum(dim=1, keepdim=True) / num_voxels.type_as(inputs).view(-1, 1, 1)
        return pooled_V1C if self.last_vfe else torch.cat((x_VPC, pooled_V1C.expand_as(x_VPC)), dim=-1)

    def _pools_first(self, inputs: Tensor) -> bool:
        """Tell whether the one layer of an encoder is to do with the points that are there.

        Not on devices, where counting them would be to wait; nor with batch norms that meet other ranks.
        """
        plain = type(self.norm) is nn.BatchNorm1d or not self.norm.training
        complete = self.norm.affine and self.norm.track_running_stats
        first = inputs.device.type == 'cpu' and not inputs.requires_grad and len(inputs) > 0
        return bool(self.last_vfe and self.mode == 'max' and plain and complete and first)

    def _pooled_first(self, inputs_VPD: Tensor, num_points_V: Tensor) -> Tensor:
        """Pool before the batch norm, which is linear once its statistics are known; (V, 1, C).

        With ``y = W x``, ``max relu(a y + b) = relu(a max(y) + b)`` for a >= 0, and with min(y) for a < 0. The mean of
        y is ``W mean(x)``, its variance ``W cov(x) W^T``. Empty places count in all of them, with y = 0.
        """
        places = inputs_VPD.shape[1]
        there_VP = torch.arange(places) < num_points_V[:, None]
        points_ND, pillar_N = inputs_VPD[there_VP], there_VP.nonzero()[:, 0]
        with torch.autocast('cpu', enabled=False):
            mean_C, variance_C = self._statistics(points_ND, len(inputs_VPD) * places)
            scale_C = self.norm.weight * (variance_C + self.norm.eps).rsqrt()
            sign_C = torch.where(scale_C.detach() < 0, -1.0, 1.0)
            y_NC = points_ND @ (self.linear.weight * sign_C[:, None]).T
            lowest_V = torch.where(num_points_V < places, 0.0, -torch.inf).to(y_NC)
            largest_VC = lowest_V[:, None].repeat(1, self.units)
            largest_VC = largest_VC.scatter_reduce(0, pillar_N[:, None].expand_as(y_NC), y_NC, 'amax')
            pooled_VC = (largest_VC * (scale_C * sign_C) + (self.norm.bias - scale_C * mean_C)).relu()
        return pooled_VC[:, None].to(inputs_VPD.dtype)

    def _statistics(self, points_ND: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Return the batch norm's mean and variance of all `count` places, (C,), and keep its running ones."""
        if not self.norm.training:
            return self.norm.running_mean, self.norm.running_var
        x_ND = points_ND.double()
        mean_D = x_ND.sum(dim=0) / count
        centred_ND = x_ND - mean_D
        empty_DD = (count - len(x_ND)) * mean_D.outer(mean_D)
        covariance_DD = (centred_ND.T @ centred_ND + empty_DD) / count
        weight_CD = self.linear.weight.double()
        mean_C = (weight_CD @ mean_D).to(points_ND)
        variance_C = ((weight_CD @ covariance_DD) * weight_CD).sum(dim=1).to(points_ND)
        track(self.norm, mean_C, variance_C, mean_C.new_tensor(count))
        return mean_C, variance_C


@MODELS.register_module()
class FlatPillarFeatureNet(PillarFeatureNet):
    """PillarFeatureNet (PointPillars, arXiv 1812.05784) with the same numbers and parameter names, faster on a CPU.

    The parent hands (V, C, P) to its batch norm, whose short last axis and two transposing copies make it the most
    expensive step of a small detector on a CPU. With one layer, empty places cost nothing there, see
    :class:`FlatPFNLayer`; else the statistics are taken over a (V * P, C) list.

    Args:
        feat_channels: Channels of each layer.
        norm_cfg: Config of the batch norm.
        **kwargs: Further arguments of the parent; `legacy` is False by default here.
    """

    def __init__(
        self, feat_channels: tuple[int, ...] = (64,), norm_cfg: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        norm_cfg = norm_cfg or NORM
        super().__init__(feat_channels=feat_channels, norm_cfg=norm_cfg, **{'legacy': False, **kwargs})
        parents: list[PFNLayer] = list(self.pfn_layers)
        self.pfn_layers: nn.ModuleList = nn.ModuleList(
            FlatPFNLayer(
                parent.linear.in_features,
                parent.units if parent.last_vfe else 2 * parent.units,
                norm_cfg=norm_cfg,
                last_layer=parent.last_vfe,
                mode=parent.mode,
            )
            for parent in parents
        )
