"""Convert predictions of one sample to the submission format of nuScenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmdet3d.evaluation.metrics import NuScenesMetric
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

SENSORS = ('use_camera', 'use_lidar', 'use_radar', 'use_map')

MAX_BOXES = 500
"""Boxes per sample that the official evaluation accepts."""

MOVING_SPEED = 0.2
"""Metres per second above which an object counts as moving."""

VEHICLES = ('car', 'construction_vehicle', 'bus', 'truck', 'trailer')
CYCLES = ('bicycle', 'motorcycle')


def submission_meta(modality: Mapping[str, bool], use_external: bool) -> dict[str, bool]:
    """Return the flags that a submission declares: the sensors read in testing, and data beyond nuScenes.

    Args:
        modality: Some of :data:`SENSORS`; those not named were not used.
        use_external: Whether data beyond nuScenes was used.

    Raises:
        ValueError: If a sensor is unknown.
    """
    unknown = sorted(set(modality) - set(SENSORS))
    if unknown:
        raise ValueError(f'modality names unknown sensors {unknown}; expected some of {list(SENSORS)}')
    return {**{sensor: bool(modality.get(sensor, False)) for sensor in SENSORS}, 'use_external': bool(use_external)}


def attribute_of(name: str, speed: float) -> str:
    """Choose the attribute of a class at a speed in metres per second, by mmdet3d's rule; '' for other classes."""
    if speed > MOVING_SPEED:
        if name in VEHICLES:
            return 'vehicle.moving'
        if name in CYCLES:
            return 'cycle.with_rider'
    elif name == 'pedestrian':
        return 'pedestrian.standing'
    elif name == 'bus':
        return 'vehicle.stopped'
    attribute: str = NuScenesMetric.DefaultAttribute.get(name, '')
    return attribute


def global_boxes(
    detections: Mapping[str, Any], info: Mapping[str, Any], classes: Sequence[str], class_range: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Convert boxes of one sample to global axes, best first, without those beyond the range of their class.

    Args:
        detections: ``bboxes_3d`` (LiDAR boxes, 9 numbers), ``scores_3d``, ``labels_3d``, on the CPU.
        info: The sample's record with ``token``, ``lidar_points.lidar2ego`` and ``ego2global``.
        classes: Names of the labels.
        class_range: Class to metres from the ego car.

    Returns:
        One record per box.

    Raises:
        ValueError: If a number is not finite, which the devkit would either refuse or score as out of range.
    """
    boxes = detections['bboxes_3d']
    scores = detections['scores_3d'].float().numpy()
    broken = ~(np.isfinite(boxes.tensor.numpy()).all(axis=1) & np.isfinite(scores))
    if broken.any():
        raise ValueError(
            f'sample {info["token"]}: {broken.sum()} of {len(broken)} predicted boxes are not finite; '
            'the weights are broken, or the precision is too low for them'
        )
    labels = detections['labels_3d'].numpy()
    lidar2ego = np.asarray(info['lidar_points']['lidar2ego'], dtype=np.float64)
    ego2global = np.asarray(info['ego2global'], dtype=np.float64)
    centres_ego = moved(boxes.gravity_center.double().numpy(), lidar2ego)
    limits = np.array([class_range[name] for name in classes])[labels]
    kept = np.flatnonzero(np.linalg.norm(centres_ego[:, :2], axis=1) <= limits)
    kept = kept[np.argsort(-scores[kept], kind='stable')]

    centres = moved(centres_ego[kept], ego2global)
    turn = ego2global[:3, :3] @ lidar2ego[:3, :3]
    velocities = np.zeros((len(boxes), 3))
    velocities[:, :2] = boxes.tensor[:, 7:9].double().numpy()
    velocities = velocities[kept] @ turn.T
    rotations = turned(boxes.yaw.double().numpy()[kept], turn)
    sizes_wlh = boxes.dims.double().numpy()[kept][:, [1, 0, 2]]
    names = [classes[label] for label in labels[kept]]
    speeds = np.linalg.norm(velocities[:, :2], axis=1)
    return [
        {
            'sample_token': info['token'],
            'translation': centre,
            'size': size,
            'rotation': rotation,
            'velocity': velocity,
            'detection_name': name,
            'detection_score': score,
            'attribute_name': attribute_of(name, speed),
        }
        for centre, size, rotation, velocity, name, score, speed in zip(
            centres.tolist(),
            sizes_wlh.tolist(),
            rotations.tolist(),
            velocities[:, :2].tolist(),
            names,
            scores[kept].tolist(),
            speeds.tolist(),
            strict=True,
        )
    ]


def moved(points: NDArray[np.float64], transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply a 4 x 4 transform to points (M, 3)."""
    return points @ transform[:3, :3].T + transform[:3, 3]


def turned(yaws: NDArray[np.float64], turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the quaternions w, x, y, z of a yaw about z followed by the rotation `turn`: (M,), (3, 3) to (M, 4)."""
    xyzw = (Rotation.from_matrix(turn) * Rotation.from_euler('z', yaws[:, None])).as_quat()
    wxyz: NDArray[np.float64] = np.roll(xyzw, 1, axis=1)
    return wxyz
