"""Model the ego car's drive through a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .terrain import Terrain

Array = npt.NDArray[np.float64]

_STEP = 0.01
_LENGTH, _WIDTH = 3.0, 1.7


@dataclass(frozen=True)
class Path:
    """Plane motion, tabulated every 10 ms; time 0 is the first keyframe.

    Attributes:
        times: (P,) seconds.
        xy: (P, 2) global position.
        yaw: (P,) heading in radians, continuous.
        speed: (P,) m/s.
        turn_rate: (P,) rad/s.
    """

    times: Array
    xy: Array
    yaw: Array
    speed: Array
    turn_rate: Array

    def at(self, time: float) -> tuple[Array, float]:
        """Return position (2,) and heading at a time, linear between the table's entries."""
        x = np.interp(time, self.times, self.xy[:, 0])
        y = np.interp(time, self.times, self.xy[:, 1])
        return np.array([x, y]), float(np.interp(time, self.times, self.yaw))

    def extended(self, reach: float, spacing: float) -> Array:
        """Return the path as evenly spaced points, straightened out by ``reach`` metres at both ends."""
        count = int(reach / spacing)
        gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.xy, axis=0), axis=1))])
        at = np.arange(0.0, gone[-1] + 1e-9, spacing)
        middle = np.stack([np.interp(at, gone, self.xy[:, k]) for k in range(2)], axis=1)
        ends = []
        for index, sign in ((0, -1.0), (-1, 1.0)):
            forward = np.array([np.cos(self.yaw[index]), np.sin(self.yaw[index])])
            ends.append(middle[index] + sign * spacing * np.arange(1, count + 1)[:, None] * forward)
        return np.concatenate([ends[0][::-1], middle, ends[1]])


def drive(
    rng: np.random.Generator,
    start: Array,
    duration: tuple[float, float],
    speed: tuple[float, float],
    turn_rate: float,
) -> Path:
    """Draw a drive: gentle acceleration, and a turn rate that swings around a mean.

    Args:
        rng: Source of randomness.
        start: (2,) global position at time 0.
        duration: First and last time in seconds; the first is at most 0.
        speed: Least and most speed in m/s.
        turn_rate: Largest turn rate in rad/s; it is scaled down at low speed.
    """
    times: Array = np.arange(duration[0], duration[1] + _STEP, _STEP, dtype=np.float64)
    v = np.clip(rng.uniform(*speed) + rng.uniform(-0.8, 0.8) * times, max(speed[0], 0.0), speed[1])
    mean, swing = rng.uniform(-1, 1) * rng.integers(0, 2), rng.uniform(-0.3, 0.3)
    rate = turn_rate * (mean + swing * np.sin(2 * np.pi * times / 6.0 + rng.uniform(0, 6.28)))
    rate = np.clip(rate, -turn_rate, turn_rate) * np.minimum(1.0, v / 3.0)
    yaw = rng.uniform(-np.pi, np.pi) + np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * _STEP)])
    steps = np.stack([np.cos(yaw), np.sin(yaw)], axis=1) * v[:, None] * _STEP
    xy = np.concatenate([np.zeros((1, 2)), np.cumsum((steps[1:] + steps[:-1]) / 2, axis=0)])
    xy += start - xy[np.argmin(np.abs(times))]
    return Path(times, xy, np.asarray(yaw, dtype=np.float64), np.asarray(v, dtype=np.float64), rate)


def ego_stand(terrain: Terrain, xy: Array, yaw: Array) -> tuple[Array, Array]:
    """Return height (N,) and rotation (N, 3, 3) of the ego car at places (N, 2): tilted as the ground is."""
    return terrain.stand(xy, yaw, np.full(len(xy), _LENGTH), np.full(len(xy), _WIDTH))


def ego_pose(path: Path, terrain: Terrain, time: float) -> Array:
    """Return the ego-to-global transform (4, 4): on the ground below the rear axle, tilted as the ground is."""
    xy, yaw = path.at(time)
    height, rotation = ego_stand(terrain, xy[None], np.array([yaw]))
    pose = np.eye(4)
    pose[:3, :3] = rotation[0]
    pose[:3, 3] = (xy[0], xy[1], height[0])
    return pose
