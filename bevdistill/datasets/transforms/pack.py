"""Pack a sample for the preprocessor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet3d.datasets.transforms import Pack3DDetInputs
from mmdet3d.registry import TRANSFORMS

KEYS = ('img', 'points', 'gt_bboxes_3d', 'gt_labels_3d')

META_KEYS = (
    'sample_idx',
    'token',
    'scene_token',
    'frame_idx',
    'timestamp',
    'box_type_3d',
    'box_mode_3d',
    'can_bus',
    'can_bus_absolute',
    'history_exists',
    'ego2global',
    'lidar2img',
    'lidar2cam',
    'cam2img',
    'img_shape',
    'img_path',
    'cameras',
    'lidar_path',
    'num_pts_feats',
)


@TRANSFORMS.register_module()
class PackBEVInputs(Pack3DDetInputs):
    """Pack images as (T, N, 3, h, w) and points as (P, 5), with the metadata of a BEV detector.

    Keys that a sample lacks are left out, so one configuration serves camera, LiDAR, both, and testing.

    Args:
        keys: Entries that are packed when present.
        meta_keys: Entries that become metainfo of the data sample when present.
        one_frame: Leave out the history, and the dimension T of images and ``lidar2img``: what mmdet3d's visualizer
            draws, and no detector here reads.
    """

    def __init__(
        self, keys: Sequence[str] = KEYS, meta_keys: Sequence[str] = META_KEYS, one_frame: bool = False
    ) -> None:
        super().__init__(keys=tuple(keys), meta_keys=tuple(meta_keys))
        self.one_frame = one_frame

    def pack_single_results(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample."""
        if self.one_frame and 'img' in results:
            current = results['lidar2img'][-1]
            results = {**results, 'img': results['img'][-len(current) :], 'lidar2img': current}
        packed: dict[str, Any] = super().pack_single_results(results)
        if 'img' in packed['inputs'] and not self.one_frame:
            packed['inputs']['img'] = packed['inputs']['img'].unflatten(0, results['lidar2img'].shape[:2])
        return packed
