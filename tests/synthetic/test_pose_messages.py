from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyquaternion import Quaternion

from bevdistill.synthetic.can_bus import write_can_bus
from bevdistill.synthetic.presets import PRESETS
from bevdistill.synthetic.world import World, make_world

START = 1_500_000_000_000_000


def messages_of(world: World, file: Path, duration: tuple[float, float] = (-0.2, 0.8)) -> list[dict[str, Any]]:
    write_can_bus(file, world, START, duration)
    return json.loads(file.read_text())


def test_messages_come_every_20_ms_from_first_to_last(world: World, tmp_path: Path) -> None:
    times = [message['utime'] for message in messages_of(world, tmp_path / 'pose.json')]
    assert times[0] == START - 200_000
    assert times[-1] == START + 800_000
    assert set(np.diff(times).tolist()) == {20_000}


def test_position_and_orientation_are_the_ego_pose(world: World, tmp_path: Path) -> None:
    for message in messages_of(world, tmp_path / 'pose.json')[::7]:
        pose = world.ego_pose((message['utime'] - START) / 1e6)
        assert message['pos'] == pytest.approx(pose[:3, 3].tolist(), abs=1e-6)
        assert Quaternion(message['orientation']).rotation_matrix == pytest.approx(pose[:3, :3], abs=1e-6)


def test_velocity_is_the_derivative_of_position(world: World, tmp_path: Path) -> None:
    messages = messages_of(world, tmp_path / 'pose.json')
    position = np.array([message['pos'][:2] for message in messages])
    moved = np.linalg.norm(np.diff(position, axis=0), axis=1) / 0.02
    speed = np.array([message['vel'][0] for message in messages])
    assert moved == pytest.approx((speed[1:] + speed[:-1]) / 2, abs=0.02)
    assert all(message['vel'][1:] == [0.0, 0.0] for message in messages)


def test_yaw_rate_is_the_derivative_of_heading(world: World, tmp_path: Path) -> None:
    messages = messages_of(world, tmp_path / 'pose.json')
    forward = np.array([Quaternion(message['orientation']).rotation_matrix[:2, 0] for message in messages])
    heading = np.unwrap(np.arctan2(forward[:, 1], forward[:, 0]))
    rate = np.array([message['rotation_rate'][2] for message in messages])
    assert np.diff(heading) / 0.02 == pytest.approx((rate[1:] + rate[:-1]) / 2, abs=0.02)


def test_a_standing_car_on_flat_ground_feels_gravity_alone(tmp_path: Path) -> None:
    settings = replace(PRESETS['tiny'].world, slope=0.0, ego_speed=(0.0, 0.0), objects=(1, 1), buildings=(0, 0))
    parked = make_world(np.random.default_rng(1), settings, np.array([10.0, 20.0]), (-0.5, 1.0))
    for message in messages_of(parked, tmp_path / 'pose.json', (0.0, 0.1)):
        assert message['accel'] == pytest.approx([0.0, 0.0, 9.81], abs=1e-6)
        assert message['vel'] == [0.0, 0.0, 0.0]
        assert message['rotation_rate'] == [0.0, 0.0, 0.0]


def test_a_turn_is_felt_sideways(world: World, tmp_path: Path) -> None:
    """Centripetal acceleration speed x yaw rate points left in a left turn, on top of gravity's share on a slope."""
    for message in messages_of(world, tmp_path / 'pose.json')[5:-5:11]:
        down = Quaternion(message['orientation']).rotation_matrix.T @ [0.0, 0.0, 9.81]
        sideways = message['accel'][1] - down[1]
        assert sideways == pytest.approx(message['vel'][0] * message['rotation_rate'][2], abs=1e-6)
