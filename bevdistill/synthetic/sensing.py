"""What the sensors record at an instant: images, object visibility and point clouds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .kernels import HIT_GROUND, HIT_NOTHING, cast_camera, cast_lidar
from .rig import Sensor
from .settings import LidarSettings
from .shading import shade_camera
from .world import World

Array = npt.NDArray[np.float64]

_FAR = 150.0
_GROUND_REFLECTANCE = 0.05
_SHADOW_SUN = 0.15


def photograph(
    world: World, sensor: Sensor, time: float, shape: tuple[int, int], rng: np.random.Generator, covered: Array
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
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
    origin, rotation = pose[:3, 3].copy(), np.ascontiguousarray(pose[:3, :3])
    intrinsic = sensor.intrinsic[[0, 1, 0, 1], [0, 1, 2, 2]].copy()
    centres, rots = world.cuboids(time)
    parts, terrain, weather = world.parts, world.terrain, world.weather
    depth, image = np.empty(shape), np.empty((*shape, 3), np.float32)
    hit, face = np.empty(shape, np.int64), np.zeros(shape, np.int64)
    ground = np.array([*terrain.origin, terrain.cell, terrain.max_slope])
    cast_camera(
        origin, rotation, intrinsic, centres, rots, parts.halves, parts.owners, terrain.heights, ground, _FAR, depth,
        hit, face, covered,
    )  # fmt: skip
    paint = np.array([*terrain.origin, terrain.paint_cell, float(weather.sun > _SHADOW_SUN)])
    light = np.array(
        [*world.sun, weather.sun, weather.ambient, weather.fog, *weather.sky_zenith, *weather.sky_horizon]
    )
    shade_camera(
        origin, rotation, intrinsic, depth, hit, face, centres, rots, parts.halves, parts.colours, parts.kinds,
        terrain.paint, paint, light, image,
    )  # fmt: skip
    image += rng.standard_normal(image.shape, dtype=np.float32) * np.float32(weather.pixel_noise)
    objects = np.where(hit >= 0, parts.owners[np.maximum(hit, 0)], -1)
    return (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8), objects


def scan(
    world: World, sensor: Sensor, time: float, settings: LidarSettings, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Sweep the LiDAR once around.

    A revolution is taken at one instant, as nuScenes' motion-compensated sweeps appear to be.

    Returns:
        (P, 5) float32: x, y, z in the LiDAR frame, intensity in 0..255, ring; in the order of firing, which starts
        on the left and runs clockwise, ring 0 (the lowest) first.
    """
    pose = world.ego_pose(time) @ sensor.to_ego
    origin, rotation = pose[:3, 3].copy(), np.ascontiguousarray(pose[:3, :3])
    centres, rots = world.cuboids(time)
    parts, terrain = world.parts, world.terrain
    shape = (settings.azimuths, settings.beams)
    azimuths = np.pi - (np.arange(shape[0]) + 0.5) * 2 * np.pi / shape[0]
    elevations = np.radians(np.linspace(*settings.elevations, shape[1]))
    ranges, hit, face = np.empty(shape), np.empty(shape, np.int64), np.zeros(shape, np.int64)
    ground = np.array([*terrain.origin, terrain.cell, terrain.max_slope])
    cast_lidar(
        origin, rotation, azimuths, elevations, centres, rots, parts.halves, terrain.heights, ground,
        settings.max_range, ranges, hit, face,
    )  # fmt: skip
    lost = settings.dropout + world.weather.lidar_dropout * (1.0 + ranges / settings.max_range)
    kept = (hit != HIT_NOTHING) & (rng.random(shape) >= lost)
    ranges = ranges + rng.normal(0.0, settings.range_noise, shape)
    reflectance = np.where(hit == HIT_GROUND, _GROUND_REFLECTANCE, parts.reflectance[np.maximum(hit, 0)])
    intensity = 255.0 * reflectance * np.exp(-ranges / 80.0) * rng.uniform(0.6, 1.4, shape)
    direction = np.stack(
        [
            np.cos(azimuths)[:, None] * np.cos(elevations),
            np.sin(azimuths)[:, None] * np.cos(elevations),
            np.broadcast_to(np.sin(elevations), shape),
        ],
        axis=-1,
    )
    rings = np.broadcast_to(np.arange(shape[1], dtype=float), shape)
    points = np.concatenate(
        [direction * ranges[..., None], np.floor(np.clip(intensity, 0, 255))[..., None], rings[..., None]], axis=-1
    )
    return points[kept].astype(np.float32)


def points_inside(points: npt.NDArray[np.float32], centres: Array, rotations: Array, sizes: Array) -> Array:
    """Count the points in boxes by the devkit's rule: borders belong to the box, and the box is not enlarged.

    Args:
        points: (P, 3+) in any frame.
        centres: (K, 3) box centres in that frame.
        rotations: (K, 3, 3) box to frame.
        sizes: (K, 3) width, length, height.

    Returns:
        (K,) counts.
    """
    xyz = points[:, :3].astype(np.float64)
    counts = np.zeros(len(centres), np.int64)
    for k, (centre, rotation, size) in enumerate(zip(centres, rotations, sizes, strict=True)):
        half = size[[1, 0, 2]] / 2
        near = np.abs(xyz - centre).max(axis=1) <= np.linalg.norm(half)
        local = (xyz[near] - centre) @ rotation
        counts[k] = np.count_nonzero((np.abs(local) <= half).all(axis=1))
    return counts
