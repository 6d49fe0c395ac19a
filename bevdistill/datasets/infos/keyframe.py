"""Complete the information file of a single keyframe with temporal fields.

mmdet3d ships such a keyframe in ``demo/data/nuscenes``: six images, a LiDAR sweep and the file that its own converter
wrote, all in one folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pyquaternion import Quaternion

from ...structures.cameras import CAMERAS
from ...structures.ego_state import CAN_BUS_SIZE
from .files import ENDING, read_infos, write_infos


def write_keyframe_infos(folder: str | Path, out_file: str | Path, min_lidar_points: int = 0) -> Path:
    """Write the information file of a folder's one keyframe, with temporal fields.

    The frame becomes a scene of its own without neighbours: ``frame_idx`` 0, ``prev`` and ``next`` empty, the ego pose
    from ``ego2global``, no CAN bus signals. Cameras stand in the order of our own files.

    Args:
        folder: Holds one information file in the layout of mmdet3d 1.x with one sample, such as mmdet3d's ``*.pkl``.
        out_file: File to write, ``*.msgpack.gz``.
        min_lidar_points: Boxes with fewer LiDAR points inside are left out.

    Returns:
        `out_file`.

    Raises:
        FileNotFoundError: If the folder holds no information file, or a sensor's file is missing.
        ValueError: If it holds several, or the file holds several samples or lacks a camera.
    """
    folder, out_file = Path(folder), Path(out_file)
    source = _information_file(folder)
    content = read_infos(source)
    if len(content['data_list']) != 1:
        raise ValueError(f'{source} holds {len(content["data_list"])} samples, expected the one keyframe of a folder')
    record = content['data_list'][0]
    missing = sorted(set(CAMERAS) - set(record['images']))
    if missing:
        raise ValueError(f'{source}: the keyframe lacks {", ".join(missing)}')
    paths = [record['images'][camera]['img_path'] for camera in CAMERAS] + [record['lidar_points']['lidar_path']]
    absent = [path for path in paths if not (folder / path).is_file()]
    if absent:
        raise FileNotFoundError(f'{folder} lacks {absent[0]}, which {source.name} names')
    instances = [entry for entry in record['instances'] if entry['num_lidar_pts'] >= min_lidar_points]
    completed = {
        **record,
        'images': {camera: record['images'][camera] for camera in CAMERAS},
        'instances': instances,
        **_temporal_fields(record),
    }
    return write_infos(out_file, {**content, 'data_list': [completed]})


def _information_file(folder: Path) -> Path:
    found = sorted(path for path in folder.iterdir() if path.name.endswith((ENDING, '.pkl'))) if folder.is_dir() else []
    if not found:
        raise FileNotFoundError(
            f'no information file (*.pkl, *{ENDING}) in {folder}; expected a folder with one keyframe, such as '
            'demo/data/nuscenes of mmdetection3d'
        )
    if len(found) > 1:
        raise ValueError(f'{folder} holds {len(found)} information files, expected one: {[f.name for f in found]}')
    return found[0]


def _temporal_fields(record: dict[str, Any]) -> dict[str, Any]:
    pose = np.asarray(record['ego2global'], dtype=np.float64)
    # The file's matrices are float32, so orthogonality holds to 1e-6 only.
    rotation = Quaternion(matrix=pose[:3, :3], rtol=1e-4, atol=1e-5)
    return {
        'scene_token': f'scene of {record["token"]}',
        'frame_idx': 0,
        'prev': '',
        'next': '',
        'can_bus': [0.0] * CAN_BUS_SIZE,
        'ego2global_rotation': rotation.elements.tolist(),
        'ego2global_translation': pose[:3, 3].tolist(),
    }
