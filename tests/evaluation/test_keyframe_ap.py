"""Average precision on one keyframe, worked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes

from bevdistill.datasets.infos import write_infos
from bevdistill.evaluation import KeyframeAP

CLASSES = ['car', 'truck', 'pedestrian']
CAR, TRUCK, PEDESTRIAN = range(3)
RANGE = (-20.0, -20.0, -5.0, 20.0, 20.0, 3.0)


def boxes(centres: list[tuple[float, float]]) -> LiDARInstance3DBoxes:
    rows = [[x, y, 0.0, 4.0, 2.0, 1.5, 0.3, 0.0, 0.0] for x, y in centres]
    return LiDARInstance3DBoxes(torch.tensor(rows).reshape(-1, 9), box_dim=9)


def score(tmp_path: Path, predicted: list[tuple[float, float, int, float]]) -> dict[str, float]:
    """Metrics of predictions (x, y, label, score) against two cars, a pedestrian, and a truck out of range."""
    pose = np.eye(4)
    pose[:2, 3] = 500.0, -300.0
    info = {'token': 'a', 'ego2global': pose, 'lidar_points': {'lidar2ego': np.eye(4)}}
    ann_file = write_infos(tmp_path / 'infos.msgpack.gz', {'metainfo': {}, 'data_list': [info]})
    metric = KeyframeAP(str(ann_file), RANGE)
    metric.dataset_meta = {'classes': CLASSES}
    truth = {
        'gt_bboxes_3d': boxes([(0, 0), (10, 0), (0, 10), (0, 21)]),
        'gt_labels_3d': np.array([CAR, CAR, PEDESTRIAN, TRUCK]),
    }
    instances: dict[str, Any] = {
        'bboxes_3d': boxes([row[:2] for row in predicted]),
        'labels_3d': torch.tensor([row[2] for row in predicted], dtype=torch.long),
        'scores_3d': torch.tensor([row[3] for row in predicted], dtype=torch.float32),
    }
    metric.process({}, [{'token': 'a', 'pred_instances_3d': instances, 'eval_ann_info': truth}])
    return metric.evaluate(size=1)


EXACT = [(0.0, 0.0, CAR, 0.9), (10.0, 0.0, CAR, 0.8), (0.0, 10.0, PEDESTRIAN, 0.7)]


def test_exact_boxes_score_one(tmp_path: Path) -> None:
    metrics = score(tmp_path, EXACT)
    assert metrics.keys() == {
        *(f'keyframe/mAP_{metres}' for metres in (0.5, 1.0, 2.0, 4.0)),
        'keyframe/mAP',
        'keyframe/car_AP_2.0',
        'keyframe/pedestrian_AP_2.0',
    }
    assert all(value == pytest.approx(1.0) for value in metrics.values())


def test_distance_and_class_count(tmp_path: Path) -> None:
    shifted = score(tmp_path, [(x + 1.5, y, label, s) for x, y, label, s in EXACT])
    assert [shifted[f'keyframe/mAP_{metres}'] for metres in (0.5, 1.0)] == [0.0, 0.0]
    assert [shifted[f'keyframe/mAP_{metres}'] for metres in (2.0, 4.0)] == pytest.approx([1.0, 1.0])
    confused = score(tmp_path, [*EXACT[:2], (0.0, 10.0, TRUCK, 0.7)])
    assert confused['keyframe/mAP_2.0'] == pytest.approx(0.5)
    assert score(tmp_path, [])['keyframe/mAP'] == 0.0


def test_a_false_box_above_the_true_ones_costs_precision(tmp_path: Path) -> None:
    # Precision is 1/2 up to half the recall, then 2/3 at all of it, between them a line: over the 90 points above 10 %
    # recall, each less 0.1 and divided by 0.9.
    metrics = score(tmp_path, [(5.0, 5.0, CAR, 0.95), *EXACT])
    recall = np.linspace(0, 1, 101)[11:]
    precision = np.interp(recall, [0.0, 0.5, 1.0], [0.0, 0.5, 2 / 3])
    assert metrics['keyframe/car_AP_2.0'] == pytest.approx(np.mean(np.clip(precision - 0.1, 0, None)) / 0.9, abs=1e-6)
