"""Random point clouds and boxes, and detectors that read them."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData

from bevdistill.teachers import ObjectDGCNN


def build(config: dict[str, Any]) -> ObjectDGCNN:
    detector = MODELS.build(copy.deepcopy(config))
    detector.init_weights()
    return detector


def make_sample(count: int) -> Det3DDataSample:
    boxes = torch.randn(count, 9)
    boxes[:, 3:6] = torch.rand(count, 3) * 4 + 0.5
    sample = Det3DDataSample(metainfo=dict(box_type_3d=LiDARInstance3DBoxes))
    sample.gt_instances_3d = InstanceData(
        bboxes_3d=LiDARInstance3DBoxes(boxes, box_dim=9), labels_3d=torch.randint(0, 10, (count,))
    )
    return sample


def make_points(count: int) -> torch.Tensor:
    return torch.cat((torch.randn(count, 3) * torch.tensor([5.0, 3.0, 1.0]), torch.rand(count, 2)), dim=1)


def make_batch(detector: ObjectDGCNN, points: tuple[int, ...], boxes: tuple[int, ...]) -> tuple[dict, list]:
    data = dict(
        inputs=dict(points=[make_points(count) for count in points]), data_samples=[make_sample(n) for n in boxes]
    )
    data = detector.data_preprocessor(data, training=True)
    return data['inputs'], data['data_samples']
