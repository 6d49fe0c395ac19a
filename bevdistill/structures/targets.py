"""Collect the ground truth of a batch, or its substitute, in the form that losses and masks read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from .box_code import BOX_SIZE
from .constants import constant_like

LABELLED = 'labelled'
"""Metainfo of a data sample: False for a frame without ground truth; one that does not say has ground truth."""

LOSS_WEIGHT = 'loss_weight'
"""Metainfo of a data sample: how much it counts in the detection losses, see :attr:`Targets.weights`."""

HOST_SIZES = 'host_sizes'
"""Metainfo of a sample's ``gt_instances_3d``: length and width of its boxes, on the host."""


@dataclass(frozen=True)
class Targets:
    """Boxes and labels of each sample of a batch.

    Args:
        boxes: Per sample (n, 9), ``x, y, z, dx, dy, dz, yaw, vx, vy``, LiDAR frame, z at the gravity centre, metres.
            n may be 0.
        labels: Per sample (n,), int64, 0-based in the data set's class order.
        weights: How much each sample counts in the detection losses, or None for 1 each. A sample of weight w counts as
            w samples: its terms are multiplied by w, and so is what it adds to the number of objects that the losses
            are divided by. Weight 0 leaves it out.
        host_sizes: Length and width of all boxes, (N, 2) on the host, or None where they were never there.

    Raises:
        ValueError: If the lists or shapes disagree.
    """

    boxes: tuple[Tensor, ...]
    labels: tuple[Tensor, ...]
    weights: tuple[float, ...] | None = None
    host_sizes: Tensor | None = None

    def __post_init__(self) -> None:
        if len(self.boxes) != len(self.labels):
            raise ValueError(f'{len(self.boxes)} box tensors but {len(self.labels)} label tensors')
        if self.weights is not None and len(self.weights) != len(self.boxes):
            raise ValueError(f'{len(self.boxes)} box tensors but {len(self.weights)} weights')
        for index, (boxes, labels) in enumerate(zip(self.boxes, self.labels, strict=True)):
            if boxes.dim() != 2 or boxes.shape[1] != BOX_SIZE or labels.shape != boxes.shape[:1]:
                raise ValueError(
                    f'sample {index}: expected boxes (n, {BOX_SIZE}) and labels (n,), '
                    f'got {tuple(boxes.shape)} and {tuple(labels.shape)}'
                )

    def __len__(self) -> int:
        return len(self.boxes)

    def sample_weights(self, like: Tensor) -> Tensor:
        """Weights (B,) of the type and on the device of another tensor; ones if there are none."""
        return like.new_ones(len(self)) if self.weights is None else constant_like(self.weights, like)

    def sizes_on_host(self) -> Tensor:
        """Return length and width of all boxes on the host, (N, 2); waits for the device if nobody kept them."""
        return torch.cat(self.boxes)[:, 3:5].cpu() if self.host_sizes is None else self.host_sizes

    @classmethod
    def from_samples(cls, samples: Sequence[Det3DDataSample], device: torch.device | str | None = None) -> Targets:
        """Collect ``gt_instances_3d`` of data samples; boxes are moved from bottom to gravity centres.

        Boxes without velocity get NaN velocities, which the losses ignore. The metainfo ``loss_weight`` of a sample is
        its weight.

        Raises:
            ValueError: If a sample has no ground truth; names its token.
        """
        boxes, labels = [], []
        for sample in samples:
            if 'gt_instances_3d' not in sample:
                raise ValueError(missing_ground_truth_message(sample))
            lidar_boxes = sample.gt_instances_3d.bboxes_3d
            tensor = lidar_boxes.tensor.to(device)
            extra = tensor[:, 7:9] if tensor.shape[1] >= BOX_SIZE else tensor.new_full((len(tensor), 2), float('nan'))
            boxes.append(torch.cat((lidar_boxes.gravity_center.to(device), tensor[:, 3:7], extra), dim=1))
            labels.append(sample.gt_instances_3d.labels_3d.to(device=device, dtype=torch.long))
        weights = tuple(float(sample.metainfo.get(LOSS_WEIGHT, 1.0)) for sample in samples)
        kept = [sample.gt_instances_3d.get(HOST_SIZES) for sample in samples]
        sizes = torch.cat(kept) if kept and all(size is not None for size in kept) else None
        return cls(tuple(boxes), tuple(labels), weights if any(weight != 1 for weight in weights) else None, sizes)


def keep_host_sizes(instances: InstanceData, sizes_N2: Tensor | None = None) -> None:
    """Note length and width of boxes on the host, so that nobody has to ask the device for them.

    Args:
        instances: With ``bboxes_3d``; their metainfo is changed.
        sizes_N2: The sizes, if the boxes are on a device already.
    """
    sizes_N2 = instances.bboxes_3d.tensor[:, 3:5] if sizes_N2 is None else sizes_N2
    instances.set_metainfo({HOST_SIZES: sizes_N2.detach().clone()})


def has_labels(sample: Det3DDataSample) -> bool:
    """Tell by its metainfo whether a data sample has ground truth of its own."""
    return bool(sample.metainfo.get(LABELLED, True))


def missing_ground_truth_message(sample: Det3DDataSample) -> str:
    """Explain why a model cannot learn from a sample without boxes."""
    token = sample.metainfo.get('token', '(no token)')
    if has_labels(sample):
        return f'sample {token} has no gt_instances_3d; a training pipeline packs gt_bboxes_3d and gt_labels_3d'
    return (
        f'sample {token} is an unlabelled frame (labelled=False), and this model learns from ground truth alone. '
        "Distil with unlabelled=dict(min_score=0.3) to train on the teacher's boxes of such frames, or leave them out "
        "of the data set with keep='labelled'; see docs/unlabelled.md"
    )
