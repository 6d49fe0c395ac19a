"""Object-DGCNN detector."""

from __future__ import annotations

from typing import Any

from mmdet3d.models.middle_encoders import PointPillarsScatter
from mmdet3d.models.voxel_encoders import DynamicPillarFeatureNet, DynamicSimpleVFE, DynamicVFE
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from torch import Tensor

from ...checkpoints import build_part
from ...detection import BEVDetector
from ...distributed.batch_norm import meets_other_ranks
from ...structures import BEVOutputs
from .pillar_map import scatter_pillars


@MODELS.register_module()
class ObjectDGCNN(BEVDetector):
    """LiDAR detector: voxels, BEV backbone and neck, object queries (Object-DGCNN, arXiv 2110.06923).

    Args:
        pts_voxel_encoder: Config of the voxel encoder: of hard voxels, for example
            :class:`~.pillar_encoder.FlatPillarFeatureNet` or mmdet3d's HardSimpleVFE, or of dynamic ones,
            :class:`~.scatter_encoder.ScatterVFE`.
        pts_middle_encoder: Config of the step from voxels to a BEV map: mmdet3d's PointPillarsScatter, or
            :class:`~.sparse_encoder.PortableSparseEncoder`.
        pts_backbone: Config of the BEV backbone, mmdet3d's SECOND.
        pts_neck: Config of the neck, ``mmdet.FPN``.
        pts_bbox_head: Config of the head.
        data_preprocessor: Config of a preprocessor with ``voxel=True`` and the ``voxel_type``, ``'hard'`` or
            ``'dynamic'``, that the voxel encoder reads.
        init_cfg: Initialisation, see mmengine.
        train_cfg: Empty or None, as mmdet3d's tools pass it; nothing reads it.
        test_cfg: The same.
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
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg, train_cfg, test_cfg)
        self.pts_voxel_encoder = build_part(pts_voxel_encoder)
        self.reads_points = isinstance(self.pts_voxel_encoder, DynamicVFE | DynamicSimpleVFE | DynamicPillarFeatureNet)
        self.pts_middle_encoder = build_part(pts_middle_encoder)
        self.pts_backbone = build_part(pts_backbone)
        self.pts_neck = MODELS.build(pts_neck)
        self.pts_bbox_head = MODELS.build(pts_bbox_head)

    def encode_points(self, inputs: dict[str, Any]) -> Tensor:
        """Encode voxels into the first BEV map, (B, C, H, W).

        Args:
            inputs: ``points``, list of B tensors, and ``voxels`` with ``voxels`` and ``coors``. Hard voxels are
                (V, P, D), with ``num_points`` (V,); dynamic ones are the points themselves, (P, D). ``coors`` is
                sample, z, y, x of each. There may be none.

        Raises:
            ValueError: If there are no voxels, or they are not of the kind that the encoder reads.
        """
        batch = len(inputs['points'])
        features, coors = self._encode_voxels(self._checked_voxels(inputs))
        encoder = self.pts_middle_encoder
        if type(encoder) is PointPillarsScatter:
            canvas = scatter_pillars(features, coors, batch, encoder.ny, encoder.nx)
        else:
            canvas = encoder(features, coors, batch)
        if len(features) == 0:
            # Zero, yet part of the graph, so that every rank has gradients.
            for parameter in self.pts_voxel_encoder.parameters():
                canvas = canvas + 0.0 * parameter.sum()
        return canvas

    def _checked_voxels(self, inputs: dict[str, Any]) -> dict[str, Tensor]:
        voxels: dict[str, Tensor] | None = inputs.get('voxels')
        kind = 'dynamic' if self.reads_points else 'hard'
        if voxels is None or ('num_points' in voxels) == self.reads_points:
            raise ValueError(
                f"{type(self.pts_voxel_encoder).__name__} reads {kind} voxels, inputs['voxels'] with voxels, coors and "
                f'{"without" if self.reads_points else "with"} num_points; '
                f'got {None if voxels is None else sorted(voxels)}. '
                f"Give the data_preprocessor voxel=True, voxel_type='{kind}' and a voxel_layer, and the pipeline points"
            )
        return voxels

    def _encode_voxels(self, voxels: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Compute features of the voxels, (V, C), and their coordinates, (V, 4)."""
        values, coors = voxels['voxels'], voxels['coors']
        if len(values) == 0 and not meets_other_ranks(self.pts_voxel_encoder):
            return values.new_zeros(0, self.pts_middle_encoder.in_channels), coors.long()
        if self.reads_points:
            features, coors = self.pts_voxel_encoder(values, coors)
            return features, coors
        return self.pts_voxel_encoder(values, voxels['num_points'], coors), coors

    def extract_feat(self, inputs: dict[str, Any]) -> tuple[Tensor, ...]:
        """Return the BEV levels of the neck, the finest first."""
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
