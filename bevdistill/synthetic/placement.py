"""Place objects on spots along the road that stay free for the whole scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .population import Thing
from .trajectory import Path

Array = npt.NDArray[np.float64]

_STEP = 0.25
_GAP = 0.35
_EGO_SIZE, _EGO_AHEAD, _EGO_GAP = (2.0, 4.6, 1.8), 1.4, 0.6
_ALONG_ROAD = 0.75
_NEAR = 0.6


@dataclass(frozen=True)
class Spot:
    """Place and motion of a thing.

    Attributes:
        xy: (2,) global position at time 0.
        velocity: (2,) global, m/s.
        yaw: Heading in radians.
        lateral: Distance from the ego car's path in metres.
    """

    xy: Array
    velocity: Array
    yaw: float
    lateral: float


def draw_spot(rng: np.random.Generator, thing: Thing, line: Array, extent: float, middle: float) -> Spot:
    """Draw a spot near a line.

    Args:
        rng: Source of randomness.
        thing: What is to stand there.
        line: (P, 2) points of the ego car's path, one metre apart, with ``extent`` metres added at both ends.
        extent: Half width of the scene in metres.
        middle: Time at which the thing is at the drawn place.
    """
    ends = (0, len(line) - 1)
    reach = extent
    if thing.near:
        start = int(extent)
        reach, ends = _NEAR * extent, (int(start - _NEAR * extent), int(start + _NEAR * extent))
    index = rng.integers(ends[0], min(ends[1], len(line) - 1))
    along = line[index + 1] - line[index]
    along = along / np.linalg.norm(along)
    left = np.array([-along[1], along[0]])
    lateral = rng.uniform(*thing.lateral) * reach * rng.choice([-1.0, 1.0])
    yaw = rng.uniform(-np.pi, np.pi)
    if thing.kind in ('vehicle', 'cycle', '') and rng.random() < _ALONG_ROAD:
        # Traffic keeps to the right: on the left of the path it comes towards the ego car.
        yaw = np.arctan2(along[1], along[0]) + rng.normal(0, 0.06) + (np.pi if lateral > 0 else 0.0)
    velocity = thing.speed * np.array([np.cos(yaw), np.sin(yaw)])
    xy = line[index] + left * lateral - velocity * middle
    return Spot(xy, velocity, float((yaw + np.pi) % (2 * np.pi) - np.pi), abs(float(lateral)))


class Occupancy:
    """Track occupied footprints over time; a footprint is covered by five discs along its length.

    Args:
        path: The ego car's drive, which takes the first footprint.
        duration: First and last time in seconds.
    """

    def __init__(self, path: Path, duration: tuple[float, float]) -> None:
        self.middle = (duration[0] + duration[1]) / 2
        self._times = np.linspace(*duration, max(2, int((duration[1] - duration[0]) / _STEP) + 2))
        ego = [path.at(float(time)) for time in self._times]
        yaw = np.array([heading for _, heading in ego])
        xy = np.stack([position for position, _ in ego]) + _EGO_AHEAD * np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
        discs, radius = _discs(xy, yaw, (_EGO_SIZE[0] + 2 * _EGO_GAP, _EGO_SIZE[1] + 2 * _EGO_GAP, _EGO_SIZE[2]))
        self._discs: list[Array] = [discs]
        self._radii: list[float] = [radius]

    def take(self, spot: Spot, size: tuple[float, float, float]) -> bool:
        """Occupy a spot if it is free for the whole scene; return whether it was."""
        xy = spot.xy + spot.velocity * self._times[:, None]
        discs, radius = _discs(xy, np.full(len(self._times), spot.yaw), size)
        others, radii = np.stack(self._discs), np.array(self._radii)
        # Middle discs first: most pairs are far apart.
        apart = np.linalg.norm(others[:, :, 2] - discs[None, :, 2], axis=-1).min(axis=1)
        spans = np.linalg.norm(others[:, 0, 4] - others[:, 0, 0], axis=-1) / 2 + radii
        span = float(np.linalg.norm(discs[0, 4] - discs[0, 0])) / 2 + radius
        near = np.flatnonzero(apart < spans + span + _GAP)
        if len(near):
            gaps = np.linalg.norm(others[near][:, :, :, None] - discs[None, :, None], axis=-1).min(axis=(1, 2, 3))
            if np.any(gaps < radii[near] + radius + _GAP):
                return False
        self._discs.append(discs)
        self._radii.append(radius)
        return True


def _discs(xy: Array, yaw: Array, size: tuple[float, float, float]) -> tuple[Array, float]:
    """Return centres (T, 5, 2) and radius of discs that cover footprints ``size`` (width, length, height) at (T, 2)."""
    width, length = size[0], size[1]
    if width > length:
        width, length, yaw = length, width, yaw + np.pi / 2
    along = np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    offsets = np.linspace(-1, 1, 5) * length * 0.4
    return xy[:, None] + offsets[:, None] * along[:, None], float(np.hypot(width / 2, length / 10))
