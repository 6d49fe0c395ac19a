"""Write the annotation part of information records: boxes in the LiDAR frame and in each camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ...structures.cameras import CAMERAS
from ..ego_pose import rotation_matrix
from .names import ATTRIBUTES, CATEGORIES, NO_ATTRIBUTE
from .sensors import KeyframeSensors

if TYPE_CHECKING:
    from nuscenes.nuscenes import NuScenes

MAX_TIME_DIFF = 1.5
"""Seconds between annotations beyond which the devkit gives no velocity; twice as much for a centred difference."""

CANVAS = shapely.box(0, 0, 1600, 900)
"""Image area of mmdet3d's converter, which takes it for every camera of nuScenes."""

CORNER_SIGNS = 0.5 * np.array([(x, y, z) for x in (1, -1) for y in (1, -1) for z in (1, -1)], dtype=np.float64)

Array = NDArray[np.float64]


def yaw_of(rotations: Array) -> Array:
    """Compute yaw as pyquaternion's ``yaw_pitch_roll`` defines it: ``atan2(-R01, R00)``; (..., 3, 3) to (...)."""
    return np.arctan2(-rotations[..., 0, 1], rotations[..., 0, 0])


class AnnotationRecords:
    """Build the annotation part of information records from the tables of nuScenes.

    The tables are converted to arrays once, since the devkit's per-box objects are slow.

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
        from nuscenes.eval.detection.utils import category_to_detection_name

        self._names = [category_to_detection_name(row['category_name']) or row['category_name'] for row in rows]
        known = {name: label for label, name in enumerate(CATEGORIES)}
        self._labels = np.array([known.get(name, -1) for name in self._names], dtype=np.int64)
        attributes = {row['token']: ATTRIBUTES.index(row['name']) for row in nusc.attribute}
        none = ATTRIBUTES.index(NO_ATTRIBUTE)
        self._attributes = [
            attributes[row['attribute_tokens'][0]] if row['attribute_tokens'] else none for row in rows
        ]
        self.ignored: set[str] = set()
        """Category names seen so far that are not detection classes."""

    def build(self, sample: dict[str, Any], sensors: KeyframeSensors) -> dict[str, Any]:
        """Build the fields `instances` and `cam_instances` of one keyframe."""
        chosen = np.array([self._nusc.getind('sample_annotation', token) for token in sample['anns']], dtype=np.int64)
        self.ignored.update(self._names[i] for i in chosen if self._labels[i] < 0)
        # All seven sensor frames at once: (7, M, ...).
        turns = sensors.global2sensor[: 1 + len(CAMERAS), None, :3, :3]
        centres = (turns @ self._centres[chosen][..., None])[..., 0]
        centres += sensors.global2sensor[: 1 + len(CAMERAS), None, :3, 3]
        ground_velocities = self._velocities[chosen] * [1.0, 1.0, 0.0]
        velocities = (turns @ ground_velocities[..., None])[..., 0]
        rotations = turns @ self._rotations[chosen]
        return {
            'instances': self._instances(chosen, centres[0], rotations[0], velocities[0]),
            'cam_instances': self._in_cameras(sensors, chosen, centres[1:], rotations[1:], velocities[1:]),
        }

    def _all_velocities(self) -> Array:
        """Compute velocities of all annotations in global axes, (M, 3), NaN where the devkit's rule gives none."""
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

    def _instances(
        self, chosen: NDArray[np.int64], centres: Array, rotations: Array, velocities: Array
    ) -> list[dict[str, Any]]:
        """List annotations in the LiDAR frame: x, y, z of the gravity centre, length, width, height, yaw."""
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
                    'category': row['category_name'],
                }
            )
        return instances

    def _in_cameras(
        self,
        sensors: KeyframeSensors,
        chosen: NDArray[np.int64],
        centres: Array,
        rotations: Array,
        velocities: Array,
    ) -> dict[str, list[dict[str, Any]]]:
        """List annotations of detection classes with their centre before a camera and their outline in its image."""
        camera, box = np.nonzero((self._labels[chosen] >= 0) & (centres[..., 2] > 0))
        centre, rotation, velocity = centres[camera, box], rotations[camera, box], velocities[camera, box]
        annotation = chosen[box]
        sizes_wlh = self._sizes_wlh[annotation]
        intrinsics = np.stack([self._intrinsic(row) for row in sensors.rows[1 : 1 + len(CAMERAS)]])[camera]
        corners = (CORNER_SIGNS * sizes_wlh[:, None, [1, 0, 2]]) @ np.swapaxes(rotation, 1, 2) + centre[:, None]
        bounds, visible = outline_bounds(corners, intrinsics)
        projected = (intrinsics @ centre[..., None])[..., 0]
        boxes = np.concatenate((centre, sizes_wlh[:, [1, 2, 0]], -yaw_of(rotation)[:, None]), axis=1)
        records: dict[str, list[dict[str, Any]]] = {name: [] for name in CAMERAS}
        for k in np.flatnonzero(visible):
            label = int(self._labels[annotation[k]])
            records[CAMERAS[camera[k]]].append(
                {
                    'bbox_label': label,
                    'bbox_label_3d': label,
                    'bbox': bounds[k].tolist(),
                    'bbox_3d_isvalid': True,
                    'bbox_3d': boxes[k].tolist(),
                    'velocity': velocity[k, [0, 2]].tolist(),
                    'center_2d': (projected[k, :2] / projected[k, 2]).tolist(),
                    'depth': float(projected[k, 2]),
                    'attr_label': self._attributes[annotation[k]],
                }
            )
        return records

    def _intrinsic(self, row: dict[str, Any]) -> Array:
        calibration = self._nusc.get('calibrated_sensor', row['calibrated_sensor_token'])
        return np.array(calibration['camera_intrinsic'], dtype=np.float64)


def outline_bounds(corners: Array, intrinsics: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Compute the bounds of projected boxes inside the image.

    Args:
        corners: Box corners in the camera frame, (M, 8, 3), metres. Corners behind the camera are left out.
        intrinsics: (M, 3, 3), pixels.

    Returns:
        x_min, y_min, x_max, y_max of the part of each box's convex outline that lies in the image, (M, 4), and
        whether there is such a part of non-zero area, (M,).
    """
    before = corners[..., 2] > 0
    homogeneous = corners @ np.swapaxes(intrinsics, 1, 2)
    pixels = homogeneous[before][:, :2] / homogeneous[before][:, 2:]
    owner = np.nonzero(before)[0]
    # A box whose corners are all on one side of the image cannot meet it; this spares most of the geometry.
    low, high = np.full((len(corners), 2), np.inf), np.full((len(corners), 2), -np.inf)
    np.minimum.at(low, owner, pixels)
    np.maximum.at(high, owner, pixels)
    candidate = (high >= CANVAS.bounds[:2]).all(axis=1) & (low <= CANVAS.bounds[2:]).all(axis=1)
    outlines = np.full(len(corners), None, dtype=object)
    if candidate.any():
        owners, points = owner[candidate[owner]], pixels[candidate[owner]]
        unique, position = np.unique(owners, return_inverse=True)
        outlines[unique] = shapely.convex_hull(shapely.multipoints(points, indices=position))
    inside = shapely.intersection(outlines, CANVAS)
    visible = (shapely.get_type_id(inside) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(inside)
    return shapely.bounds(inside), visible
