"""Simulate the sensors at one instant: images, object visibility and point clouds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .camera_kernel import cast_cuboids, cast_ground
from .lidar_kernel import cast_lidar, count_inside
from .rays import HIT_GROUND, HIT_NOTHING
from .rig import Sensor
from .settings import LidarSettings
from .shading import shade
from .world import World

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_FAR = 150.0
_GROUND_REFLECTANCE = 0.05
# Weaker suns cast no shadow.
_SHADOW_SUN = 0.15
# Metres over which a LiDAR return weakens by a factor of e.
_DECAY = 80.0


def photograph(
    world: World, sensor: Sensor, time: float, shape: tuple[int, int], rng: np.random.Generator, covered: Ints
) -> tuple[npt.NDArray[np.uint8], Ints]:
    """Take a picture.

    Args:
        world: What there is to see.
        sensor: The camera.
        time: Seconds; the ego car and the objects stand where they are at this time.
        shape: Rows and columns.
        rng: Source of the pixel noise.
        covered: In and out (N,): pixels that each object would fill if nothing stood before it, added up.

    Returns:
        RGB image (H, W, 3) and the object of each pixel (H, W), -1 where there is none.
    """
    assert sensor.intrinsic is not None
    pose = world.ego_pose(time) @ sensor.to_ego
    view = pose[:3, 3].copy(), pose[:3, :3].copy(), sensor.intrinsic[[0, 1, 0, 1], [0, 1, 2, 2]]
    cuboids = *world.cuboids(time), world.parts.halves
    parts, terrain, weather = world.parts, world.terrain, world.weather
    depth, image = np.full(shape, _FAR), np.empty((*shape, 3), np.float32)
    hit, face = np.full(shape, HIT_NOTHING, np.int64), np.zeros(shape, np.int64)
    cast_cuboids(*view, *cuboids, parts.owners, depth, hit, face, covered)
    cast_ground(*view, terrain.heights, terrain.frame, depth, hit)
    objects = np.where(hit >= 0, parts.owners[np.maximum(hit, 0)], -1)
    paint = np.array([*terrain.frame[:2], terrain.paint_cell, weather.sun > _SHADOW_SUN])
    light = np.array(
        [*world.sun, weather.sun, weather.ambient, weather.fog, *weather.sky_zenith, *weather.sky_horizon]
    )
    shade(*view, depth, hit, face, *cuboids, parts.colours, parts.kinds, terrain.paint, paint, light, image)
    image += rng.standard_normal(image.shape, dtype=np.float32) * np.float32(weather.pixel_noise)
    return (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8), objects


def scan(
    world: World, sensor: Sensor, time: float, settings: LidarSettings, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Sweep the LiDAR once around.

    Note:
        A revolution is taken at one instant. nuScenes' sweeps take 50 ms and are corrected for the ego motion, so
        that there only moving objects are smeared.

    Args:
        world: What there is to meet.
        sensor: The LiDAR.
        time: Seconds.
        settings: Beams and noise.
        rng: Source of noise and dropouts.

    Returns:
        (P, 5) float32: x, y, z in the LiDAR frame, intensity in 0..255, ring; in the order of firing, which starts
        on the left and runs clockwise, ring 0 (the lowest) first.
    """
    pose = world.ego_pose(time) @ sensor.to_ego
    origin, rotation = pose[:3, 3].copy(), pose[:3, :3].copy()
    shape = (settings.azimuths, settings.beams)
    elevations = np.radians(np.linspace(*settings.elevations, shape[1]))
    local = _directions(shape[0], elevations)
    ranges, hit = np.full(shape, settings.max_range), np.full(shape, HIT_NOTHING, np.int64)
    parts, terrain = world.parts, world.terrain
    cuboids = *world.cuboids(time), parts.halves
    cast_lidar(
        origin, rotation, local @ rotation.T, elevations, *cuboids, terrain.heights, terrain.frame, ranges, hit
    )  # fmt: skip
    lost = settings.dropout + world.weather.lidar_dropout * (1.0 + ranges / settings.max_range)
    kept = (hit != HIT_NOTHING) & (rng.random(shape) >= lost)
    ranges, hit = ranges[kept], hit[kept]
    reflectance = np.where(hit == HIT_GROUND, _GROUND_REFLECTANCE, parts.reflectance[np.maximum(hit, 0)])
    intensity = 255.0 * reflectance * np.exp(-ranges / _DECAY) * rng.uniform(0.6, 1.4, len(ranges))
    points = np.empty((len(ranges), 5), np.float32)
    points[:, :3] = local[kept] * (ranges + rng.normal(0.0, settings.range_noise, len(ranges)))[:, None]
    points[:, 3] = np.floor(np.clip(intensity, 0, 255))
    points[:, 4] = np.nonzero(kept)[1]
    return points


def _directions(azimuths: int, elevations: Array) -> Array:
    """Return unit vectors (A, B, 3) in the LiDAR frame; the azimuth falls from pi, the left, through the front."""
    around = np.pi - (np.arange(azimuths)[:, None] + 0.5) * 2 * np.pi / azimuths
    flat = np.cos(elevations)
    up = np.broadcast_to(np.sin(elevations), (azimuths, len(elevations)))
    return np.stack([np.cos(around) * flat, np.sin(around) * flat, up], axis=-1)


def points_inside(points: npt.NDArray[np.float32], centres: Array, rotations: Array, sizes: Array) -> Ints:
    """Count the points in boxes by the devkit's rule: borders belong to the box, and the box is not enlarged.

    Args:
        points: (P, 3+) in any frame.
        centres: (K, 3) box centres in that frame.
        rotations: (K, 3, 3) box to frame.
        sizes: (K, 3) width, length, height.

    Returns:
        (K,) counts.
    """
    counts = np.zeros(len(centres), np.int64)
    halves = np.ascontiguousarray(sizes[:, [1, 0, 2]] / 2)
    count_inside(points, np.ascontiguousarray(centres), np.ascontiguousarray(rotations), halves, counts)
    return counts
