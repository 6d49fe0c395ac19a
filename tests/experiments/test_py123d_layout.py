"""The bridge from py123d: what its nuScenes parser gives comes back as what our own converter writes.

py123d pins other versions, so it runs in an interpreter of its own, which BEVDISTILL_PY123D names.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from docs.experiments import py123d_layout

from bevdistill.datasets.infos import read_infos
from bevdistill.datasets.infos.own import import_own_data

REPO = Path(__file__).resolve().parents[2]


def pose(x: float, y: float, turned: bool = False) -> SimpleNamespace:
    matrix = np.eye(4)
    matrix[:2, 3] = x, y
    if turned:
        matrix[:2, :2] = [[0, -1], [1, 0]]
    return SimpleNamespace(transformation_matrix=matrix)


def test_boxes_and_velocities_come_from_global_axes_to_those_of_the_ego() -> None:
    """The car stands at (10, 5) and looks along global y: global (10, 9) is 4 m ahead."""
    detection = SimpleNamespace(
        bounding_box_se3=SimpleNamespace(center_se3=pose(10, 9), length=4.0, width=2.0, height=1.5),
        velocity_3d=SimpleNamespace(x=0.0, y=3.0, z=0.0),
        attributes=SimpleNamespace(label=SimpleNamespace(name='CAR'), track_token='a', num_lidar_points=5),
    )
    (box,) = py123d_layout.boxes_of([detection], pose(10, 5, turned=True).transformation_matrix)
    assert box['centre'] == pytest.approx([4.0, 0.0, 0.0])
    assert box['velocity'] == pytest.approx([3.0, 0.0])
    assert box['yaw'] == pytest.approx(-np.pi / 2)
    assert (box['category'], box['size'], box['num_points']) == ('car', [4.0, 2.0, 1.5], 5)


def test_images_inside_other_files_are_written(tmp_path: Path) -> None:
    lens = SimpleNamespace(fx=2.0, fy=3.0, cx=4.0, cy=5.0, skew=0.0)
    camera: Any = SimpleNamespace(
        metadata=SimpleNamespace(intrinsics=lens, camera_to_imu_se3=pose(1, 0)),
        has_file_path=False,
        _byte_string=b'image',
        timestamp=SimpleNamespace(time_us=2_500_000),
        camera_to_global_se3=pose(11, 5),
    )
    described = py123d_layout.camera_of(camera, tmp_path, 'a-front')
    assert (tmp_path / described['image']).read_bytes() == b'image'
    assert described['intrinsics'] == [[2.0, 0.0, 4.0], [0, 3.0, 5.0], [0, 0, 1]]
    assert np.array(described['ego2global'])[:2, 3] == pytest.approx([10.0, 5.0])
    assert described['timestamp'] == 2.5


def global_boxes(record: dict[str, Any]) -> dict[tuple[float, ...], np.ndarray]:
    """Boxes in global axes by their centre in centimetres: sizes, heading and velocity."""
    to_global = np.array(record['ego2global']) @ np.array(record['lidar_points']['lidar2ego'])
    found = {}
    for box in record['instances']:
        centre = (to_global @ [*box['bbox_3d'][:3], 1])[:3]
        yaw = box['bbox_3d'][6]
        heading = (to_global[:3, :3] @ [np.cos(yaw), np.sin(yaw), 0])[:2]
        velocity = (to_global[:3, :3] @ [*np.nan_to_num(box['velocity']), 0])[:2]
        rest = [*box['bbox_3d'][3:6], *heading, *velocity, box['num_lidar_pts']]
        found[tuple(np.round(centre, 2) + 0.0)] = np.array(rest)
    return found


def test_equals_our_own_converter(synthetic_root: Path, synthetic_infos: Path, tmp_path: Path) -> None:
    interpreter = os.environ.get('BEVDISTILL_PY123D')
    if not interpreter:
        pytest.skip('no interpreter with py123d; set BEVDISTILL_PY123D')
    options = ['--options', 'splits=["nuscenes-mini_train"]', f'nuscenes_data_root={synthetic_root}']
    script = str(REPO / 'docs/experiments/py123d_layout.py')
    subprocess.run([interpreter, script, 'nuscenes', str(tmp_path), *options], check=True)
    theirs = read_infos(str(import_own_data(tmp_path, [])[0]))['data_list']
    ours = read_infos(str(next(synthetic_infos.glob('nuscenes_infos_train.*'))))['data_list']
    by_image = {Path(record['images']['CAM_FRONT']['img_path']).name: record for record in ours}
    assert len(theirs) == len(ours) > 0
    for record in theirs:
        own = by_image[Path(record['images']['CAM_FRONT']['img_path']).name]
        assert record['frame_idx'] == own['frame_idx']
        np.testing.assert_allclose(record['ego2global'], own['ego2global'], atol=1e-4)
        np.testing.assert_allclose(record['lidar_points']['lidar2ego'], own['lidar_points']['lidar2ego'], atol=1e-2)
        to_own = np.linalg.inv(own['lidar_points']['lidar2ego']) @ record['lidar_points']['lidar2ego']
        for camera, image in own['images'].items():
            other = record['images'][camera]
            np.testing.assert_allclose(other['cam2img'], image['cam2img'], atol=1e-6)
            np.testing.assert_allclose(other['lidar2cam'], np.array(image['lidar2cam']) @ to_own, atol=2e-3)
        points = np.fromfile(tmp_path / record['lidar_points']['lidar_path'], np.float32).reshape(-1, 5)
        stored = synthetic_root / 'samples' / 'LIDAR_TOP' / own['lidar_points']['lidar_path']
        expected = np.fromfile(stored, np.float32).reshape(-1, 5)
        np.testing.assert_allclose(points[:, :3], expected[:, :3], atol=1e-3)
        boxes, wanted = global_boxes(record), global_boxes(own)
        assert boxes.keys() == wanted.keys()
        for centre, box in boxes.items():
            np.testing.assert_allclose(box, wanted[centre], atol=2e-3)
