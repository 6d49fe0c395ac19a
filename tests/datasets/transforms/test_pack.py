from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from mmdet3d.structures.points import LiDARPoints

from bevdistill.datasets import PackBEVInputs


def results(frames: int = 2, cameras: int = 3) -> dict[str, Any]:
    return {
        'img': [np.full((4, 6, 3), i, dtype=np.uint8) for i in range(frames * cameras)],
        'lidar2img': np.zeros((frames, cameras, 4, 4), dtype=np.float32),
        'points': LiDARPoints(torch.rand(7, 5), points_dim=5),
        'gt_bboxes_3d': LiDARInstance3DBoxes(torch.rand(2, 9), box_dim=9),
        'gt_labels_3d': np.array([3, 1]),
        'images': {f'CAM_{n}': {'img_path': f'{n}.jpg'} for n in range(cameras)},
        'can_bus': np.ones((frames, 18), dtype=np.float32),
        'token': 'abc',
        'something_else': 1,
    }


@pytest.mark.parametrize(('frames', 'cameras'), [(1, 6), (3, 2), (2, 1), (1, 1)])
def test_frames_and_cameras_in_order(frames: int, cameras: int) -> None:
    packed = PackBEVInputs()(results(frames, cameras))
    images = packed['inputs']['img']
    assert images.shape == (frames, cameras, 3, 4, 6)
    for t in range(frames):
        for n in range(cameras):
            assert (images[t, n] == t * cameras + n).all()


def test_one_frame_is_the_current_one() -> None:
    given = results(frames=2, cameras=3)
    given['lidar2img'] += np.arange(2, dtype=np.float32)[:, None, None, None]
    packed = PackBEVInputs(one_frame=True)(given)
    images, sample = packed['inputs']['img'], packed['data_samples']
    assert images.shape == (3, 3, 4, 6) and images[:, 0, 0, 0].tolist() == [3, 4, 5]
    assert sample.lidar2img.shape == (3, 4, 4) and (sample.lidar2img == 1).all()
    assert given['lidar2img'].shape == (2, 3, 4, 4) and len(given['img']) == 6
    del given['img'], given['lidar2img']
    assert set(PackBEVInputs(one_frame=True)(given)['inputs']) == {'points'}


def test_metadata_and_ground_truth() -> None:
    sample = PackBEVInputs()(results())['data_samples']
    assert sample.token == 'abc'
    assert sample.can_bus.shape == (2, 18)
    assert sample.img_path == ['0.jpg', '1.jpg', '2.jpg']
    assert 'something_else' not in sample.metainfo
    assert sample.gt_instances_3d.labels_3d.tolist() == [3, 1]


def test_what_is_absent_is_left_out() -> None:
    given = results()
    for key in ('img', 'gt_bboxes_3d', 'gt_labels_3d', 'lidar2img'):
        del given[key]
    packed = PackBEVInputs()(given)
    assert set(packed['inputs']) == {'points'}
    assert packed['inputs']['points'].shape == (7, 5)
    assert len(packed['data_samples'].gt_instances_3d) == 0


def test_chosen_keys() -> None:
    packed = PackBEVInputs(keys=['points'], meta_keys=['token'])(results())
    assert set(packed['inputs']) == {'points'}
    assert set(packed['data_samples'].metainfo) == {'token'}
