"""Convert information files of mmdetection3d before 1.1, as BEVFormer and BEVDet extend them, to records of today."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from numpy.typing import NDArray

from ...for_people import counted
from ...structures.cameras import CAMERAS
from ...structures.ego_state import CAN_BUS_SIZE
from ..ego_pose import rigid_transform
from .files import read_plain, write_infos
from .names import CATEGORIES
from .read import layout_of
from .sensors import NUM_POINT_FEATURES, as_list

Array = NDArray[np.float64]

NEEDED = (
    'token', 'scene_token', 'timestamp', 'lidar_path', 'cams', 'sweeps', 'lidar2ego_rotation', 'lidar2ego_translation',
    'ego2global_rotation', 'ego2global_translation', 'gt_boxes', 'gt_names', 'gt_velocity', 'num_lidar_pts',
    'num_radar_pts', 'valid_flag',
)  # fmt: skip
VEHICLES = ('car', 'truck', 'trailer', 'bus')


def convert_infos(source: str | Path, out_file: str | Path) -> Path:
    """Write an information file of today from one in the layout of BEVFormer or BEVDet.

    Order of frames, ``prev`` and ``next`` follow from scenes and time stamps, so that they need not be in the file.
    Without ``can_bus`` (BEVDet) the record is zeros, as for scenes without CAN bus data.

    Args:
        source: The other project's file.
        out_file: File to write.

    Raises:
        FileExistsError: If there is such a file already.
        ValueError: If a field that cannot be derived is missing, or the convention of boxes cannot be told.
    """
    if Path(out_file).exists():
        raise FileExistsError(f'{out_file} exists; name another file, or take it away first')
    content = read_plain(str(source))
    infos = content.get('infos') if isinstance(content, Mapping) else None
    if not infos:
        raise ValueError(f'{source} {layout_of(content)}; expected a mapping with infos')
    missing = [name for name in NEEDED if name not in infos[0]]
    if missing:
        raise ValueError(
            f'{source} {layout_of(content)} and lacks {", ".join(missing)}, which cannot be derived; write the file '
            f'from the data with: bevdistill data create nuscenes --root-path ROOT --version VERSION'
        )
    sizes_first = lengths_first(infos, str(source))
    scenes: dict[str, list[Mapping[str, Any]]] = {}
    for info in sorted(infos, key=lambda info: int(info['timestamp'])):
        scenes.setdefault(info['scene_token'], []).append(info)
    records: list[dict[str, Any]] = []
    for scene in scenes.values():
        tokens = ['', *(info['token'] for info in scene), '']
        for frame, info in enumerate(scene):
            neighbours = {'prev': tokens[frame], 'next': tokens[frame + 2]}
            position = {'sample_idx': len(records), 'frame_idx': frame}
            records.append({**record_of(info), **position, **neighbours, 'instances': instances(info, sizes_first)})
    ignored = sorted({str(name) for info in infos for name in info['gt_names']} - set(CATEGORIES))
    categories = {**{name: i for i, name in enumerate(CATEGORIES)}, **dict.fromkeys(ignored, -1)}
    version = (content.get('metadata') or {}).get('version', 'v1.0-trainval')
    metainfo = {'categories': categories, 'dataset': 'nuscenes', 'version': version, 'info_version': '1.1'}
    out_file = Path(out_file)
    out_file.parent.mkdir(parents=True, exist_ok=True)
    write_infos(out_file, {'metainfo': metainfo, 'data_list': records})
    print_log(
        f'{out_file}: {counted(len(records), "sample")} of {counted(len(scenes), "scene")}; {source} '
        f'{layout_of(content)}, its boxes have '
        + ('length, width, height and yaw of today' if sizes_first else 'width, length, height and yaw before 1.0'),
        'current',
    )
    return out_file


def lengths_first(infos: Sequence[Mapping[str, Any]], source: str) -> bool:
    """Tell whether boxes have the length first (mmdetection3d from 1.0 on) or the width, by those of vehicles.

    Raises:
        ValueError: If there is no vehicle, or they do not agree.
    """
    sizes = [info['gt_boxes'][np.isin(info['gt_names'], VEHICLES), 3:5] for info in infos if len(info['gt_names'])]
    longer = np.concatenate([size[:, 0] > size[:, 1] for size in sizes]) if sizes else np.zeros(0)
    share = float(longer.mean()) if len(longer) else 0.5
    if 0.1 < share < 0.9:
        count = len(longer)
        seen = f'{counted(count, "vehicle")}, of {longer.sum()} the first is larger' if count else 'no vehicle'
        raise ValueError(
            f'{source}: expected vehicles that tell whether boxes have length or width first, found {seen}; write the '
            'file from the data with: bevdistill data create nuscenes'
        )
    return share >= 0.9


def record_of(info: Mapping[str, Any]) -> dict[str, Any]:
    """Convert sensors and poses of one frame."""
    lidar2ego = rigid_transform(info['lidar2ego_rotation'], info['lidar2ego_translation'])
    ego2global = rigid_transform(info['ego2global_rotation'], info['ego2global_translation'])
    lidar2global = ego2global @ lidar2ego
    images = {}
    for name in CAMERAS:
        camera = info['cams'][name]
        mount, pose = _poses(camera)
        images[name] = {
            'img_path': os.path.basename(camera['data_path']),
            'cam2img': np.asarray(camera['cam_intrinsic'], dtype=np.float64).tolist(),
            'cam2ego': as_list(mount),
            'lidar2cam': as_list(np.linalg.inv(pose @ mount) @ lidar2global),
            'sample_data_token': camera['sample_data_token'],
            'timestamp': camera['timestamp'] / 1e6,
        }
    sweeps = []
    for sweep in info['sweeps']:
        mount, pose = _poses(sweep)
        points = {
            'num_pts_feats': None,
            'lidar_path': '/'.join(Path(sweep['data_path']).parts[-3:]),
            'lidar2ego': as_list(mount),
            'lidar2sensor': as_list(np.linalg.inv(pose @ mount) @ lidar2global),
        }
        stamp = {'timestamp': sweep['timestamp'] / 1e6, 'sample_data_token': sweep['sample_data_token']}
        sweeps.append({**stamp, 'ego2global': as_list(pose), 'lidar_points': points})
    return {
        'token': info['token'],
        'timestamp': info['timestamp'] / 1e6,
        'ego2global': as_list(ego2global),
        'images': images,
        'lidar_points': {
            'num_pts_feats': NUM_POINT_FEATURES,
            'lidar_path': os.path.basename(info['lidar_path']),
            'lidar2ego': as_list(lidar2ego),
        },
        **({'lidar_sweeps': sweeps} if sweeps else {}),
        'scene_token': info['scene_token'],
        'can_bus': [float(value) for value in info.get('can_bus', [0.0] * CAN_BUS_SIZE)],
        'ego2global_rotation': [float(value) for value in info['ego2global_rotation']],
        'ego2global_translation': [float(value) for value in info['ego2global_translation']],
    }


def _poses(sensor: Mapping[str, Any]) -> tuple[Array, Array]:
    """Return where a sensor is mounted on the ego car, and where the car is when it measures."""
    mount = rigid_transform(sensor['sensor2ego_rotation'], sensor['sensor2ego_translation'])
    return mount, rigid_transform(sensor['ego2global_rotation'], sensor['ego2global_translation'])


def instances(info: Mapping[str, Any], sizes_first: bool) -> list[dict[str, Any]]:
    """Convert boxes to gravity centre, length, width, height and counter-clockwise yaw from x."""
    boxes = np.asarray(info['gt_boxes'], dtype=np.float64).reshape(-1, 7).copy()
    if not sizes_first:
        boxes = boxes[:, [0, 1, 2, 4, 3, 5, 6]]
        boxes[:, 6] = -boxes[:, 6] - np.pi / 2
    labels = [CATEGORIES.index(name) if name in CATEGORIES else -1 for name in info['gt_names']]
    return [
        {
            'bbox_label': label,
            'bbox_3d': box,
            'bbox_3d_isvalid': bool(info['valid_flag'][i]),
            'bbox_label_3d': label,
            'num_lidar_pts': int(info['num_lidar_pts'][i]),
            'num_radar_pts': int(info['num_radar_pts'][i]),
            'velocity': [float(value) for value in info['gt_velocity'][i]],
        }
        for i, (label, box) in enumerate(zip(labels, boxes.tolist(), strict=True))
    ]
