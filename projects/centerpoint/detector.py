"""CenterPoint as a teacher: mmdet3d's detector, adapted to what the distiller reads."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from mmdet3d.models.detectors import CenterPoint
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.config import ConfigDict
from torch import Tensor

from bevdistill.structures import CODE_SIZE, BEVGrid, BEVOutputs


@MODELS.register_module()
class BEVCenterPoint(CenterPoint):
    """mmdet3d's CenterPoint (arXiv 2006.11275) that offers its BEV map and its heatmap to be learned from.

    It has no queries: `taps` says what it offers, and a distiller refuses losses that want more before it trains. It
    trains and tests alone as any detector of mmdet3d; public weights of mmdet3d load as they are.

    Args:
        grid: Range and size of the neck's map, ``dict(point_cloud_range, rows, cols)``.
        pts_bbox_head: Config of the head, :class:`~.head.OrderedCenterHead`.
        train_cfg: See mmdet3d.
        test_cfg: See mmdet3d.
        **kwargs: Other parts, see mmdet3d; those of images are not used.
    """

    taps = ('bev', 'heatmap', 'heatmap_features')

    def __init__(
        self,
        grid: dict[str, Any],
        pts_bbox_head: dict[str, Any],
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        # The parent writes into the head's config, and reads these two by attribute.
        super().__init__(
            pts_bbox_head=deepcopy(pts_bbox_head),
            train_cfg=ConfigDict(train_cfg or {}),
            test_cfg=ConfigDict(test_cfg or {}),
            **kwargs,
        )
        self.grid = BEVGrid.from_config(**grid)
        self.num_classes = sum(self.pts_bbox_head.num_classes)

    def extract_pts_feat(
        self,
        voxel_dict: dict[str, Tensor] | None,
        points: list[Tensor],
        img_feats: Sequence[Tensor] | None = None,
        batch_input_metas: list[dict[str, Any]] | None = None,
    ) -> list[Tensor]:
        """BEV levels of the neck, see mmdet3d.

        Raises:
            ValueError: If there are no hard voxels.
        """
        if voxel_dict is None or 'num_points' not in voxel_dict:
            raise ValueError(
                "BEVCenterPoint reads hard voxels, inputs['voxels'] with voxels, num_points and coors; got "
                f"{None if voxel_dict is None else sorted(voxel_dict)}. Give the data_preprocessor voxel=True, "
                "voxel_type='hard' and a voxel_layer, and the pipeline points"
            )
        features = self.pts_voxel_encoder(voxel_dict['voxels'], voxel_dict['num_points'], voxel_dict['coors'])
        # The parent takes the number of samples from the last voxel: a last sample without points would be missing.
        bev_BCHW = self.pts_middle_encoder(features, voxel_dict['coors'], len(points))
        levels: list[Tensor] = self.pts_neck(self.pts_backbone(bev_BCHW))
        return levels

    def forward_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample] | None = None) -> BEVOutputs:
        """Run the network as far as the heatmap.

        Args:
            inputs: ``points``, list of B tensors, and hard ``voxels`` of the data preprocessor.
            samples: Not used; a camera detector reads its calibration there.

        Returns:
            Outputs without queries: the map is the neck's, the heatmap's classes are in the data set's order, the
            heatmap's features are those of the head's shared convolution.
        """
        bev_BCHW = self.extract_pts_feat(inputs.get('voxels'), inputs['points'])[0]
        heatmap_BKHW, features_BCHW = self.pts_bbox_head.heatmap(bev_BCHW)
        none = bev_BCHW.new_zeros(1, len(bev_BCHW), 0, 1)
        return BEVOutputs(
            grid=self.grid,
            bev=bev_BCHW,
            states=none,
            logits=none.expand(-1, -1, -1, self.num_classes),
            codes=none.expand(-1, -1, -1, CODE_SIZE),
            references=none.expand(-1, -1, -1, 3),
            heatmap=heatmap_BKHW,
            heatmap_features=features_BCHW,
        )

    def _forward(self, inputs: dict[str, Any], samples: list[Det3DDataSample], **kwargs: Any) -> BEVOutputs:
        return self.forward_outputs(inputs, samples)
