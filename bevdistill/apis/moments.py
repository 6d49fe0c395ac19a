"""What a student is given and what it gives: images and matrices of a moment, and boxes with units in their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from ..datasets.contents import check_size
from ..datasets.ego_pose import absolute_can_bus
from ..datasets.transforms.images import lidar2img_matrix
from ..structures.ego_state import CAN_BUS_SIZE

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Detection:
    """Detected object in the LiDAR frame: x right, y forward, z up on nuScenes' cars.

    Args:
        name: Class.
        score: In [0, 1].
        centre_m: x, y, z of the middle of the box in metres.
        size_m: Length (along the heading), width, height in metres.
        yaw_rad: Heading, counter-clockwise from +x, in radians.
        velocity_m_s: x and y in metres per second.
    """

    name: str
    score: float
    centre_m: tuple[float, float, float]
    size_m: tuple[float, float, float]
    yaw_rad: float
    velocity_m_s: tuple[float, float]

    @classmethod
    def listed(cls, boxes: Tensor, scores: Tensor, labels: Tensor, classes: Sequence[str]) -> list[Detection]:
        """Convert boxes (n, 9), scores (n,) and labels (n,)."""
        rows = zip(boxes.tolist(), scores.tolist(), labels.tolist(), strict=True)
        return [
            cls(classes[label], score, tuple(box[:3]), tuple(box[3:6]), box[6], tuple(box[7:9]))
            for box, score, label in rows
        ]


@dataclass(frozen=True)
class Moment:
    """Images of all cameras at one moment, as the network takes them, before normalisation.

    Args:
        images: (N, 3, h, w), BGR, 0 to 255, in the order of the cameras in training.
        lidar2img: LiDAR frame in metres to pixels of these images, (N, 4, 4).
        can_bus: Absolute vehicle state, (18,), see :mod:`bevdistill.structures.ego_state`; None: unknown.
    """

    images: Tensor
    lidar2img: Array
    can_bus: Array | None = None

    def state(self) -> Array:
        """Return the vehicle state, zeros if unknown."""
        return np.zeros(CAN_BUS_SIZE) if self.can_bus is None else self.can_bus


@dataclass(frozen=True)
class Calibration:
    """Matrices of the cameras of a moment, and where the car is.

    Args:
        intrinsics: (N, 3, 3), pixels of the images as given.
        lidar2cam: LiDAR frame to camera frame (x right, y down, z along the view), metres, (N, 4, 4).
        ego2global: Pose of the car in a fixed frame, (4, 4), metres; a model with history needs it in sequences.
        lidar2ego: Place of the LiDAR frame on the car, (4, 4), metres; None: its origin is the car's.
        can_bus: The 18 numbers of the vehicle state as information files hold them; `ego2global`, where given,
            replaces their pose.
    """

    intrinsics: ArrayLike
    lidar2cam: ArrayLike
    ego2global: ArrayLike | None = None
    lidar2ego: ArrayLike | None = None
    can_bus: ArrayLike | None = None


def prepare(
    stages: Sequence[Any],
    images: Sequence[NDArray[np.uint8]],
    calibration: Calibration,
    released_can_bus: bool = False,
) -> Moment:
    """Resize and crop the images of a moment as in testing, and their matrices with them.

    Args:
        stages: ``student.stages``.
        images: N images (h, w, 3), uint8, BGR as OpenCV reads them, in the order of the cameras in training.
        calibration: Of these images.
        released_can_bus: See :func:`~bevdistill.datasets.absolute_can_bus`.

    Raises:
        ValueError: If shapes do not fit each other.
    """
    count = len(images)
    cameras = _finite('intrinsics', calibration.intrinsics, (count, 3, 3))
    poses = _finite('lidar2cam', calibration.lidar2cam, (count, 4, 4))
    for place, (image, camera) in enumerate(zip(images, cameras, strict=True)):
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f'image {place}: expected (height, width, 3), BGR, found shape {image.shape}')
        check_size(image.shape[1], image.shape[0], camera, f'image {place}')
    results: dict[str, Any] = dict(img=list(images), cam2img=list(cameras), lidar2cam=list(poses))
    for stage in stages:
        results = stage(results)
    sizes = {image.shape[:2] for image in results['img']}
    if len(sizes) > 1:
        raise ValueError(f'images must have one size after the stages of the config, found {sorted(sizes)}')
    pixels = torch.from_numpy(np.stack(results['img'])).permute(0, 3, 1, 2).contiguous()
    matrices = np.stack(list(map(lidar2img_matrix, results['cam2img'], results['lidar2cam'])))
    return Moment(pixels, matrices, _vehicle_state(calibration, released_can_bus))


def _vehicle_state(calibration: Calibration, released: bool) -> Array | None:
    """Write the pose into the vehicle state: heading of the car, position of the LiDAR as in training."""
    if calibration.ego2global is None and calibration.can_bus is None:
        return None
    raw = np.zeros(CAN_BUS_SIZE) if calibration.can_bus is None else calibration.can_bus
    state = _finite('can_bus', raw, (CAN_BUS_SIZE,))
    if calibration.ego2global is None:
        return state
    pose = _finite('ego2global', calibration.ego2global, (4, 4))
    x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
    if calibration.lidar2ego is not None and not released:
        position = (pose @ _finite('lidar2ego', calibration.lidar2ego, (4, 4)))[:3, 3]
    else:
        position = pose[:3, 3]
    return absolute_can_bus(state, [w, x, y, z], position, released)


def _finite(name: str, given: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Check the shape and the numbers of an entry of the calibration."""
    array = np.array(given, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(
            f'{name}: expected finite numbers of shape {shape}, found shape {array.shape}, first {array.ravel()[:4]}'
        )
    return array
