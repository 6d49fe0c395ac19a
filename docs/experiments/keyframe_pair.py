"""Write two consecutive real nuScenes keyframes without LiDAR in the neutral layout, and import them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from bevdistill.datasets.infos.own import import_own_data

NUSCENES_LIDAR = np.array([[0.0, 1.0, 0.0, 0.94], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.84], [0.0, 0.0, 0.0, 1.0]])
"""The LiDAR on nuScenes' cars to a few millimetres, (4, 4): 0.94 m ahead of the rear axle, y ahead."""


def box_of(box: dict[str, Any], lidar2ego: NDArray[np.float64]) -> dict[str, Any]:
    """Convert a box in the LiDAR frame to one of the layout."""
    w, x, y, z = box['quaternion_wxyz']
    turn = lidar2ego[:3, :3] @ Rotation.from_quat([x, y, z, w]).as_matrix()
    width, length, height = box['size_wlh']
    return {
        'category': box['name'],
        'centre': (lidar2ego[:3, :3] @ box['centre'] + lidar2ego[:3, 3]).tolist(),
        'size': [length, width, height],
        'yaw': float(np.arctan2(turn[1, 0], turn[0, 0])),
        'velocity': (lidar2ego[:2, :2] @ box['velocity_xy']).tolist(),
        'track': box['track'],
        'num_points': box['num_lidar_pts'],
    }


def import_pair(folder: Path, out: Path) -> Path:
    """Write ``own_infos_pair.pkl`` for a folder with ``frames.json`` and twelve images.

    Args:
        folder: Holds the pair. Each frame has ``lidar`` and ``cameras`` with ``sensor2global`` (4, 4) at the sensor's
            own time, and ``boxes`` in the LiDAR frame.
        out: Folder to write.

    Returns:
        The information file.
    """
    out.mkdir(parents=True, exist_ok=True)
    ego2lidar = np.linalg.inv(NUSCENES_LIDAR)
    lines = []
    for frame in json.loads((folder / 'frames.json').read_text()):
        # Each camera stands where it was when it measured: its own pose of the ego car follows from its place.
        ego2global = np.array(frame['lidar']['sensor2global']) @ ego2lidar
        cameras = {
            name: {
                'image': str((folder / camera['file']).absolute()),
                'intrinsics': camera['intrinsics'],
                'sensor2ego': (np.linalg.inv(ego2global) @ np.array(camera['sensor2global'])).tolist(),
            }
            for name, camera in frame['cameras'].items()
        }
        lines.append({
            'token': frame['token'],
            'scene': frame['scene_name'],
            'timestamp': frame['lidar']['timestamp_us'] / 1e6,
            'ego2global': ego2global.tolist(),
            'cameras': cameras,
            'boxes': [box_of(box, NUSCENES_LIDAR) for box in frame['boxes']],
        })  # fmt: skip
    (out / 'pair.jsonl').write_text(''.join(f'{json.dumps(line)}\n' for line in lines))
    return import_own_data(out, ['pair.jsonl'])[0]
