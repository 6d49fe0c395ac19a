from __future__ import annotations

import numpy as np
import pytest

from bevdistill.synthetic.terrain import Terrain
from bevdistill.synthetic.trajectory import Path, drive, ego_pose, ego_stand


@pytest.mark.parametrize('seed', range(5))
def test_motion_is_consistent(seed: int) -> None:
    path = drive(np.random.default_rng(seed), np.array([10.0, 20.0]), (-0.5, 4.0), (0.0, 9.0), 0.3)
    assert path.at(0.0)[0] == pytest.approx([10.0, 20.0], abs=1e-6)
    steps = np.diff(path.xy, axis=0) / 0.01
    assert np.linalg.norm(steps, axis=1) == pytest.approx((path.speed[1:] + path.speed[:-1]) / 2, abs=0.01)
    assert np.diff(path.yaw) / 0.01 == pytest.approx((path.turn_rate[1:] + path.turn_rate[:-1]) / 2)
    moving = path.speed[1:] > 0.5
    heading = np.arctan2(steps[:, 1], steps[:, 0])
    assert np.cos(heading - path.yaw[1:])[moving] == pytest.approx(1.0, abs=1e-4)
    assert (path.speed >= 0).all()
    assert (path.speed <= 9).all()
    assert (np.abs(path.turn_rate) <= 0.3).all()


def test_extended_path_is_even_and_straight_at_its_ends() -> None:
    path = drive(np.random.default_rng(1), np.zeros(2), (-0.5, 4.0), (5.0, 9.0), 0.3)
    line = path.extended(20.0, 1.0)
    gaps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    assert gaps.max() < 1.01
    assert gaps.min() > 0.98, 'a chord of a gentle arc'
    first = np.diff(line[:20], axis=0)
    assert np.cross(first[0], first[-1]) == pytest.approx(0.0, abs=1e-9)


def test_standing_still_is_a_path() -> None:
    path = drive(np.random.default_rng(1), np.zeros(2), (-0.5, 1.0), (0.0, 0.0), 0.3)
    assert path.extended(10.0, 1.0).shape == (21, 2)


def test_position_between_entries_is_linear() -> None:
    path = drive(np.random.default_rng(2), np.array([5.0, -3.0]), (-0.5, 2.0), (4.0, 9.0), 0.3)
    before, after = path.at(float(path.times[60])), path.at(float(path.times[61]))
    middle = path.at(float(path.times[60] + path.times[61]) / 2)
    assert middle[0] == pytest.approx((before[0] + after[0]) / 2)
    assert middle[1] == pytest.approx((before[1] + after[1]) / 2)


def test_slow_cars_turn_slowly() -> None:
    """A car that crawls cannot spin on the spot: the turn rate is scaled down below 3 m/s."""
    for seed in range(8):
        path = drive(np.random.default_rng(seed), np.zeros(2), (-0.5, 4.0), (0.0, 1.0), 0.3)
        assert (np.abs(path.turn_rate) <= 0.3 * np.minimum(1.0, path.speed / 3.0) + 1e-12).all()


@pytest.mark.parametrize('yaw', [0.0, 0.7, -2.5])
def test_the_ego_car_tilts_as_the_plane_does(yaw: float) -> None:
    y, x = np.mgrid[0:30, 0:30] * 2.0
    heights = (0.08 * x + 0.03 * y).astype(np.float32)
    terrain = Terrain(heights, np.array([0.0, 0.0, 2.0, 0.1]), np.zeros((1, 1, 3), np.float32), 0.5)
    path = Path(np.array([0.0, 1.0]), np.full((2, 2), 30.0), np.full(2, yaw), np.zeros(2), np.zeros(2))
    pose = ego_pose(path, terrain, 0.5)
    up = np.array([-0.08, -0.03, 1.0])
    assert pose[:3, 2] == pytest.approx(up / np.linalg.norm(up), abs=1e-6)
    assert pose[:3, 3] == pytest.approx([30.0, 30.0, 0.11 * 30.0], abs=1e-4)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)
    heights_of_two, rotations = ego_stand(terrain, np.array([[30.0, 30.0], [10.0, 40.0]]), np.array([yaw, yaw]))
    assert heights_of_two == pytest.approx([3.3, 2.0], abs=1e-4)
    assert rotations[0] == pytest.approx(rotations[1], abs=1e-5), 'a plane tilts all alike'
