"""Write CAN-bus pose messages in the format of the devkit's ``NuScenesCanBus``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .schema import quaternions
from .trajectory import ego_stand
from .world import World

_PERIOD = 0.02
_GRAVITY = 9.81


def write_can_bus(file: Path, world: World, utime: int, duration: tuple[float, float]) -> None:
    """Write a scene's pose messages at 50 Hz.

    A message holds, as nuScenes' do, ``pos`` (global, metres), ``orientation`` (w, x, y, z), and in the ego frame
    ``vel`` (m/s), ``accel`` (m/s^2, gravity included) and ``rotation_rate`` (rad/s).

    Args:
        file: Where to write.
        world: The scene.
        utime: Microseconds of time 0.
        duration: First and last time in seconds.
    """
    path = world.path
    times = np.arange(round(duration[0] / _PERIOD), round(duration[1] / _PERIOD) + 1) * _PERIOD
    xy = np.stack([np.interp(times, path.times, path.xy[:, k]) for k in range(2)], axis=1)
    yaw = np.interp(times, path.times, path.yaw)
    height, rotation = ego_stand(world.terrain, xy, yaw)
    speed = np.interp(times, path.times, path.speed)
    turn = np.interp(times, path.times, path.turn_rate)
    orientation = quaternions(rotation)
    gravity = rotation[:, 2, :] * _GRAVITY
    accel = gravity + np.stack([np.gradient(speed, _PERIOD), speed * turn, np.zeros_like(speed)], axis=1)
    messages = [
        {
            'accel': accel[k].tolist(),
            'orientation': orientation[k],
            'pos': [*xy[k].tolist(), float(height[k])],
            'rotation_rate': [0.0, 0.0, float(turn[k])],
            'utime': utime + round(float(times[k]) * 1e6),
            'vel': [float(speed[k]), 0.0, 0.0],
        }
        for k in range(len(times))
    ]
    file.write_text(json.dumps(messages), encoding='utf-8')
