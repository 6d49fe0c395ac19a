"""Hold the boxes of one kind of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.structures import InstanceData
from numpy.typing import NDArray

from ..structures import BEVGrid

Array = NDArray[np.float64]

@dataclass(frozen=True)
class BoxSet:
    """Boxes of one kind (ground truth or predictions) of one sample.

    Args:
        boxes: n boxes in the LiDAR frame.
        labels: Class of each box, (n,) int.
        scores: Score of each box in ``[0, 1]``, (n,), or None for ground truth.

    Raises:
        ValueError: If the lengths differ.
    """

    boxes: LiDARInstance3DBoxes
    labels: NDArray[np.int64]
    scores: Array | None = None

    def __post_init__(self) -> None:
        lengths = {'boxes': len(self.boxes), 'labels': len(self.labels)}
        if self.scores is not None:
            lengths['scores'] = len(self.scores)
        if len(set(lengths.values())) > 1:
            raise ValueError(f'boxes, labels and scores must have one length, got {lengths}')

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def from_instances(cls, instances: InstanceData) -> BoxSet:
        """Read ``bboxes_3d``, ``labels_3d`` and, where present, ``scores_3d``."""
        scores = instances.scores_3d.detach().cpu().numpy().astype(float) if 'scores_3d' in instances else None
        labels = torch.as_tensor(instances.labels_3d).detach().cpu().numpy().astype(np.int64)
        return cls(instances.bboxes_3d.detach().to('cpu'), labels, scores)

    def select(self, keep: NDArray[np.intp] | NDArray[np.bool_]) -> BoxSet:
        """Select boxes by an index or a mask."""
        scores = None if self.scores is None else self.scores[keep]
        return BoxSet(self.boxes[torch.as_tensor(keep)], self.labels[keep], scores)

    def within(self, grid: BEVGrid) -> BoxSet:
        """Select the boxes whose centre lies on the grid (x and y)."""
        return self.select(grid.contains(self.boxes.gravity_center[:, :2]).cpu().numpy())

    def confident(self, threshold: float, limit: int) -> BoxSet:
        """Select the best `limit` boxes that score at least `threshold`, worst first: the best are drawn on top."""
        if self.scores is None:
            return self
        order = np.argsort(-self.scores, kind='stable')[:limit]
        return self.select(order[self.scores[order] >= threshold][::-1].copy())

    def captions(self, names: Sequence[str]) -> list[str]:
        """Name each box: its class, and its score in hundredths where it has one; none without names."""
        if not names:
            return []
        if self.scores is None:
            return [names[label] for label in self.labels]
        return [f'{names[label]} {100 * score:.0f}' for label, score in zip(self.labels, self.scores, strict=True)]

    def corners(self) -> Array:
        """Compute corners in mmdet3d's order, (n, 8, 3) metres."""
        corners: Array = self.boxes.corners.detach().cpu().numpy().astype(np.float64).reshape(-1, 8, 3)
        return corners
