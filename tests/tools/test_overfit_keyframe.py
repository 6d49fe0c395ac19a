"""tools/analysis_tools/overfit_keyframe.py: its metric, and a run of two iterations that goes on for a third."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / 'tools' / 'analysis_tools'))

import overfit_keyframe  # noqa: E402
from keyframe_metric import KeyframeAP  # noqa: E402

CLASSES = ['car', 'truck', 'pedestrian']
CAR, TRUCK, PEDESTRIAN = range(3)
RANGE = (-20.0, -20.0, -5.0, 20.0, 20.0, 3.0)
SMALL = [
    'train_cfg.val_interval=1',
    'default_hooks.logger.interval=1',
    'model.pts_voxel_encoder.feat_channels=[8]',
    'model.pts_middle_encoder.in_channels=8',
    'model.pts_backbone.in_channels=8',
    'val_dataloader.dataset.pipeline.images.transforms.resize.scale=0.1',
]


def boxes(centres: list[tuple[float, float]]) -> LiDARInstance3DBoxes:
    rows = [[x, y, 0.0, 4.0, 2.0, 1.5, 0.3, 0.0, 0.0] for x, y in centres]
    return LiDARInstance3DBoxes(torch.tensor(rows).reshape(-1, 9), box_dim=9)


def score(tmp_path: Path, predicted: list[tuple[float, float, int, float]]) -> dict[str, float]:
    """Metrics of predictions (x, y, label, score) against two cars, a pedestrian, and a truck out of range."""
    pose = np.eye(4)
    pose[:2, 3] = 500.0, -300.0
    info = {'token': 'a', 'ego2global': pose, 'lidar_points': {'lidar2ego': np.eye(4)}}
    ann_file = tmp_path / 'infos.pkl'
    ann_file.write_bytes(pickle.dumps({'data_list': [info]}))
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


def test_short_run_and_its_resumption(keyframe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [str(keyframe), '--model', 'pillar', '--out', str(tmp_path)]
    overfit_keyframe.main([*argv, '--cfg-options', *SMALL, 'train_cfg.max_iters=2'])
    assert (tmp_path / 'iter_2.pth').is_file()
    overfit_keyframe.main([*argv, '--resume', '--cfg-options', *SMALL, 'train_cfg.max_iters=3'])
    printed = capsys.readouterr().out
    assert 'eta: ' in printed
    assert '0.9 mAP at 2 m: not reached' in printed
    result = json.loads((tmp_path / 'result.json').read_text())
    assert result['iterations'] == 3
    assert result['reached_goal_at'] is None
    assert 0.0 <= result['without_sensor_mAP_2.0'] <= 1.0
    assert {'car_AP_2.0', 'truck_AP_2.0', 'pedestrian_AP_2.0', 'traffic_cone_AP_2.0', 'barrier_AP_2.0'} <= result.keys()
    log = overfit_keyframe.read_log(tmp_path)
    assert sorted(log['loss']) == sorted(log[overfit_keyframe.SCORE]) == [1, 2, 3]
    for picture in ('curve.png', 'page.jpg'):
        assert cv2.imread(str(tmp_path / picture)).std() > 10


def test_camera_model_is_set_up_for_the_same_boxes(keyframe: Path, tmp_path: Path) -> None:
    datasets = {}
    for model in overfit_keyframe.MODELS:
        args = overfit_keyframe.parse_args([str(keyframe), '--model', model, '--out', str(tmp_path / model)])
        cfg = overfit_keyframe.keyframe_config(args)
        assert cfg.val_evaluator.point_cloud_range == [-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]
        datasets[model] = cfg.train_dataloader.dataset.dataset
    assert datasets['pillar'].modality == dict(use_camera=False, use_lidar=True)
    assert datasets['bevformer'].modality == dict(use_camera=True, use_lidar=False)
    assert datasets['pillar'].pipeline == datasets['bevformer'].pipeline
