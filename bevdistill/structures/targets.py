"""Ground truth of a batch in the form that losses and masks want."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmdet3d.structures import Det3DDataSample
from torch import Tensor

from .box_code import BOX_SIZE


@dataclass(frozen=True)
class Targets:
    """Boxes and labels of each sample of a batch.

    Args:
        boxes: Per sample (n, 9), ``x, y, z, dx, dy, dz, yaw, vx, vy``, LiDAR frame, z at the gravity centre, metres.
            n may be 0.
        labels: Per sample (n,), int64, 0-based in the data set's class order.

    Raises:
        ValueError: If the lists or shapes disagree.
    """

    boxes: tuple[Tensor, ...]
    labels: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        if len(self.boxes) != len(self.labels):
            raise ValueError(f'{len(self.boxes)} box tensors but {len(self.labels)} label tensors')
        for index, (boxes, labels) in enumerate(zip(self.boxes, self.labels, strict=True)):
            if boxes.dim() != 2 or boxes.shape[1] != BOX_SIZE or labels.shape != boxes.shape[:1]:
                raise ValueError(
                    f'sample {index}: expected boxes (n, {BOX_SIZE}) and labels (n,), '
                    f'got {tuple(boxes.shape)} and {tuple(labels.shape)}'
                )

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def from_samples(cls, samples: Sequence[Det3DDataSample], device: torch.device | str | None = None) -> Targets:
        """Collect ``gt_instances_3d`` of data samples; boxes are moved from bottom to gravity centres.

        Boxes without velocity get NaN velocities, which the losses ignore.
        """
        boxes, labels = [], []
        for sample in samples:
            lidar_boxes = sample.gt_instances_3d.bboxes_3d
            tensor = lidar_boxes.tensor.to(device)
            extra = tensor[:, 7:9] if tensor.shape[1] >= BOX_SIZE else tensor.new_full((len(tensor), 2), float('nan'))
            boxes.append(torch.cat((lidar_boxes.gravity_center.to(device), tensor[:, 3:7], extra), dim=1))
            labels.append(sample.gt_instances_3d.labels_3d.to(device=device, dtype=torch.long))
        return cls(tuple(boxes), tuple(labels))
