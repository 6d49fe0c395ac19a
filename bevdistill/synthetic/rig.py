"""Define the sensor rig: nuScenes-like positions, directions and focal lengths.

Ego frame: x forward, y left, z up, origin on the ground below the rear axle. Camera frame: x right, y down,
z forward. LiDAR frame: x right, y forward, z up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .settings import CameraSettings

Array = npt.NDArray[np.float64]

LIDAR = 'LIDAR_TOP'
_LIDAR_POSITION = (0.94, 0.0, 1.84)
_FULL_WIDTH, _FULL_HEIGHT = 1600.0, 900.0
_PRINCIPAL = (814.0, 490.0)


@dataclass(frozen=True)
class _Mount:
    position: tuple[float, float, float]
    yaw: float
    focal: float
    lead: float


# Position in metres, yaw in degrees, focal length in pixels of a 1600 x 900 image, and how many seconds before the
# LiDAR's time stamp the camera fires: the LiDAR's revolution ends behind the left side of the car.
CAMERAS: dict[str, _Mount] = {
    'CAM_FRONT': _Mount((1.70, 0.02, 1.51), 0.3, 1266.0, 0.0355),
    'CAM_FRONT_RIGHT': _Mount((1.55, -0.49, 1.50), -56.4, 1261.0, 0.0276),
    'CAM_BACK_RIGHT': _Mount((1.01, -0.48, 1.56), -110.8, 1260.0, 0.0201),
    'CAM_BACK': _Mount((0.03, 0.0, 1.58), 179.9, 809.0, 0.0104),
    'CAM_BACK_LEFT': _Mount((1.04, 0.48, 1.59), 108.6, 1257.0, 0.0005),
    'CAM_FRONT_LEFT': _Mount((1.52, 0.49, 1.51), 55.2, 1273.0, 0.0431),
}


@dataclass(frozen=True)
class Sensor:
    """One calibrated sensor.

    Attributes:
        channel: nuScenes channel.
        to_ego: (4, 4) sensor to ego.
        intrinsic: (3, 3) pinhole matrix in pixels, None for the LiDAR.
        lead: Seconds before the keyframe's time at which it fires.
    """

    channel: str
    to_ego: Array
    intrinsic: Array | None
    lead: float


def make_rig(rng: np.random.Generator, settings: CameraSettings) -> dict[str, Sensor]:
    """Calibrate the six cameras and the LiDAR of a scene, the pitch and the focal lengths jittered once for all."""
    pitch = rng.uniform(-1, 1) * settings.pitch_jitter
    zoom = 1.0 + rng.uniform(-1, 1) * settings.focal_jitter
    sensors = {}
    for channel, mount in CAMERAS.items():
        wobble = rng.normal(0, 0.15, 3)
        to_ego = np.eye(4)
        to_ego[:3, :3] = _camera_axes(mount.yaw + wobble[0], pitch + wobble[1], wobble[2])
        to_ego[:3, 3] = mount.position
        sensors[channel] = Sensor(channel, to_ego, _intrinsic(mount.focal * zoom, settings), mount.lead)
    lidar = np.eye(4)
    lidar[:3, :3] = [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
    lidar[:3, 3] = _LIDAR_POSITION
    sensors[LIDAR] = Sensor(LIDAR, lidar, None, 0.0)
    return sensors


def _camera_axes(yaw: float, pitch: float, roll: float) -> Array:
    """Return the camera-to-ego rotation; angles in degrees, positive pitch looks down, positive roll is clockwise."""
    a, b, c = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    nod = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    axes = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    return turn @ nod @ tilt @ axes


def _intrinsic(focal: float, settings: CameraSettings) -> Array:
    """Return the pinhole matrix of a nuScenes image scaled to the width and cropped from the top to the height."""
    scale = settings.width / _FULL_WIDTH
    cropped = _FULL_HEIGHT * scale - settings.height
    centre = (_PRINCIPAL[0] * scale, _PRINCIPAL[1] * scale - cropped)
    return np.array([[focal * scale, 0, centre[0]], [0, focal * scale, centre[1]], [0, 0, 1.0]])
