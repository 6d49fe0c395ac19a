"""mmdet3d's augmentation of the LiDAR frame as the shipped configs use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.ops import points_in_boxes_cpu
from mmcv.transforms import RandomApply
from mmdet3d.datasets.transforms import GlobalRotScaleTrans, RandomFlip3D
from mmdet3d.structures import LiDARInstance3DBoxes
from mmdet3d.structures.points import LiDARPoints
from mmengine.config import Config

from bevdistill.datasets import SequenceNuScenesDataset, build_stages
from bevdistill.datasets.transforms import refuse_with_cameras

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
CENTRES = torch.tensor([[10.0, 3.0, 0.5], [-6.0, 12.0, -0.5], [2.0, -9.0, 0.0], [-20.0, -15.0, 1.0]])
SIZES = torch.tensor([[4.5, 1.9, 1.6], [0.8, 0.7, 1.8], [11.0, 2.9, 3.4], [0.4, 0.4, 1.0]])
YAWS = torch.tensor([0.3, -2.0, 1.2, 3.0])
VELOCITIES = torch.tensor([[8.0, 2.0], [-0.5, 1.0], [0.0, 0.0], [3.0, -4.0]])


def pipeline(file: str) -> dict[str, Any]:
    """Training pipeline of a config."""
    dataset = Config.fromfile(str(CONFIGS / file)).train_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    return dataset.pipeline


def scene() -> dict[str, Any]:
    """Boxes, and in each a hundred points whose last number is a time that must not change."""
    inside = (torch.rand(4, 100, 3) - 0.5) * SIZES[:, None] * 0.98
    c, s = YAWS.cos()[:, None], YAWS.sin()[:, None]
    turned = torch.stack((c * inside[..., 0] - s * inside[..., 1], s * inside[..., 0] + c * inside[..., 1]), -1)
    points = torch.cat((turned, inside[..., 2:]), -1) + CENTRES[:, None]
    points = torch.cat((points, torch.rand(4, 100, 2)), -1).flatten(0, 1)
    boxes = torch.cat((CENTRES, SIZES, YAWS[:, None], VELOCITIES), dim=1)
    return dict(
        points=LiDARPoints(points, points_dim=5),
        gt_bboxes_3d=LiDARInstance3DBoxes(boxes, box_dim=9, origin=(0.5, 0.5, 0.5)),
    )


def augmentation(file: str = 'object_dgcnn/object-dgcnn_voxel01_20e_nus-3d.py') -> list[Any]:
    stages = pipeline(file)
    return build_stages({name: stages[name] for name in ('points_turn', 'points_flip')})


@pytest.mark.parametrize('form', ['pillar02', 'voxel01'])
def test_published_configs_have_the_published_values(form: str) -> None:
    turn, flip = augmentation(f'object_dgcnn/object-dgcnn_{form}_20e_nus-3d.py')
    assert isinstance(turn, GlobalRotScaleTrans) and isinstance(flip, RandomFlip3D)
    assert list(turn.rot_range) == [-0.3925, 0.3925]
    assert list(turn.scale_ratio_range) == [0.95, 1.05]
    assert list(turn.translation_std) == [0, 0, 0]
    assert (flip.flip_ratio_bev_horizontal, flip.flip_ratio_bev_vertical) == (0.5, 0.5)
    assert not flip.sync_2d


@pytest.mark.parametrize('form', ['pillar02', 'voxel01'])
def test_teachers_of_the_release_saw_no_augmentation(form: str) -> None:
    stages = pipeline(f'object_dgcnn/teacher_{form}_cbgs_20e_nus-3d.py')
    assert stages.points_turn is None and stages.points_flip is None


def test_scene_is_moved_before_it_is_cut_to_the_range() -> None:
    names = [name for name, stage in pipeline('object_dgcnn/object-dgcnn_voxel01_20e_nus-3d.py').items() if stage]
    order = ['points', 'points_sweeps', 'boxes', 'points_turn', 'points_flip', 'points_range', 'boxes_range']
    assert [name for name in names if name in order] == order


def test_points_stay_in_their_boxes_and_velocities_turn_with_them() -> None:
    stages = augmentation()
    angles, scales, flips = set(), set(), set()
    for _ in range(40):
        before, results = scene(), scene()
        times = results['points'].tensor[:, 3:].clone()
        for stage in stages:
            results = stage(results)
        boxes, points = results['gt_bboxes_3d'], results['points'].tensor
        inside = points_in_boxes_cpu(points[None, :, :3], boxes.tensor[None, :, :7])[0]
        assert inside.tolist() == [[int(box == owner) for box in range(4)] for owner in range(4) for _ in range(100)]
        torch.testing.assert_close(points[:, 3:], times)

        # The whole motion, found from where the boxes' centres went.
        map_22 = torch.linalg.lstsq(before['gt_bboxes_3d'].gravity_center[:, :2], boxes.gravity_center[:, :2]).solution
        torch.testing.assert_close(boxes.tensor[:, 7:9], VELOCITIES @ map_22, atol=1e-4, rtol=1e-4)
        heading = torch.stack((YAWS.cos(), YAWS.sin()), -1) @ map_22
        scale = float(torch.linalg.det(map_22).abs().sqrt())
        yaw = boxes.tensor[:, 6]
        torch.testing.assert_close(torch.stack((yaw.cos(), yaw.sin()), -1), heading / scale, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(boxes.tensor[:, 3:6], SIZES * scale, atol=1e-4, rtol=1e-4)
        scales.add(scale)
        angles.add(abs(float(results['pcd_rotation_angle'])))
        flips.add((results['pcd_horizontal_flip'], results['pcd_vertical_flip']))
    assert 0.95 <= min(scales) < 0.97 and 1.03 < max(scales) <= 1.05
    assert max(angles) <= 0.3925 and max(angles) > 0.3
    assert len(flips) == 4


def test_a_scene_without_boxes() -> None:
    results = scene()
    results['gt_bboxes_3d'] = results['gt_bboxes_3d'][[]]
    before = results['points'].tensor.clone()
    for stage in augmentation():
        results = stage(results)
    assert len(results['gt_bboxes_3d']) == 0
    moved = results['points'].tensor
    torch.testing.assert_close(
        moved[:, :3].norm(dim=1), before[:, :3].norm(dim=1) * results['pcd_scale_factor'], atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize('wrapped', [False, True])
def test_cameras_do_not_follow(wrapped: bool) -> None:
    stages = augmentation()
    if wrapped:
        stages = [RandomApply(stages)]
    with pytest.raises(ValueError, match=r'GlobalRotScaleTrans, RandomFlip3D.*loads cameras.*use_camera=False'):
        refuse_with_cameras(stages)


def test_a_camera_data_set_with_augmentation_is_refused_when_it_is_built(
    synthetic_root: Path, synthetic_infos: Path
) -> None:
    stages = pipeline('object_dgcnn/object-dgcnn_voxel01_20e_nus-3d.py')
    data = dict(data_root=str(synthetic_root), ann_file=str(synthetic_infos / 'nuscenes_infos_train.msgpack.gz'))
    with pytest.raises(ValueError, match='loads cameras'):
        SequenceNuScenesDataset(pipeline=stages, modality=dict(use_camera=True, use_lidar=True), **data)
    lidar = SequenceNuScenesDataset(pipeline=stages, modality=dict(use_camera=False, use_lidar=True), **data)
    np.random.seed(0)
    item = lidar[0]
    assert item['inputs']['points'].shape[1] == 5
    # Without LiDAR the stages that move it are not run.
    SequenceNuScenesDataset(pipeline=stages, modality=dict(use_camera=True, use_lidar=False), **data)
