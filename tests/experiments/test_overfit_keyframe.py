"""docs/experiments/overfit_keyframe.py: a run of two iterations that goes on for a third."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from docs.experiments import overfit_keyframe

SMALL = [
    'train_cfg.val_interval=1',
    'default_hooks.logger.interval=1',
    'model.pts_voxel_encoder.feat_channels=[8]',
    'model.pts_middle_encoder.in_channels=8',
    'model.pts_backbone.in_channels=8',
    'val_dataloader.dataset.pipeline.images.transforms.resize.scale=0.1',
]


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
