from __future__ import annotations

import numpy as np
import pytest

from bevdistill.synthetic.catalog import SPECIES
from bevdistill.synthetic.world import World


def test_centres_move_at_constant_velocity(world: World) -> None:
    first, _ = world.poses(0.0)
    later, _ = world.poses(0.8)
    assert later[:, :2] - first[:, :2] == pytest.approx(0.8 * world.velocity)
    assert (np.linalg.norm(world.velocity, axis=1) > 0.5).any()
    assert (np.linalg.norm(world.velocity, axis=1) == 0.0).any()


def test_objects_face_where_they_go(world: World) -> None:
    _, rotations = world.poses(0.3)
    speed = np.linalg.norm(world.velocity, axis=1)
    ahead = rotations[:, :2, 0] / np.linalg.norm(rotations[:, :2, 0], axis=1, keepdims=True)
    assert (ahead * world.velocity).sum(axis=1) == pytest.approx(speed)


def test_objects_stand_on_the_relief(world: World) -> None:
    centres, rotations = world.poses(0.0)
    point = np.full(len(centres), 0.1)
    height, _ = world.terrain.stand(centres[:, :2].copy(), world.yaw, point, point)
    small = world.sizes[:, :2].max(axis=1) < 6
    assert (centres[:, 2] - world.sizes[:, 2] / 2 - height)[small] == pytest.approx(0.03, abs=0.12)
    tilt = np.degrees(np.arccos(rotations[:, 2, 2]))
    assert 0.5 < tilt.max() < 6.0


def test_parts_stay_inside_their_boxes(world: World) -> None:
    box = world.sizes[world.parts.owners][:, [1, 0, 2]] / 2
    assert (np.abs(world.parts.offsets) + world.parts.halves <= box + 1e-9).all()


def test_nothing_overlaps_at_any_time(world: World) -> None:
    """Footprints as dense point sets, against each other and against the ego car."""
    for time in (-0.4, 0.2, 1.0):
        centres, _ = world.poses(time)
        pose = world.ego_pose(time)
        ego = pose[:2, 3] + 1.4 * pose[:2, 0]
        gaps = np.linalg.norm(centres[:, :2] - ego, axis=1)
        assert (gaps > 1.0 + world.sizes[:, 0] / 2).all()
        forward = np.stack([np.cos(world.yaw), np.sin(world.yaw)], axis=1)
        left = np.stack([-forward[:, 1], forward[:, 0]], axis=1)
        grid = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 9), np.linspace(-0.5, 0.5, 5)), axis=-1).reshape(-1, 2)
        for i in range(len(centres)):
            points = centres[i, :2] + grid[:, :1] * world.sizes[i, 1] * forward[i]
            points = points + grid[:, 1:] * world.sizes[i, 0] * left[i]
            for j in range(len(centres)):
                away = points - centres[j, :2]
                inside = (np.abs(away @ forward[j]) < world.sizes[j, 1] / 2) & (
                    np.abs(away @ left[j]) < world.sizes[j, 0] / 2
                )
                assert i == j or not inside.any()


def test_every_class_is_there(world: World) -> None:
    categories = {thing.category for thing in world.things}
    for species in SPECIES:
        assert categories & {category for category, _ in species.categories}, species.name
    assert '' in categories, 'clutter has no label'


def test_ego_car_stands_on_the_ground(world: World) -> None:
    pose = world.ego_pose(0.5)
    assert pose[:3, :3].T @ pose[:3, :3] == pytest.approx(np.eye(3), abs=1e-9)
    flat, _ = world.terrain.stand(pose[None, :2, 3].copy(), np.zeros(1), np.full(1, 0.1), np.full(1, 0.1))
    assert pose[2, 3] == pytest.approx(flat[0], abs=0.05)
