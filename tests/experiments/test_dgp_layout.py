"""The page's example of an importer, on two real drives: points and boxes lie where the cameras see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from docs.experiments import dgp_layout

from bevdistill.datasets.infos import read_infos
from bevdistill.datasets.infos.own import import_own_data


@pytest.fixture(scope='module')
def root(dgp_scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('dgp')
    dgp_layout.main([str(dgp_scenes), str(out), '--train', 'scene_01', '--val', 'scene_02'])
    import_own_data(out, [])
    return out


def points_in_box(points: np.ndarray, box: list[float]) -> int:
    """Count points inside a box, in loops over its three axes."""
    turn = np.array([[np.cos(box[6]), -np.sin(box[6]), 0], [np.sin(box[6]), np.cos(box[6]), 0], [0, 0, 1]])
    local = (points - box[:3]) @ turn
    return int((np.abs(local) <= np.array(box[3:6]) / 2).all(axis=1).sum())


def loaded(root: Path, record: dict[str, Any]) -> np.ndarray:
    points = np.fromfile(root / record['lidar_points']['lidar_path'], np.float32).reshape(-1, 5)[:, :3]
    move = np.array(record['lidar_points']['points2lidar'])
    moved: np.ndarray = points @ move[:3, :3].T + move[:3, 3]
    return moved


def test_boxes_hold_their_points(root: Path) -> None:
    """The clouds are thinned: a box holds 8 to 25 % of the points that its annotation counts, few lie beside it."""
    content = read_infos(str(root / 'own_infos_train.msgpack.gz'))
    record, car = content['data_list'][0], content['metainfo']['categories']['Car']
    points = loaded(root, record)
    near = [b for b in record['instances'] if b['bbox_label_3d'] == car and np.abs(b['bbox_3d'][:2]).max() < 51.2]
    assert len(near) == 59
    large = [box for box in near if box['num_lidar_pts'] > 500]
    assert len(large) >= 8
    for box in large:
        inside = points_in_box(points, box['bbox_3d'])
        larger = [*box['bbox_3d'][:3], *(side + 1.0 for side in box['bbox_3d'][3:6]), box['bbox_3d'][6]]
        beside = points_in_box(points, larger)
        assert 0.08 < inside / box['num_lidar_pts'] < 0.25
        assert inside > 0.55 * beside


def test_both_drives_keep_cameras_order_and_motion(root: Path) -> None:
    train, val = (read_infos(str(root / f'own_infos_{name}.msgpack.gz')) for name in ('train', 'val'))
    assert train['metainfo']['categories'] == val['metainfo']['categories']
    assert [len(record['images']) for record in (train['data_list'][0], val['data_list'][0])] == [3, 6]
    assert [record['frame_idx'] for record in train['data_list']] == [0, 1, 2]
    ahead = np.array([0.0, 20.0, 0.0, 1.0])
    camera = train['data_list'][0]['images']['CAMERA_01']
    pixel = np.array(camera['cam2img']) @ (np.array(camera['lidar2cam']) @ ahead)[:3]
    assert pixel[2] == pytest.approx(18.35, abs=0.3)
    assert abs(pixel[0] / pixel[2] - 968) < 300
