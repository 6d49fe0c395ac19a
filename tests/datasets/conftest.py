"""A few hand-written frames in nuScenes' folders, and the real keyframe in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.registry import init_default_scope
from scipy.spatial.transform import Rotation

from bevdistill.datasets.ego_pose import rigid_transform
from bevdistill.datasets.infos import files, read_infos
from bevdistill.structures.cameras import CAMERAS

INTRINSIC = np.array([[40.0, 0, 24.0], [0, 40.0, 16.0], [0, 0, 1]])
HEIGHT, WIDTH = 32, 48
# Camera axes (right, down, forward) in the LiDAR frame (right, forward, up), for the camera that looks ahead.
LIDAR2CAM = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0.3], [0, 1, 0, -0.5], [0, 0, 0, 1]])


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmdet3d')


def yaw_quaternion(yaw: float) -> list[float]:
    return [float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))]


def toy_record(root: Path, index: int, scene: str, frame: int, rng: np.random.Generator) -> dict[str, Any]:
    """A record whose files are written to `root`."""
    images = {}
    for camera in CAMERAS:
        folder = root / 'samples' / camera
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f'{index}.png'), rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8))
        images[camera] = {
            'img_path': f'{index}.png',
            'cam2img': INTRINSIC.tolist(),
            'lidar2cam': LIDAR2CAM.tolist(),
            'sample_data_token': f'{camera}-{index}',
        }
    for folder_name in ('samples/LIDAR_TOP', 'sweeps/LIDAR_TOP'):
        folder = root / folder_name
        folder.mkdir(parents=True, exist_ok=True)
        points = rng.uniform(-20, 20, (200, 5)).astype(np.float32)
        points.tofile(folder / f'{index}.bin')
    rotation, translation = yaw_quaternion(0.3 * index), [600.0 + 5 * index, 1600.0 - index, 0.5]
    return {
        'sample_idx': index,
        'token': f'token-{index}',
        'timestamp': 1000.0 + 0.5 * index,
        'ego2global': rigid_transform(rotation, translation).tolist(),
        'images': images,
        'lidar_points': {'num_pts_feats': 5, 'lidar_path': f'{index}.bin', 'lidar2ego': np.eye(4).tolist()},
        'lidar_sweeps': [
            {
                'timestamp': 1000.0 + 0.5 * index - 0.05,
                'sample_data_token': f'sweep-{index}',
                'ego2global': np.eye(4).tolist(),
                'lidar_points': {
                    'lidar_path': f'sweeps/LIDAR_TOP/{index}.bin',
                    'lidar2ego': np.eye(4).tolist(),
                    'lidar2sensor': np.eye(4).tolist(),
                },
            }
        ],
        'instances': [
            {
                'bbox_label': label,
                'bbox_label_3d': label,
                'bbox_3d': [3.0 * k - 3, 8.0 + index, 0.0, 4.0, 2.0, 1.5, 0.1 * k],
                'bbox_3d_isvalid': True,
                'num_lidar_pts': 5,
                'num_radar_pts': 0,
                'velocity': [1.0, float('nan') if k == 2 else 0.0],
            }
            for k, label in enumerate((0, 7, -1, 3))
        ],
        'cam_instances': {camera: [] for camera in CAMERAS},
        'scene_token': scene,
        'frame_idx': frame,
        'prev': '',
        'next': '',
        'can_bus': rng.normal(size=18).tolist(),
        'ego2global_rotation': rotation,
        'ego2global_translation': translation,
    }


Writer = Callable[[Path, list[dict[str, Any]]], None]


def write_infos(root: Path, records: list[dict[str, Any]]) -> None:
    metainfo = {'categories': {}, 'dataset': 'nuscenes', 'version': 'v1.0-mini', 'info_version': '1.1'}
    files.write_infos(root / 'infos.msgpack.gz', {'metainfo': metainfo, 'data_list': records})


@pytest.fixture
def toy_records(tmp_path: Path) -> list[dict[str, Any]]:
    """Records of scene a (three frames) and scene b (two), with files in `tmp_path`, not yet written themselves."""
    rng = np.random.default_rng(0)
    scenes = [('a', 0), ('a', 1), ('a', 2), ('b', 0), ('b', 1)]
    return [toy_record(tmp_path, i, scene, frame, rng) for i, (scene, frame) in enumerate(scenes)]


@pytest.fixture
def toy_root(tmp_path: Path, toy_records: list[dict[str, Any]]) -> Path:
    """Root with ``infos.msgpack.gz``."""
    write_infos(tmp_path, toy_records)
    return tmp_path


@pytest.fixture(scope='session')
def keyframe_root(keyframe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real keyframe in nuScenes' folders, its record completed by temporal fields."""
    root = tmp_path_factory.mktemp('keyframe')
    record = read_infos(next(keyframe.glob('*.pkl')))['data_list'][0]
    for camera, image in record['images'].items():
        (root / 'samples' / camera).mkdir(parents=True)
        (root / 'samples' / camera / image['img_path']).symlink_to(keyframe / image['img_path'])
    lidar = record['lidar_points']['lidar_path']
    (root / 'samples' / 'LIDAR_TOP').mkdir(parents=True)
    (root / 'samples' / 'LIDAR_TOP' / lidar).symlink_to(keyframe / lidar)
    pose = np.array(record['ego2global'])
    record.update(
        scene_token='scene-0061',
        frame_idx=0,
        prev='',
        next='',
        can_bus=[0.0] * 18,
        ego2global_rotation=Rotation.from_matrix(pose[:3, :3]).as_quat(scalar_first=True).tolist(),
        ego2global_translation=pose[:3, 3].tolist(),
    )
    write_infos(root, [record])
    return root
