from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from nuscenes.utils.data_classes import Box
from nuscenes.utils.geometry_utils import points_in_box
from pyquaternion import Quaternion

from bevdistill.synthetic.rig import LIDAR, make_rig
from bevdistill.synthetic.sensing import photograph, points_inside, scan
from bevdistill.synthetic.settings import CameraSettings, LidarSettings
from bevdistill.synthetic.world import World

EXACT = LidarSettings(beams=16, azimuths=90, range_noise=0.0, dropout=0.0)


def test_points_inside_agrees_with_the_devkit() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-5, 5, (3000, 5)).astype(np.float32)
    turns = [Quaternion.random() for _ in range(6)]
    centres, sizes = rng.uniform(-3, 3, (6, 3)), rng.uniform(0.5, 4.0, (6, 3))
    counts = points_inside(points, centres, np.stack([turn.rotation_matrix for turn in turns]), sizes)
    for k in range(6):
        box = Box(centres[k].tolist(), sizes[k].tolist(), turns[k])
        assert counts[k] == points_in_box(box, points[:, :3].T.astype(float)).sum()


def test_scan_has_the_layout_of_nuscenes(world: World) -> None:
    rig = make_rig(np.random.default_rng(0), CameraSettings())
    points = scan(world, rig[LIDAR], 0.0, EXACT, np.random.default_rng(0))
    assert points.dtype == np.float32
    assert points.shape[1] == 5
    assert set(points[:, 4].tolist()) <= set(range(16))
    elevation = np.degrees(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
    assert elevation == pytest.approx(np.linspace(-30.67, 10.67, 16)[points[:, 4].astype(int)], abs=1e-3)
    azimuth = np.arctan2(points[:, 1], points[:, 0])
    assert (np.diff(azimuth) < 1e-3).all(), 'it turns clockwise, from the left'
    assert ((points[:, 3] >= 0) & (points[:, 3] <= 255)).all()
    assert np.linalg.norm(points[:, :3], axis=1).max() <= 40.0
    assert points[points[:, 4] == 0][:, 2].mean() == pytest.approx(-1.84, abs=0.3), 'the lowest ring meets the ground'


def test_noise_and_dropout_are_as_set(world: World) -> None:
    rig = make_rig(np.random.default_rng(0), CameraSettings())
    exact = scan(world, rig[LIDAR], 0.0, EXACT, np.random.default_rng(1))
    noisy = scan(world, rig[LIDAR], 0.0, replace(EXACT, range_noise=0.05), np.random.default_rng(1))
    error = np.linalg.norm(noisy[:, :3], axis=1) - np.linalg.norm(exact[:, :3], axis=1)
    assert error.std() == pytest.approx(0.05, rel=0.15)
    assert error.mean() == pytest.approx(0.0, abs=0.01)
    sparse = scan(world, rig[LIDAR], 0.0, replace(EXACT, dropout=0.4), np.random.default_rng(1))
    assert len(sparse) / len(exact) == pytest.approx(0.6, abs=0.06)


def test_points_on_objects_lie_in_their_boxes(world: World) -> None:
    """Without noise every point is on the ground or in the box of an object."""
    rig = make_rig(np.random.default_rng(0), CameraSettings())
    points = scan(world, rig[LIDAR], 0.4, EXACT, np.random.default_rng(1))
    pose = world.ego_pose(0.4) @ rig[LIDAR].to_ego
    xyz = points[:, :3] @ pose[:3, :3].T + pose[:3, 3]
    count = len(xyz)
    ground, _ = world.terrain.stand(xyz[:, :2].copy(), np.zeros(count), np.full(count, 0.01), np.full(count, 0.01))
    above = xyz[np.abs(xyz[:, 2] - ground) > 0.12]
    centres, rotations = world.poses(0.4)
    local = np.einsum('pni,nij->pnj', above[:, None] - centres[None], rotations)
    inside = (np.abs(local) <= world.sizes[:, [1, 0, 2]] / 2 + 0.01).all(axis=2).any(axis=1)
    assert len(above) > 50
    assert inside.all()


def test_photograph_counts_what_it_draws(world: World) -> None:
    rig = make_rig(np.random.default_rng(0), CameraSettings())
    covered = np.zeros(len(world.things), np.int64)
    image, objects = photograph(world, rig['CAM_FRONT'], 0.0, (33, 70), np.random.default_rng(0), covered)
    assert image.shape == (33, 70, 3)
    assert image.dtype == np.uint8
    assert objects.min() == -1
    seen = np.bincount(objects[objects >= 0], minlength=len(covered))
    assert (seen <= covered).all()
    assert (seen < covered).any(), 'something is hidden'
    again, _ = photograph(world, rig['CAM_FRONT'], 0.0, (33, 70), np.random.default_rng(0), covered)
    assert (again == image).all()
