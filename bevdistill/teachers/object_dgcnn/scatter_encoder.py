"""mmdet3d's encoder of dynamic voxels on any device.

Legend: P points, V voxels, D numbers of a point, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet3d.models.voxel_encoders import DynamicVFE
from mmdet3d.registry import MODELS
from torch import Tensor

from ...structures.constants import constant_like

NORM = dict(type='BN1d', eps=1e-3, momentum=0.01)


@MODELS.register_module()
class ScatterVFE(DynamicVFE):
    """Encoder of voxels with any number of points (MVF, arXiv 1910.06528), as BEVDistill's teacher has it.

    A point is described by its own numbers, its offset from the mean of its voxel's points and its offset from the
    voxel's centre. Each layer is ``f = relu(bn(W x))`` per point and ``v = max over the voxel's points of f``; between
    layers every point gets ``(f, v)``. Parameter names are those of mmdet3d's ``DynamicVFE``.

    It always computes in float32: a coordinate of 50 m in half precision is off by centimetres.

    Note:
        mmdet3d pools by ``DynamicScatter``, which has no CPU kernel; here by torch's scatter operations. Points
        outside the range, whose coordinates the voxelisation sets to -1, are left out from the start; mmdet3d lets
        them into the batch norms and leaves them out when it pools.

    Args:
        in_channels: D.
        feat_channels: C of each layer.
        voxel_size: x, y, z, metres.
        point_cloud_range: x, y, z minimum, then maximum, metres.
        with_cluster_center: Describe points by their offset from the mean.
        with_voxel_center: Describe points by their offset from the centre.
        with_distance: Describe points by their distance from the origin.
        mode: ``'max'`` or ``'avg'``, how a voxel is made from its points.
        norm_cfg: Config of the batch norm.

    Raises:
        ValueError: If `mode` is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        feat_channels: Sequence[int],
        voxel_size: Sequence[float],
        point_cloud_range: Sequence[float],
        with_cluster_center: bool = True,
        with_voxel_center: bool = True,
        with_distance: bool = False,
        mode: str = 'max',
        norm_cfg: dict[str, Any] | None = None,
    ) -> None:
        if mode not in ('max', 'avg'):
            raise ValueError(f"mode of ScatterVFE must be 'max' or 'avg', got {mode!r}")
        super().__init__(
            in_channels=in_channels,
            feat_channels=list(feat_channels),
            with_distance=with_distance,
            with_cluster_center=with_cluster_center,
            with_voxel_center=with_voxel_center,
            voxel_size=tuple(voxel_size),
            point_cloud_range=tuple(point_cloud_range),
            norm_cfg=norm_cfg or NORM,
            mode=mode,
        )
        del self.vfe_scatter, self.cluster_scatter
        self.mode = mode
        low, high = point_cloud_range[:3], point_cloud_range[3:]
        x, y, z = (round((b - a) / size) for a, b, size in zip(low, high, voxel_size, strict=True))
        self.grid_shape = (z, y, x)

    @property
    def out_channels(self) -> int:
        """Return C of the last layer."""
        return int(self.vfe_layers[-1][0].out_features)

    def forward(self, features: Tensor, coors: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            features: Points, (P, D), metres first.
            coors: Voxel of each point as sample, z, y, x, (P, 4) integers; a point with a negative one is left out.
            *args: Not used; mmdet3d's callers hand over more.
            **kwargs: Not used.

        Returns:
            Features of the voxels that have points, (V, C) float32, and their coordinates, (V, 4), sorted.
        """
        inside_P = (coors >= 0).all(dim=1)
        features_PD, coors_P4 = features[inside_P].float(), coors[inside_P]
        voxels_V4, voxel_of_P = self._group(coors_P4)
        count = len(voxels_V4)
        if count == 0:
            return features_PD.new_zeros(0, self.out_channels), voxels_V4
        with torch.autocast(features.device.type, enabled=False):
            x_PC = self._describe(features_PD, coors_P4, voxel_of_P, count)
            for i, layer in enumerate(self.vfe_layers):
                x_PC = layer(x_PC)
                pooled_VC = _pool(x_PC, voxel_of_P, count, self.mode)
                if i < self.num_vfe - 1:
                    x_PC = torch.cat((x_PC, pooled_VC[voxel_of_P]), dim=1)
        return pooled_VC, voxels_V4

    def _group(self, coors_P4: Tensor) -> tuple[Tensor, Tensor]:
        """Find the distinct voxels, (V, 4), and the voxel of each point, (P,)."""
        sizes = (1, *self.grid_shape)
        # One integer per voxel: torch.unique sorts integers far faster than rows.
        key_P = coors_P4[:, 0].long()
        for axis in (1, 2, 3):
            key_P = key_P * sizes[axis] + coors_P4[:, axis]
        key_V, voxel_of_P = torch.unique(key_P, return_inverse=True)
        columns = []
        for size in reversed(self.grid_shape):
            columns.append(key_V % size)
            key_V = key_V.div(size, rounding_mode='floor')
        return torch.stack((key_V, *reversed(columns)), dim=1).to(coors_P4.dtype), voxel_of_P

    def _describe(self, features_PD: Tensor, coors_P4: Tensor, voxel_of_P: Tensor, count: int) -> Tensor:
        described = [features_PD]
        xyz_P3 = features_PD[:, :3]
        if self._with_cluster_center:
            described.append(xyz_P3 - _pool(xyz_P3, voxel_of_P, count, 'avg')[voxel_of_P])
        if self._with_voxel_center:
            size = constant_like((self.vx, self.vy, self.vz), xyz_P3)
            first = constant_like((self.x_offset, self.y_offset, self.z_offset), xyz_P3)
            described.append(xyz_P3 - (coors_P4[:, [3, 2, 1]] * size + first))
        if self._with_distance:
            described.append(xyz_P3.norm(dim=1, keepdim=True))
        return torch.cat(described, dim=1)


def _pool(x_PC: Tensor, voxel_of_P: Tensor, count: int, mode: str) -> Tensor:
    """Reduce the points of each voxel by maximum or mean, (V, C); every voxel has a point."""
    if mode == 'max':
        index_PC = voxel_of_P[:, None].expand_as(x_PC)
        # include_self=False: the initial zeros do not count.
        return x_PC.new_zeros(count, x_PC.shape[1]).scatter_reduce(0, index_PC, x_PC, 'amax', include_self=False)
    sums_VC = x_PC.new_zeros(count, x_PC.shape[1]).index_add(0, voxel_of_P, x_PC)
    return sums_VC / torch.bincount(voxel_of_P, minlength=count)[:, None]
