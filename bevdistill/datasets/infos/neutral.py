"""Read the neutral layout, in which one's own data are handed over: a JSON object per line, one per sample.

docs/own_data.md describes it for people. Matrices are nested lists, row by row, metres; the ego frame has x forward,
y to the left, z up.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...json_file import each_once
from ...structures.ego_state import CAN_BUS_SIZE
from .annotations import MAX_TIME_DIFF, yaw_of
from .layout_fields import check_names, check_upright
from .layout_points import features_of, point_file
from .rules import column, shown
from .sensors import NUM_POINT_FEATURES, as_list
from .validate import faults_of

Array = NDArray[np.float64]
Sample = dict[str, Any]

SENSOR_HEIGHT = 1.84
"""Metres above the ground of nuScenes' LiDAR, and of the frame of boxes where there is no LiDAR."""

ALONE = {'frame_idx': 0, 'prev': '', 'next': '', 'instances': []}
"""What a record of one sample by itself has of its neighbours in time and its boxes."""

LARGEST_YAW = 4 * np.pi
"""Two turns; angles in degrees are soon beyond."""

RIGID_TOLERANCE = 1e-3
"""Largest deviation of ``R R^T`` from the identity that rounding may leave."""


def named(values: Any, where: str) -> Mapping[str, Any]:
    """Return an object of the layout, or say that it is none."""
    if not isinstance(values, Mapping):
        raise ValueError(f'{where}: expected an object with named fields, got {type(values).__name__}')
    return values


class Fields:
    """Read the fields of one object of the layout, with errors that name file, line and field.

    Args:
        values: The object.
        where: What it is, for errors.
    """

    def __init__(self, values: Any, where: str) -> None:
        self.values = named(values, where)
        check_names(self.values, where)
        self.where = where

    def get(self, name: str) -> Any:
        """Return a field that must be there."""
        if name not in self.values:
            raise ValueError(f"{self.where}: field '{name}' is missing; there are {', '.join(self.values) or 'none'}")
        return self.values[name]

    def text(self, name: str) -> str:
        """Return a field that is a word or a whole number, as text."""
        value = self.get(name)
        if not isinstance(value, str | int) or isinstance(value, bool) or value == '':
            raise ValueError(f"{self.where}: '{name}' must be a word, got {value!r}")
        return str(value)

    def array(self, name: str, *shape: int) -> Array:
        """Return a field of finite numbers of one shape."""
        value = column([self.get(name)], shape)
        if value is None or not np.isfinite(value).all():
            found = shown(self.get(name))
            wanted = f'{" x ".join(map(str, shape))} finite numbers' if shape else 'a finite number'
            raise ValueError(f"{self.where}: '{name}' must be {wanted}, got {found}")
        return value[0]

    def number(self, name: str) -> float:
        """Return a field that is one finite number."""
        return float(self.array(name))

    def count(self, name: str) -> int | None:
        """Return a field that is a whole number from 0 on, or may be absent."""
        value = self.values.get(name)
        whole = isinstance(value, int | float) and 0 <= value < 2**31 and value == int(value)
        if value is not None and not whole:
            raise ValueError(f"{self.where}: '{name}' must be a whole number from 0 on, got {value!r}")
        return None if value is None else int(value)

    def pose(self, name: str) -> Array:
        """Return a field that is a rigid transform (4, 4)."""
        matrix = self.array(name, 4, 4)
        turn = matrix[:3, :3].clip(-2, 2)
        if np.abs(turn @ turn.T - np.eye(3)).max() > RIGID_TOLERANCE or np.linalg.det(turn) < 0:
            raise ValueError(f"{self.where}: '{name}' is no rigid transform: its 3 x 3 part is not a rotation")
        if np.abs(matrix[3] - [0, 0, 0, 1]).max() > 0:
            raise ValueError(f"{self.where}: the last row of '{name}' must be 0 0 0 1, got {matrix[3].tolist()}")
        return matrix

    def file(self, name: str, root: Path) -> str:
        """Return a field that is the path of a file below `root`, relative to it."""
        path = self.text(name)
        if os.path.isabs(path) or '..' in Path(path).parts:
            raise ValueError(
                f"{self.where}: '{name}' must be a path below the folder, relative to it, got {path}; a link in the "
                'folder may lead elsewhere'
            )
        if not (root / path).is_file():
            raise FileNotFoundError(f"{self.where}: '{name}' names {root / path}, which is not there")
        return path


def read_samples(file: Path) -> Iterator[tuple[str, Sample]]:
    """Read the samples of a file of the layout.

    Yields:
        Where it stands (``FILE line N``), and the sample.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is no JSON.
    """
    if not file.is_file():
        raise FileNotFoundError(f'no file {file}; expected one JSON object per line, see docs/own_data.md')
    with open(file, 'rb') as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                where = f'{file} line {number}'
                try:
                    sample = json.loads(line, object_pairs_hook=each_once)
                except (ValueError, RecursionError) as error:
                    raise ValueError(f'{where} is no JSON ({error}); expected one object per line') from error
                yield where, sample


def record_of(sample: Sample, where: str, root: Path) -> dict[str, Any]:
    """Convert a sample to a record of an information file, without its neighbours in time and its boxes.

    Boxes, points and BEV maps are in a frame with nuScenes' axes, x to the right of the car, y ahead, z up, as temporal
    students and public weights have it. Its origin is the LiDAR's, or 1.84 m above the ego frame's where there is none.
    Points come to it when they are loaded, by ``points2lidar``.

    Args:
        sample: Object of the layout.
        where: For errors.
        root: Folder that paths are relative to.
    """
    fields = Fields(sample, where)
    ego2global = fields.pose('ego2global')
    has_lidar = sample.get('lidar') is not None
    lidar = Fields(sample['lidar'], f'{where}, lidar') if has_lidar else None
    lidar2ego = np.eye(4)
    lidar2ego[:3, :3] = [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
    lidar2ego[:3, 3] = [0, 0, SENSOR_HEIGHT] if lidar is None else lidar.pose('sensor2ego')[:3, 3]
    points: dict[str, Any] = {'num_pts_feats': NUM_POINT_FEATURES, 'lidar2ego': as_list(lidar2ego)}
    if lidar is not None:
        points['num_pts_feats'] = features_of(lidar)
        points['lidar_path'] = point_file(lidar, root, points['num_pts_feats'])
        points['points2lidar'] = as_list(np.linalg.inv(lidar2ego) @ lidar.pose('sensor2ego'))
    images = {}
    cameras = {} if sample.get('cameras') is None else sample['cameras']
    for name, values in named(cameras, f'{where}, cameras').items():
        camera = Fields(values, f'{where}, camera {name}')
        exposed = camera.pose('ego2global') if 'ego2global' in camera.values else ego2global
        sensor2ego = camera.pose('sensor2ego')
        images[str(name)] = {
            'img_path': camera.file('image', root),
            'cam2img': camera.array('intrinsics', 3, 3).tolist(),
            'cam2ego': as_list(sensor2ego),
            'lidar2cam': as_list(np.linalg.inv(exposed @ sensor2ego) @ ego2global @ lidar2ego),
            'timestamp': camera.number('timestamp') if 'timestamp' in camera.values else fields.number('timestamp'),
        }
    check_upright({name: image['cam2ego'] for name, image in images.items()}, where)
    if not images and lidar is None:
        raise ValueError(f'{where}: a sample needs cameras, a lidar or both, and has neither')
    record = {
        'token': fields.text('token'),
        'timestamp': fields.number('timestamp'),
        'ego2global': as_list(ego2global),
        'images': images,
        'lidar_points': points,
        'scene_token': fields.text('scene'),
        'can_bus': [0.0] * CAN_BUS_SIZE,
        'ego2global_rotation': np.roll(Rotation.from_matrix(ego2global[:3, :3]).as_quat(), 1).tolist(),
        'ego2global_translation': ego2global[:3, 3].tolist(),
    }
    alone = {'metainfo': {'dataset': 'own'}, 'data_list': [record | ALONE]}
    for fault in faults_of(alone, bool(images), has_lidar):
        raise ValueError(f'{where}: {fault.field}: expected {fault.expected}, found {fault.found}')
    return record


class Boxes:
    """Boxes of one sample, in the ego frame.

    Args:
        sample: Object of the layout; boxes None or absent: nothing is known about objects.
        where: For errors.
    """

    def __init__(self, sample: Sample, where: str) -> None:
        boxes = [] if sample.get('boxes') is None else sample['boxes']
        if not isinstance(boxes, list):
            raise ValueError(f"{where}: 'boxes' must be a list, got {shown(boxes)}")
        rows = [Fields(box, f'{where}, box {i}') for i, box in enumerate(boxes)]
        self.categories = [row.text('category') for row in rows]
        self.tracks = [row.text('track') if row.values.get('track') is not None else None for row in rows]
        self.points = [row.count('num_points') for row in rows]
        self.centres = np.array([row.array('centre', 3) for row in rows]).reshape(-1, 3)
        self.sizes = np.array([row.array('size', 3) for row in rows]).reshape(-1, 3)
        self.yaws = np.array([row.number('yaw') for row in rows])
        self.velocities = np.full((len(rows), 3), np.nan)
        for i, row in enumerate(rows):
            if abs(self.yaws[i]) > LARGEST_YAW:
                raise ValueError(f"{row.where}: 'yaw' is in radians, at most {LARGEST_YAW:.1f}, got {self.yaws[i]:g}")
            if row.values.get('velocity') is not None:
                self.velocities[i] = [*row.array('velocity', 2), 0.0]
            if not (self.sizes[i] > 0).all():
                raise ValueError(f"{row.where}: 'size' is length, width, height and positive, got {self.sizes[i]}")

    def instances(self, lidar2ego: Array, labels: Mapping[str, int]) -> list[dict[str, Any]]:
        """List the boxes as an information file has them: LiDAR frame, gravity centre, length, width, height, yaw."""
        turn = np.linalg.inv(lidar2ego)
        centres = self.centres @ turn[:3, :3].T + turn[:3, 3]
        turned = turn[:3, :3] @ Rotation.from_euler('z', self.yaws[:, None]).as_matrix().reshape(-1, 3, 3)
        boxes = np.concatenate((centres, self.sizes, yaw_of(turned)[:, None]), axis=1).tolist()
        velocities = (self.velocities @ turn[:3, :3].T)[:, :2].tolist()
        return [
            {
                'bbox_label': labels[category],
                'bbox_3d': box,
                'bbox_3d_isvalid': points is None or points > 0,
                'bbox_label_3d': labels[category],
                'num_lidar_pts': points or 0,
                'num_radar_pts': 0,
                'velocity': velocity,
            }
            for category, box, points, velocity in zip(self.categories, boxes, self.points, velocities, strict=True)
        ]


def fill_velocities(scene: list[tuple[dict[str, Any], Boxes]]) -> None:
    """Derive velocities that the layout does not give from where a track is in the samples before and after.

    The devkit's rule: the difference of the neighbours' centres over the time between, where there are both and it is
    at most 3 s; of the one there is and the sample itself, where it is at most 1.5 s; else NaN.

    Args:
        scene: Records and boxes of one scene in order of time; velocities are written to.
    """
    seen: list[dict[str | None, Array]] = []
    for record, boxes in scene:
        pose = np.asarray(record['ego2global'])
        seen.append(dict(zip(boxes.tracks, boxes.centres @ pose[:3, :3].T + pose[:3, 3], strict=True)))
    times = [float(record['timestamp']) for record, _ in scene]
    for at, (record, boxes) in enumerate(scene):
        turn = np.asarray(record['ego2global'])[:3, :3]
        for i, track in enumerate(boxes.tracks):
            if track is None or not np.isnan(boxes.velocities[i]).any():
                continue
            present = [k for k in (at - 1, at, at + 1) if 0 <= k < len(scene) and track in seen[k]]
            first, last = present[0], present[-1]
            gap, limit = times[last] - times[first], MAX_TIME_DIFF * (2 if last - first == 2 else 1)
            if 0 < gap <= limit:
                moved = (seen[last][track] - seen[first][track]) * [1.0, 1.0, 0.0] / gap
                boxes.velocities[i] = moved @ turn
