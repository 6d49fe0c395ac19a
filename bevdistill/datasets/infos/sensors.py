"""Write the sensor part of information records: images, points, sweeps and the matrices between them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...structures.cameras import CAMERAS
from ..ego_pose import rigid_transforms
from .presence import CHANNELS, Absences, FilesOnDisk

if TYPE_CHECKING:
    from nuscenes.nuscenes import NuScenes

NUM_POINT_FEATURES = 5

Matrix = NDArray[np.float64]


def as_list(matrices: Matrix) -> list[list[list[float]]]:
    """Convert matrices to nested lists of float32 values, as mmdet3d stores them."""
    result: list[list[list[float]]] = matrices.astype(np.float32).tolist()
    return result


@dataclass(frozen=True)
class KeyframeSensors:
    """Sensors of one keyframe: the LiDAR, the six cameras, then earlier sweeps, newest first.

    Args:
        rows: Their rows of the table `sample_data`.
        sensor2ego: Their calibrations, (S, 4, 4).
        ego2global: Ego pose at the time of each, (S, 4, 4).
        global2sensor: (S, 4, 4).
    """

    rows: list[dict[str, Any]]
    sensor2ego: Matrix
    ego2global: Matrix
    global2sensor: Matrix


class SensorRecords:
    """Build the sensor part of information records from the tables of nuScenes.

    Matrices read right to left: ``lidar2cam`` takes homogeneous LiDAR points at the keyframe's LiDAR time to the
    camera at its own exposure time, over the global frame, so the ego motion between both is in it.

    Args:
        nusc: The data set.
        max_sweeps: Largest number of earlier LiDAR sweeps per record.
        files: What is on disk.
        absences: Sensors that records have; counts sweeps that are not on disk.
    """

    def __init__(self, nusc: NuScenes, max_sweeps: int, files: FilesOnDisk, absences: Absences) -> None:
        self._nusc = nusc
        self._max_sweeps = max_sweeps
        self._files = files
        self._absences = absences

    def look_up(self, sample: dict[str, Any]) -> KeyframeSensors:
        """Look up rows and matrices of a keyframe's sensors."""
        get = self._nusc.get
        rows = [get('sample_data', sample['data'][channel]) for channel in ('LIDAR_TOP', *CAMERAS)]
        sweep = rows[0]
        while sweep['prev'] and len(rows) < 1 + len(CAMERAS) + self._max_sweeps:
            sweep = get('sample_data', sweep['prev'])
            rows.append(sweep)
        calibrations = [get('calibrated_sensor', row['calibrated_sensor_token']) for row in rows]
        poses = [get('ego_pose', row['ego_pose_token']) for row in rows]
        sensor2ego = rigid_transforms([c['rotation'] for c in calibrations], [c['translation'] for c in calibrations])
        ego2global = rigid_transforms([p['rotation'] for p in poses], [p['translation'] for p in poses])
        global2sensor = np.asarray(np.linalg.inv(ego2global @ sensor2ego), dtype=np.float64)
        return KeyframeSensors(rows, sensor2ego, ego2global, global2sensor)

    def build(self, sample: dict[str, Any], sensors: KeyframeSensors) -> dict[str, Any]:
        """Build the fields of one keyframe, without sensors that the root lacks and sweeps that are not on disk.

        Note:
            mmdet3d writes sweep paths that start with the root it was given, and its data set takes a sweep for a
            keyframe when 'samples' occurs anywhere in the path; paths are relative to the root here.
        """
        lidar2global = np.linalg.inv(sensors.global2sensor[0])
        lidar2sensor = as_list(sensors.global2sensor @ lidar2global)
        sensor2ego, ego2global = as_list(sensors.sensor2ego), as_list(sensors.ego2global)
        names = [os.path.basename(row['filename']) for row in sensors.rows[: 1 + len(CAMERAS)]]
        pose = self._nusc.get('ego_pose', sensors.rows[0]['ego_pose_token'])
        record: dict[str, Any] = {
            'ego2global': ego2global[0],
            'images': {
                camera: {
                    'img_path': names[i],
                    'cam2img': self._intrinsic(sensors.rows[i]),
                    'cam2ego': sensor2ego[i],
                    'lidar2cam': lidar2sensor[i],
                    'sample_data_token': sensors.rows[i]['token'],
                    'timestamp': sensors.rows[i]['timestamp'] / 1e6,
                }
                for i, camera in enumerate(CAMERAS, start=1)
                if camera in self._absences.channels
            },
            'lidar_points': {
                'num_pts_feats': NUM_POINT_FEATURES,
                'lidar2ego': sensor2ego[0],
                **({'lidar_path': names[0]} if CHANNELS[0] in self._absences.channels else {}),
            },
            'ego2global_rotation': [float(v) for v in pose['rotation']],
            'ego2global_translation': [float(v) for v in pose['translation']],
        }
        sweeps = [
            {
                'timestamp': sensors.rows[i]['timestamp'] / 1e6,
                'sample_data_token': sensors.rows[i]['token'],
                'ego2global': ego2global[i],
                'lidar_points': {
                    'num_pts_feats': None,
                    'lidar_path': sensors.rows[i]['filename'],
                    'lidar2ego': sensor2ego[i],
                    'lidar2sensor': lidar2sensor[i],
                },
            }
            for i in self._sweeps_on_disk(sensors)
        ]
        if sweeps:
            record['lidar_sweeps'] = sweeps
        return record

    def _intrinsic(self, row: dict[str, Any]) -> list[list[float]]:
        calibration = self._nusc.get('calibrated_sensor', row['calibrated_sensor_token'])
        return [[float(v) for v in line] for line in calibration['camera_intrinsic']]

    def missing(self, sensors: KeyframeSensors) -> list[str]:
        """List the sensors whose file of the keyframe is not on disk."""
        rows = zip(CHANNELS, sensors.rows, strict=False)
        return [channel for channel, row in rows if row['filename'] not in self._files]

    def _sweeps_on_disk(self, sensors: KeyframeSensors) -> list[int]:
        """Return the positions of earlier sweeps that are there, newest first."""
        every = range(1 + len(CAMERAS), len(sensors.rows))
        present = [i for i in every if sensors.rows[i]['filename'] in self._files]
        self._absences.sweeps += len(every)
        self._absences.sweeps_lost += len(every) - len(present)
        return present
