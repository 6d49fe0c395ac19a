"""Object-DGCNN detector."""

from __future__ import annotations

from typing import Any

import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from torch import Tensor

from ...layers import BEVDetector
from ...structures import BEVOutputs


@MODELS.register_module()
class ObjectDGCNN(BEVDetector):
    """LiDAR detector: voxels, BEV backbone and neck, object queries (Object-DGCNN, arXiv 2110.06923).

    Args:
        pts_voxel_encoder: Config of the encoder of hard voxels, for example mmdet3d's PillarFeatureNet.
        pts_middle_encoder: Config of the step from voxels to a BEV map, for example mmdet3d's PointPillarsScatter.
        pts_backbone: Config of the BEV backbone, mmdet3d's SECOND.
        pts_neck: Config of the neck, ``mmdet.FPN``.
        pts_bbox_head: Config of the head.
        data_preprocessor: Config of a preprocessor with ``voxel=True, voxel_type='hard'``.
        init_cfg: Initialisation, see mmengine.
    """

    def __init__(
        self,
        pts_voxel_encoder: dict[str, Any],
        pts_middle_encoder: dict[str, Any],
        pts_backbone: dict[str, Any],
        pts_neck: dict[str, Any],
        pts_bbox_head: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.pts_voxel_encoder = MODELS.build(pts_voxel_encoder)
        self.pts_middle_encoder = MODELS.build(pts_middle_encoder)
        self.pts_backbone = MODELS.build(pts_backbone)
        self.pts_neck = MODELS.build(pts_neck)
        self.pts_bbox_head = MODELS.build(pts_bbox_head)

    def encode_points(self, inputs: dict[str, Any]) -> Tensor:
        """From voxels to the first BEV map, (B, C, H, W).

        Args:
            inputs: ``points``, list of B tensors, and ``voxels`` with ``voxels`` (V, P, D), ``num_points`` (V,) and
                ``coors`` (V, 4) as sample, z, y, x. V may be 0.

        Raises:
            ValueError: If there are no voxels, or they are not hard ones.
        """
        voxels = inputs.get('voxels')
        if voxels is None or 'num_points' not in voxels:
            raise ValueError(
                "ObjectDGCNN reads hard voxels, inputs['voxels'] with voxels, num_points and coors; "
                f'got {None if voxels is None else sorted(voxels)}. '
                "Give the data_preprocessor voxel=True, voxel_type='hard' and a voxel_layer, and the pipeline points"
            )
        batch = len(inputs['points'])
        if len(voxels['voxels']) == 0:
            return self._empty_canvas(voxels['voxels'], batch)
        features = self.pts_voxel_encoder(voxels['voxels'], voxels['num_points'], voxels['coors'])
        return self.pts_middle_encoder(features, voxels['coors'], batch)

    def _empty_canvas(self, voxels: Tensor, batch: int) -> Tensor:
        """BEV map of a batch without any point: zero, yet part of the graph, so that every rank has gradients."""
        features = voxels.new_zeros(0, self.pts_middle_encoder.in_channels)
        coors = torch.zeros(0, 4, dtype=torch.long, device=voxels.device)
        canvas: Tensor = self.pts_middle_encoder(features, coors, batch)
        parameters = [parameter.sum() for parameter in self.pts_voxel_encoder.parameters()]
        return canvas + 0.0 * torch.stack(parameters).sum() if parameters else canvas

    def extract_feat(self, inputs: dict[str, Any]) -> tuple[Tensor, ...]:
        """BEV levels of the neck, the finest first."""
        levels: tuple[Tensor, ...] = self.pts_neck(self.pts_backbone(self.encode_points(inputs)))
        return levels

    def forward_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample] | None = None) -> BEVOutputs:
        """Run the network.

        Args:
            inputs: See :meth:`encode_points`.
            samples: Not used; a camera detector reads its calibration there.

        Returns:
            Outputs whose BEV map is the neck's finest level.
        """
        outputs: BEVOutputs = self.pts_bbox_head(self.extract_feat(inputs))
        return outputs
