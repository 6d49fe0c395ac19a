"""Settings in two places of a config that contradict each other are named, all at once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from mmengine.config import Config
from shipped_configs import REPO, load

from bevdistill.engine.agreement import check_agreement

FILES = dict(
    student='configs/bevformer/bevformer-t_r50_2x_nus-3d.py',
    distiller='configs/bevdistill/bevdistill_r50_1x_nus-3d.py',
    pillars='configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py',
    voxels='configs/synthetic/object_dgcnn/object-dgcnn_voxel01_20e_nus-3d.py',
)
OTHER = [0, 0, -5, 9, 9, 3]
PIPELINE = 'train_dataloader.dataset.dataset.dataset.pipeline'


def changed(name: str, changes: dict[str, Any]) -> Config:
    cfg = Config(load(REPO / FILES[name]).to_dict())
    cfg.merge_from_dict(changes)
    return cfg


@pytest.mark.parametrize(
    ('name', 'changes', 'places'),
    [
        ('pillars', {f'{PIPELINE}.points_range.point_cloud_range': OTHER}, ('points_range', '-25.6')),
        ('pillars', {'model.pts_voxel_encoder.voxel_size': [0.2, 0.4, 8]}, ('pts_voxel_encoder', 'voxel_layer')),
        ('pillars', {'model.pts_middle_encoder.output_shape': [128, 64]}, ('output_shape', '128 x 128 voxels')),
        ('pillars', {'model.pts_bbox_head.grid.rows': 64}, ('grid.rows=64', '32 x 32 cells')),
        ('pillars', {'model.pts_middle_encoder.in_channels': 64}, ('feat_channels[-1]=32', 'in_channels=64')),
        ('pillars', {'model.pts_neck.in_channels': [32, 32]}, ('pts_backbone.out_channels', 'pts_neck.in_channels')),
        ('voxels', {'model.pts_middle_encoder.sparse_shape': [41, 256, 128]}, ('sparse_shape', '256 x 256 voxels')),
        ('voxels', {'model.pts_neck.num_outs': 3}, ('pts_neck.num_outs=3', 'pts_bbox_head.num_levels=2')),
        ('student', {'model.img_neck.out_channels': 128}, ('img_neck.out_channels=128', 'head.embed_dims=256')),
        ('student', {'model.img_neck.num_outs': 3}, ('img_neck.num_outs=3', 'encoder.num_levels=4')),
        ('student', {'model.img_backbone.out_indices': (2, 3)}, ('img_neck.in_channels', '[1024, 2048] channels')),
        ('student', {'model.img_backbone.frozen_stages': 5}, ('frozen_stages=5', 'img_backbone.num_stages=4')),
        ('student', {'model.img_neck.num_outs': 2}, ('img_neck.num_outs=2, but', 'img_neck.in_channels has 3 levels')),
        ('student', {'model.img_backbone.type': 'VoVNet'}, ('img_neck.in_channels', '[512, 768, 1024] channels')),
        ('student', {'model.queue_length': 3}, ('model.queue_length=3', 'dataset.queue_length=4')),
        ('student', {'model.pts_bbox_head.num_cams': 5}, ('num_cams=5', 'has 6 cameras')),
        ('student', {'model.pts_bbox_head.num_classes': 3}, ('num_classes=3', 'has 10')),
        ('student', {'val_dataloader.dataset.metainfo.classes': ['car']}, ('train_dataloader', "classes=['car']")),
        ('student', {'val_evaluator.ann_file': 'b.pkl'}, ('val_dataloader.dataset.ann_file', 'ann_file=b.pkl')),
        ('distiller', {'model.class_names': ['car']}, ('train_dataloader', "model.class_names=['car']")),
        ('distiller', {'model.student.pts_bbox_head.grid.point_cloud_range': OTHER}, ('student', '-51.2')),
    ],
)  # fmt: skip
def test_contradictions(name: str, changes: dict[str, Any], places: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match='settings of the config contradict each other') as refused:
        check_agreement(changed(name, changes))
    for place in places:
        assert place in str(refused.value)


def test_all_at_once() -> None:
    changes = {'model.queue_length': 3, 'model.img_neck.num_outs': 3, 'model.pts_bbox_head.num_classes': 3}
    with pytest.raises(ValueError, match='contradict') as refused:
        check_agreement(changed('student', changes))
    assert len(re.findall('\n  ', str(refused.value))) == 3


def test_a_config_of_other_detectors_is_left_alone() -> None:
    check_agreement(Config(dict(model=dict(type='ToyDetector', num_classes=2), train_dataloader=dict(dataset={}))))
