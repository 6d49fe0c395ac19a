"""Decode class logits and box codes into detections without non-maximum suppression.

Legend: B samples, Q queries, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet3d.registry import TASK_UTILS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData
from torch import Tensor

from ..structures import BOX_SIZE, decode_boxes
from ..structures.constants import constant_like


@TASK_UTILS.register_module()
class NMSFreeCoder:
    """Keep the best (query, class) pairs whose centre lies in range (DETR3D, arXiv 2110.06922).

    The `max_num` largest sigmoid scores over all queries and classes are decoded, so one query may appear under
    several labels; then centres outside `post_center_range` (inclusive) are dropped.

    Args:
        post_center_range: ``(x_min, y_min, z_min, x_max, y_max, z_max)`` of centres to keep, metres.
        max_num: Pairs that are decoded at most.
        score_threshold: Keep scores above it; where none is, lower it by a tenth until one is, and keep everything
            once it fell under 0.01. None: keep everything.

    Raises:
        ValueError: If the range is not six numbers or `max_num` is not positive.
    """

    def __init__(
        self, post_center_range: Sequence[float], max_num: int = 300, score_threshold: float | None = None
    ) -> None:
        if len(post_center_range) != 6:
            raise ValueError(f'post_center_range must be six numbers, got {list(post_center_range)}')
        if max_num < 1:
            raise ValueError(f'max_num must be positive, got {max_num}')
        self.post_center_range = tuple(float(value) for value in post_center_range)
        self.max_num = max_num
        self.score_threshold = score_threshold

    @torch.no_grad()
    def decode(self, logits_BQK: Tensor, codes_BQ10: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Decode a batch.

        Args:
            logits_BQK: Class logits of one decoder layer.
            codes_BQ10: Its box codes.

        Returns:
            Per sample boxes (n, 9) with gravity centres, scores (n,) in descending order, labels (n,).
        """
        num_classes = logits_BQK.shape[-1]
        scores, index = logits_BQK.float().sigmoid().flatten(1).topk(
            min(self.max_num, logits_BQK[0].numel()), dim=1
        )
        boxes = decode_boxes(codes_BQ10.float())
        boxes = boxes.gather(1, (index // num_classes)[..., None].expand(-1, -1, boxes.shape[-1]))
        low, high = (constant_like(limit, boxes) for limit in (self.post_center_range[:3], self.post_center_range[3:]))
        keep = ((boxes[..., :3] >= low) & (boxes[..., :3] <= high)).all(dim=-1)
        if self.score_threshold is not None:
            keep &= torch.stack([self._above_threshold(row, self.score_threshold) for row in scores])
        labels = index % num_classes
        return [
            (box[mask], score[mask], label[mask])
            for box, score, label, mask in zip(boxes, scores, labels, keep, strict=True)
        ]

    @staticmethod
    def _above_threshold(scores: Tensor, threshold: float) -> Tensor:
        """Apply the rule of `score_threshold` to one sample's scores."""
        keep = scores > threshold
        while not keep.any():
            threshold *= 0.9
            if threshold < 0.01:
                return torch.ones_like(keep)
            keep = scores >= threshold
        return keep

    def to_instances(
        self, logits_BQK: Tensor, codes_BQ10: Tensor, samples: Sequence[Det3DDataSample]
    ) -> list[InstanceData]:
        """Decode into mmdet3d's form: ``bboxes_3d`` (bottom centres), ``scores_3d``, ``labels_3d`` per sample."""
        instances = []
        for (boxes, scores, labels), sample in zip(self.decode(logits_BQK, codes_BQ10), samples, strict=True):
            box_type = sample.metainfo.get('box_type_3d', LiDARInstance3DBoxes)
            lidar_boxes = box_type(boxes, box_dim=BOX_SIZE, origin=(0.5, 0.5, 0.5))
            instances.append(InstanceData(bboxes_3d=lidar_boxes, scores_3d=scores, labels_3d=labels))
        return instances
