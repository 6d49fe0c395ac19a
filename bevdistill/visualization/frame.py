"""Read one sample from what a data pipeline returns, for pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.structures import InstanceData
from numpy.typing import NDArray

from ..structures import BEVGrid, Targets
from ..structures.cameras import CAMERAS
from .boxes import BoxSet

Array = NDArray[np.float64]
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """Sensor data and ground truth of one sample.

    Args:
        token: Name of the sample.
        images: RGB image (height, width, 3) per camera name; empty without cameras.
        lidar2img: LiDAR frame to pixels of that image, (4, 4), per camera name.
        points: LiDAR points (P, >= 3) in metres, or None.
        truth: Ground-truth boxes, or None where the sample has none.
    """

    token: str
    images: dict[str, Image] = field(default_factory=dict)
    lidar2img: dict[str, Array] = field(default_factory=dict)
    points: NDArray[np.float32] | None = None
    truth: BoxSet | None = None

    @classmethod
    def from_item(cls, inputs: Mapping[str, Any], sample: Det3DDataSample, truth: BoxSet | None = None) -> Frame:
        """Read one item of the data set, before the preprocessor.

        Args:
            inputs: ``img`` (T, N, 3, h, w), BGR in 0 to 255, and ``points`` (P, >= 3); either may be absent. The last
                entry of the queue is drawn.
            sample: Its data sample, with ``lidar2img`` (T, N, 4, 4) where there are images.
            truth: Ground truth to use; by default that of the sample.

        Raises:
            ValueError: If there are images but no ``lidar2img``, or of another number.
        """
        meta = sample.metainfo
        images: dict[str, Image] = {}
        lidar2img: dict[str, Array] = {}
        if inputs.get('img') is not None:
            current = torch.as_tensor(inputs['img'])[-1].detach().cpu()
            matrices = _current_matrices(meta, len(current))
            names = meta.get('cameras') or CAMERAS
            if len(names) != len(current):
                names = [f'camera {i}' for i in range(len(current))]
            for name, image, matrix in zip(names, current, matrices, strict=True):
                images[name] = image.flip(0).permute(1, 2, 0).clamp(0, 255).to(torch.uint8).numpy()
                lidar2img[name] = matrix
        points = inputs.get('points')
        if points is not None:
            points = torch.as_tensor(getattr(points, 'tensor', points)).detach().cpu().float().numpy()
        token = str(meta.get('token', meta.get('sample_idx', '')))
        return cls(token, images, lidar2img, points, truth_of(sample) if truth is None else truth)

    @classmethod
    def from_dataset(cls, dataset: Any, index: int) -> Frame:
        """Read sample `index` of a data set, with the annotations of its information file if the item has none.

        Args:
            dataset: The data set. In test mode its items hold no ground truth.
            index: Position in it.
        """
        item = dataset[index]
        return cls.from_item(item['inputs'], item['data_samples']).with_truth_of(dataset, index)

    def with_truth_of(self, dataset: Any, index: int) -> Frame:
        """Return a copy with the ground truth of a data set's information file, unless it has its own."""
        return self if self.truth is not None else replace(self, truth=truth_of_info(dataset.get_data_info(index)))

    def with_points_of(self, dataset: Any, index: int) -> Frame:
        """Return a copy with the LiDAR points of sample `index` of a data set, if it has none and the root has them."""
        lidar = dataset.get_data_info(index).get('lidar_points') or {}
        if self.points is not None or 'lidar_path' not in lidar:
            return self
        from ..datasets.transforms import LoadLidarPoints  # has what predictions alone do without

        # A data set of cameras alone leaves the path as it is in the information file.
        path = Path(dataset.data_prefix.get('pts', '')) / lidar['lidar_path']
        if not path.is_file():
            return self
        size = lidar.get('num_pts_feats', 5)
        loader = LoadLidarPoints(load_dim=size, use_dim=size)
        record = dict(token=self.token, lidar_points={**lidar, 'lidar_path': str(path)})
        return replace(self, points=loader.transform(record)['points'].tensor.float().numpy())

    def filled_from(self, other: Frame) -> Frame:
        """Return a copy whose missing parts come from another view of the same sample."""
        return replace(
            self,
            images=self.images or other.images,
            lidar2img=self.lidar2img or other.lidar2img,
            points=other.points if self.points is None else self.points,
            truth=other.truth if self.truth is None else self.truth,
        )

    def within(self, grid: BEVGrid) -> Frame:
        """Return a copy with only the ground truth whose centre lies on the grid, which a model can find."""
        return self if self.truth is None else replace(self, truth=self.truth.within(grid))

    def targets(self, device: torch.device | str | None = None) -> Targets:
        """Convert the ground truth to targets of a batch of one; empty where there is none."""
        if self.truth is None:
            return Targets((torch.zeros(0, 9, device=device),), (torch.zeros(0, dtype=torch.long, device=device),))
        sample = Det3DDataSample()
        sample.gt_instances_3d = _instances(self.truth)
        return Targets.from_samples([sample], device)


def _current_matrices(meta: Mapping[str, Any], cameras: int) -> Array:
    if 'lidar2img' not in meta:
        raise ValueError("the sample has images but no 'lidar2img' in its metainfo; pack it in the pipeline")
    matrices = np.asarray(meta['lidar2img'], dtype=np.float64)
    matrices = matrices.reshape(-1, *matrices.shape[-3:])[-1]
    if len(matrices) != cameras:
        raise ValueError(f'the sample has {cameras} images but {len(matrices)} lidar2img matrices')
    return matrices


def _instances(boxes: BoxSet) -> InstanceData:
    return InstanceData(bboxes_3d=boxes.boxes, labels_3d=torch.as_tensor(boxes.labels))


def truth_of(sample: Det3DDataSample) -> BoxSet | None:
    """Read the ground truth packed into a data sample (``gt_instances_3d``, else ``eval_ann_info``), or None."""
    instances = getattr(sample, 'gt_instances_3d', None)
    if instances is not None and 'bboxes_3d' in instances:
        return BoxSet.from_instances(instances)
    return truth_of_info(sample.metainfo)


def truth_of_info(info: Mapping[str, Any]) -> BoxSet | None:
    """Read ground truth from ``get_data_info``: ``eval_ann_info`` in test mode, else ``ann_info``; None without."""
    annotations = info.get('eval_ann_info') or info.get('ann_info')
    if not annotations:
        return None
    labels = np.asarray(annotations['gt_labels_3d'], dtype=np.int64)
    known = labels >= 0
    return BoxSet(annotations['gt_bboxes_3d'], labels).select(known)
