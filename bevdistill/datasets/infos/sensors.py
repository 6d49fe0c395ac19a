"""Sensor part of an information record: images, points, sweeps and the matrices between them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from nuscenes.nuscenes import NuScenes

from ..ego_motion import rigid_transform

CAMERAS = ('CAM_FRONT', 'CAM_FRONT_RIGHT', 'CAM_FRONT_LEFT', 'CAM_BACK', 'CAM_BACK_LEFT', 'CAM_BACK_RIGHT')
"""Order of the cameras, in files, tensors and camera embeddings."""

NUM_POINT_FEATURES = 5

Matrix = NDArray[np.float64]


def as_list(matrix: Matrix) -> list[list[float]]:
    """Nested list of float32 values, as mmdet3d stores matrices."""
    result: list[list[float]] = matrix.astype(np.float32).tolist()
    return result


class SensorRecords:
    """Builds the sensor part of information records from the tables of nuScenes.

    Matrices read right to left: ``lidar2cam`` takes homogeneous LiDAR points at the keyframe's LiDAR time to the
    camera at its own exposure time, over the global frame, so the ego motion between both is in it.

    Args:
        nusc: The data set.
        max_sweeps: Largest number of earlier LiDAR sweeps per record.
    """

    def __init__(self, nusc: NuScenes, max_sweeps: int) -> None:
        self._nusc = nusc
        self._max_sweeps = max_sweeps
        self._calibrations: dict[str, Matrix] = {}

    def build(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Fields of one keyframe.

        Raises:
            FileNotFoundError: If the LiDAR file or an image of the keyframe is missing.
        """
        lidar = self._nusc.get('sample_data', sample['data']['LIDAR_TOP'])
        lidar2ego, ego2global = self._calibration(lidar), self._pose(lidar)
        global2lidar = np.linalg.inv(ego2global @ lidar2ego)
        pose = self._nusc.get('ego_pose', lidar['ego_pose_token'])
        record: dict[str, Any] = {
            'ego2global': as_list(ego2global),
            'images': {camera: self._image(sample, camera, global2lidar) for camera in CAMERAS},
            'lidar_points': {
                'num_pts_feats': NUM_POINT_FEATURES,
                'lidar_path': self._present(lidar, sample).name,
                'lidar2ego': as_list(lidar2ego),
            },
            'ego2global_rotation': [float(v) for v in pose['rotation']],
            'ego2global_translation': [float(v) for v in pose['translation']],
        }
        sweeps = self._sweeps(lidar, global2lidar)
        if sweeps:
            record['lidar_sweeps'] = sweeps
        return record

    def _calibration(self, data: dict[str, Any]) -> Matrix:
        """Sensor to ego."""
        token = data['calibrated_sensor_token']
        if token not in self._calibrations:
            row = self._nusc.get('calibrated_sensor', token)
            self._calibrations[token] = rigid_transform(row['rotation'], row['translation'])
        return self._calibrations[token]

    def _pose(self, data: dict[str, Any]) -> Matrix:
        """Ego to global at the time of the sensor."""
        row = self._nusc.get('ego_pose', data['ego_pose_token'])
        return rigid_transform(row['rotation'], row['translation'])

    def _present(self, data: dict[str, Any], sample: dict[str, Any]) -> Path:
        path = Path(self._nusc.dataroot) / data['filename']
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f"sample {sample['token']}: {data['channel']} file is missing: {path}. Unpack the nuScenes archive "
                f'that holds it, or leave its whole scene out.'
            )
        return path

    def _image(self, sample: dict[str, Any], camera: str, global2lidar: Matrix) -> dict[str, Any]:
        data = self._nusc.get('sample_data', sample['data'][camera])
        cam2ego, ego2global = self._calibration(data), self._pose(data)
        cam2lidar = global2lidar @ ego2global @ cam2ego
        intrinsic = self._nusc.get('calibrated_sensor', data['calibrated_sensor_token'])['camera_intrinsic']
        return {
            'img_path': self._present(data, sample).name,
            'cam2img': [[float(v) for v in row] for row in intrinsic],
            'cam2ego': as_list(cam2ego),
            'lidar2cam': as_list(np.linalg.inv(cam2lidar)),
            'sample_data_token': data['token'],
            'timestamp': data['timestamp'] / 1e6,
        }

    def _sweeps(self, lidar: dict[str, Any], global2lidar: Matrix) -> list[dict[str, Any]]:
        """Earlier sweeps, newest first.

        Note:
            mmdet3d writes paths that start with the root it was given, and its data set takes a sweep for a keyframe
            when 'samples' occurs anywhere in the path; paths are relative to the root here.
        """
        sweeps: list[dict[str, Any]] = []
        while lidar['prev'] and len(sweeps) < self._max_sweeps:
            lidar = self._nusc.get('sample_data', lidar['prev'])
            sensor2ego, ego2global = self._calibration(lidar), self._pose(lidar)
            sensor2lidar = global2lidar @ ego2global @ sensor2ego
            sweeps.append(
                {
                    'timestamp': lidar['timestamp'] / 1e6,
                    'sample_data_token': lidar['token'],
                    'ego2global': as_list(ego2global),
                    'lidar_points': {
                        'lidar_path': lidar['filename'],
                        'lidar2ego': as_list(sensor2ego),
                        'lidar2sensor': as_list(np.linalg.inv(sensor2lidar)),
                    },
                }
            )
        return sweeps
