"""Make up the sensor data of a nuScenes-like sample, for what needs inputs of the right shapes and no data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from torch import Tensor

from ..datasets.transforms import build_camera_stages
from ..datasets.transforms.images import lidar2img_matrix
from ..structures.cameras import CAMERAS
from ..synthetic.rig import LIDAR, make_rig
from ..synthetic.settings import CameraSettings

POINTS = 250_000
"""Points of a nuScenes keyframe and nine sweeps, about."""


@dataclass(frozen=True)
class MadeUpSensors:
    """Grey images of a nuScenes-like rig and random points around a car that stands still.

    Args:
        dataset: Config of the test data set, whose image stages resize and crop.
        image_size: Height and width of the images on disk, None for no cameras.
        points: Number of LiDAR points, 0 for no LiDAR.
    """

    dataset: Mapping[str, Any]
    image_size: tuple[int, int] | None
    points: int = POINTS

    def batch(self, frame: int) -> dict[str, Any]:
        """Collate a batch of one sample as a data loader does: frame number `frame` of a drive."""
        meta = dict(
            token=f'made-up-{frame}',
            scene_token='made-up',
            frame_idx=frame,
            can_bus=np.zeros((1, 18), dtype=np.float32),
            can_bus_absolute=np.zeros(18),
            history_exists=np.zeros(1, dtype=bool),
            box_type_3d=LiDARInstance3DBoxes,
        )
        inputs: dict[str, Any] = {}
        if self.image_size is not None:
            cameras = self.cameras(self.image_size)
            meta['lidar2img'] = np.stack(
                [lidar2img_matrix(*pair) for pair in zip(cameras['cam2img'], cameras['lidar2cam'], strict=True)]
            )[None].astype(np.float32)
            meta['img_shape'] = [image.shape[:2] for image in cameras['img']]
            inputs['img'] = [torch.from_numpy(np.stack(cameras['img'])).permute(0, 3, 1, 2)[None].contiguous()]
        if self.points:
            inputs['points'] = [self.cloud(np.random.default_rng(0))]
        return dict(inputs=inputs, data_samples=[Det3DDataSample(metainfo=meta)])

    def cameras(self, image_size: tuple[int, int]) -> dict[str, Any]:
        """Make images and matrices of the six cameras and apply the data set's own image stages."""
        height, width = image_size
        rig = make_rig(np.random.default_rng(0), CameraSettings(height, width, pitch_jitter=0.0, focal_jitter=0.0))
        results: dict[str, Any] = dict(
            img=[np.full((height, width, 3), 128, dtype=np.uint8) for _ in CAMERAS],
            cam2img=[rig[camera].intrinsic for camera in CAMERAS],
            lidar2cam=[np.linalg.inv(rig[camera].to_ego) @ rig[LIDAR].to_ego for camera in CAMERAS],
        )
        for stage in build_camera_stages(self.dataset['pipeline']):
            results = stage(results)
        return results

    def cloud(self, rng: np.random.Generator) -> Tensor:
        """Draw points (P, 5) as dense as those of a spinning LiDAR: equally many in each ring of equal width."""
        distance, angle = rng.uniform(2.0, 50.0, self.points), rng.uniform(0, 2 * np.pi, self.points)
        height, intensity = rng.uniform(-2.5, 1.0, self.points), rng.uniform(0, 255, self.points)
        columns = (distance * np.cos(angle), distance * np.sin(angle), height, intensity, np.zeros(self.points))
        return torch.from_numpy(np.stack(columns, axis=1).astype(np.float32))
