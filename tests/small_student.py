"""A small student with history, its checkpoint, and a drive of three moments in the layout of one's own data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.registry import init_default_scope
from torch import nn

from bevdistill.apis import Student, init_student
from bevdistill.engine.config_file import load_config
from bevdistill.structures.cameras import CAMERAS

REPO = Path(__file__).resolve().parents[1]
CLASSES = ['car', 'truck']
CONFIG = """
_base_ = ['{base}']
model = dict(
    img_backbone=dict(base_channels=4),
    img_neck=dict(in_channels=[16], out_channels=8),
    pts_bbox_head=dict(
        grid=dict(rows=6, cols=8), num_queries=9, embed_dims=8, num_classes=2, aux_heatmap=None,
        encoder=dict(num_layers=1, num_heads=2, feedforward_channels=8),
        decoder=dict(num_layers=1, num_heads=2, feedforward_channels=8)))
test_dataloader = dict(dataset=dict(
    metainfo=dict(classes={classes}), pipeline=dict(images=dict(transforms=dict(resize=dict(scale=0.5))))))
"""


@pytest.fixture(scope='session')
def student_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Config and checkpoint of a distiller's student; random weights, none of them zero, so that history is seen."""
    folder = tmp_path_factory.mktemp('student')
    config, checkpoint = folder / 'tiny.py', folder / 'distiller.pth'
    base = REPO / 'configs/synthetic/bevformer/bevformer-t_r50_2x_nus-3d.py'
    config.write_text(CONFIG.format(base=base, classes=CLASSES))
    cfg = load_config(config)
    init_default_scope('mmdet3d')
    torch.manual_seed(1)
    model = MODELS.build(cfg.model)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    state = {f'student.{name}': value for name, value in model.state_dict().items()}
    meta: dict[str, Any] = dict(epoch=3, seed=7, bevdistill=dict(classes=CLASSES, box_convention='mmdet3d>=1.0'))
    torch.save(dict(meta=meta, state_dict=state), checkpoint)
    return config, checkpoint


@pytest.fixture(scope='session')
def student(student_files: tuple[Path, Path]) -> Student:
    return init_student(*student_files)


@pytest.fixture(scope='session')
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``drive.jsonl`` and its images of 64 x 96: two moments of a drive, and one of another."""
    folder = tmp_path_factory.mktemp('drive')
    rng = np.random.default_rng(0)
    lines = []
    for moment in range(3):
        turn = 0.1 * moment
        pose = np.eye(4)
        pose[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        pose[:2, 3] = 3.0 * moment, 0.5 * moment
        cameras = {}
        for place, name in enumerate(CAMERAS):
            cv2.imwrite(str(folder / f'{moment}{name}.png'), rng.integers(0, 255, (64, 96, 3), dtype=np.uint8))
            angle = place * np.pi / 3
            ahead, right = (np.cos(angle), np.sin(angle), 0), (np.sin(angle), -np.cos(angle), 0)
            sensor2ego = np.eye(4)
            sensor2ego[:3, :3] = np.stack((right, (0, 0, -1), ahead), axis=1)
            sensor2ego[:3, 3] = [1, 0, 1.5]
            cameras[name] = dict(
                image=f'{moment}{name}.png',
                intrinsics=[[60, 0, 48], [0, 60, 32], [0, 0, 1]],
                sensor2ego=sensor2ego.tolist(),
            )
        scene = 'first' if moment < 2 else 'second'
        lines.append(dict(
            token=f'm{moment}', scene=scene, timestamp=moment / 2, ego2global=pose.tolist(), cameras=cameras
        ))  # fmt: skip
    (folder / 'drive.jsonl').write_text(''.join(f'{json.dumps(line)}\n' for line in lines))
    return folder / 'drive.jsonl'
