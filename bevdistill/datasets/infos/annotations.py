"""Annotation part of an information record: boxes in the LiDAR frame and in each camera."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from mmdet3d.datasets.convert_utils import NuScenesNameMapping, nus_attributes, nus_categories
from numpy.typing import NDArray
from nuscenes.nuscenes import NuScenes

from ..ego_motion import rigid_transform, rotation_matrix
from .sensors import CAMERAS

MAX_TIME_DIFF = 1.5
"""Seconds between annotations beyond which the devkit gives no velocity; twice as much for a centred difference."""

CANVAS = shapely.box(0, 0, 1600, 900)
"""Image area of mmdet3d's converter, which takes it for every camera of nuScenes."""

CORNER_SIGNS = 0.5 * np.array([(x, y, z) for x in (1, -1) for y in (1, -1) for z in (1, -1)], dtype=np.float64)

Array = NDArray[np.float64]


def yaw_of(rotations: Array) -> Array:
    """Yaw as pyquaternion's ``yaw_pitch_roll`` defines it: ``atan2(-R01, R00)``; (..., 3, 3) to (...)."""
    return np.arctan2(-rotations[..., 0, 1], rotations[..., 0, 0])


class AnnotationRecords:
    """Builds the annotation part of information records from the tables of nuScenes.

    All tables are turned into arrays once, since per-box objects of the devkit cost more than everything else.

    Args:
        nusc: The data set.
    """

    def __init__(self, nusc: NuScenes) -> None:
        self._nusc = nusc
        rows = nusc.sample_annotation
        self._centres = np.array([row['translation'] for row in rows], dtype=np.float64).reshape(-1, 3)
        self._sizes_wlh = np.array([row['size'] for row in rows], dtype=np.float64).reshape(-1, 3)
        self._rotations = rotation_matrix(np.array([row['rotation'] for row in rows], dtype=np.float64).reshape(-1, 4))
        self._velocities = self._all_velocities()
        self._names = [NuScenesNameMapping.get(row['category_name'], row['category_name']) for row in rows]
        known = {name: label for label, name in enumerate(nus_categories)}
        self._labels = np.array([known.get(name, -1) for name in self._names], dtype=np.int64)
        attributes = {row['token']: nus_attributes.index(row['name']) for row in nusc.attribute}
        none = nus_attributes.index('None')
        self._attributes = [
            attributes[row['attribute_tokens'][0]] if row['attribute_tokens'] else none for row in rows
        ]
        self.ignored: set[str] = set()
        """Category names seen so far that are not detection classes."""

    def build(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Fields `instances` and `cam_instances` of one keyframe."""
        chosen = np.array([self._nusc.getind('sample_annotation', token) for token in sample['anns']], dtype=np.int64)
        self.ignored.update(self._names[i] for i in chosen if self._labels[i] < 0)
        return {
            'instances': self._instances(sample, chosen),
            'cam_instances': {camera: self._in_camera(sample, camera, chosen) for camera in CAMERAS},
        }

    def _all_velocities(self) -> Array:
        """Velocities of all annotations in global axes, (M, 3), NaN where the devkit's rule gives none."""
        rows = self._nusc.sample_annotation
        if not rows:
            return np.zeros((0, 3))
        here = np.arange(len(rows))
        index = {'prev': here.copy(), 'next': here.copy()}
        for key, neighbours in index.items():
            for i, row in enumerate(rows):
                if row[key]:
                    neighbours[i] = self._nusc.getind('sample_annotation', row[key])
        times = 1e-6 * np.array(
            [self._nusc.get('sample', row['sample_token'])['timestamp'] for row in rows], dtype=np.float64
        )
        first, last = index['prev'], index['next']
        gap = times[last] - times[first]
        centred = (first != here) & (last != here)
        limit = np.where(centred, 2 * MAX_TIME_DIFF, MAX_TIME_DIFF)
        usable = (first != last) & (gap <= limit)
        with np.errstate(divide='ignore', invalid='ignore'):
            velocities = (self._centres[last] - self._centres[first]) / gap[:, None]
        velocities[~usable] = np.nan
        return velocities

    def _sensor_frame(self, sample: dict[str, Any], channel: str) -> tuple[Array, dict[str, Any]]:
        """Global-to-sensor matrix of a keyframe's sensor, and its calibration row."""
        data = self._nusc.get('sample_data', sample['data'][channel])
        calibration = self._nusc.get('calibrated_sensor', data['calibrated_sensor_token'])
        pose = self._nusc.get('ego_pose', data['ego_pose_token'])
        sensor2global = rigid_transform(pose['rotation'], pose['translation']) @ rigid_transform(
            calibration['rotation'], calibration['translation']
        )
        return np.linalg.inv(sensor2global), calibration

    def _move(self, chosen: NDArray[np.int64], frame: Array) -> tuple[Array, Array, Array]:
        """Centres, rotations and ground velocities of annotations in another frame."""
        turn = frame[:3, :3]
        ground_velocities = self._velocities[chosen] * [1.0, 1.0, 0.0]
        return self._centres[chosen] @ turn.T + frame[:3, 3], turn @ self._rotations[chosen], ground_velocities @ turn.T

    def _instances(self, sample: dict[str, Any], chosen: NDArray[np.int64]) -> list[dict[str, Any]]:
        frame, _ = self._sensor_frame(sample, 'LIDAR_TOP')
        centres, rotations, velocities = self._move(chosen, frame)
        boxes = np.concatenate((centres, self._sizes_wlh[chosen][:, [1, 0, 2]], yaw_of(rotations)[:, None]), axis=1)
        instances = []
        for i, box, velocity in zip(chosen, boxes.tolist(), velocities[:, :2].tolist(), strict=True):
            row = self._nusc.sample_annotation[i]
            instances.append(
                {
                    'bbox_label': int(self._labels[i]),
                    'bbox_3d': box,
                    'bbox_3d_isvalid': row['num_lidar_pts'] + row['num_radar_pts'] > 0,
                    'bbox_label_3d': int(self._labels[i]),
                    'num_lidar_pts': row['num_lidar_pts'],
                    'num_radar_pts': row['num_radar_pts'],
                    'velocity': velocity,
                }
            )
        return instances

    def _in_camera(self, sample: dict[str, Any], camera: str, chosen: NDArray[np.int64]) -> list[dict[str, Any]]:
        """Annotations of detection classes whose centre lies before the camera and whose outline meets the image."""
        frame, calibration = self._sensor_frame(sample, camera)
        centres, rotations, velocities = self._move(chosen, frame)
        seen = np.flatnonzero((self._labels[chosen] >= 0) & (centres[:, 2] > 0))
        if not len(seen):
            return []
        intrinsic = np.array(calibration['camera_intrinsic'], dtype=np.float64)
        lwh = self._sizes_wlh[chosen][seen][:, [1, 0, 2]]
        corners = (CORNER_SIGNS * lwh[:, None]) @ np.swapaxes(rotations[seen], 1, 2) + centres[seen][:, None]
        bounds, visible = outline_bounds(corners, intrinsic)
        projected = centres @ intrinsic.T
        yaws = yaw_of(rotations)
        records = []
        for k in np.flatnonzero(visible):
            i = int(seen[k])
            annotation = int(chosen[i])
            length_height_width = self._sizes_wlh[annotation][[1, 2, 0]].tolist()
            records.append(
                {
                    'bbox_label': int(self._labels[annotation]),
                    'bbox_label_3d': int(self._labels[annotation]),
                    'bbox': bounds[k].tolist(),
                    'bbox_3d_isvalid': True,
                    'bbox_3d': [*centres[i].tolist(), *length_height_width, -float(yaws[i])],
                    'velocity': velocities[i, [0, 2]].tolist(),
                    'center_2d': (projected[i, :2] / projected[i, 2]).tolist(),
                    'depth': float(projected[i, 2]),
                    'attr_label': self._attributes[annotation],
                }
            )
        return records


def outline_bounds(corners: Array, intrinsic: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Bounds of projected boxes inside the image.

    Args:
        corners: Box corners in the camera frame, (M, 8, 3), metres. Corners behind the camera are left out.
        intrinsic: (3, 3), pixels.

    Returns:
        x_min, y_min, x_max, y_max of the part of each box's convex outline that lies in the image, (M, 4), and
        whether there is such a part of non-zero area, (M,).
    """
    before = corners[..., 2] > 0
    homogeneous = corners[before] @ intrinsic.T
    pixels = homogeneous[:, :2] / homogeneous[:, 2:]
    owner = np.nonzero(before)[0]
    outlines = np.full(len(corners), None, dtype=object)
    owners = np.unique(owner)
    outlines[owners] = shapely.convex_hull(shapely.multipoints(pixels, indices=np.searchsorted(owners, owner)))
    inside = shapely.intersection(outlines, CANVAS)
    visible = (shapely.get_type_id(inside) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(inside)
    return shapely.bounds(inside), visible
