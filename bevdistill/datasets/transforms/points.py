"""Load LiDAR points of the current frame and of the sweeps before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet3d.datasets.transforms import LoadPointsFromFile, LoadPointsFromMultiSweeps
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures.points import get_points_type

from .files import BackendArgs, read_points

TIME_LAG = 4
"""Column of a point that holds seconds since it was measured."""


NO_SWEEP = (
    'It is a sweep between keyframes. Write the information files again with bevdistill data create, which leaves out '
    'sweeps that are not on disk, or load none with pipeline.points_sweeps.sweeps_num=0.'
)
"""What to do about a sweep that is not there, as in a download of keyframes alone."""


@TRANSFORMS.register_module()
class LoadLidarPoints(LoadPointsFromFile):
    """Load the points of the keyframe: x, y, z, intensity, ring index.

    A record of one's own data has ``lidar_points.points2lidar`` (4, 4), which takes them to the frame of its boxes, and
    says how many numbers a point of its file has: further ones are left out, and those that it lacks are 0.

    Args:
        load_dim: Float32 numbers per point in the file; of one's own data, those that are loaded.
        use_dim: How many of them, or which, are kept.
        coord_type: Frame of the points.
        backend_args: Of mmengine's file client.

    Raises:
        FileNotFoundError: When the file is missing; names file and sample.
        ValueError: When the file is truncated or holds no points, or the record says another `load_dim`.
    """

    def __init__(
        self,
        load_dim: int = 5,
        use_dim: int | Sequence[int] = 5,
        coord_type: str = 'LIDAR',
        backend_args: BackendArgs = None,
    ) -> None:
        super().__init__(coord_type=coord_type, load_dim=load_dim, use_dim=use_dim, backend_args=backend_args)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add `points`."""
        token = results.get('token', 'of no data set')
        path, in_file = results['lidar_points']['lidar_path'], results['lidar_points'].get('num_pts_feats')
        own = 'points2lidar' in results['lidar_points']
        if in_file not in (None, self.load_dim) and not own:
            raise ValueError(
                f'sample {token}: {path}: expected load_dim={self.load_dim} numbers per point, found '
                f'num_pts_feats={in_file} in the information file; set load_dim of the loaders of points'
            )
        points = read_points(path, token, (own and in_file) or self.load_dim, self.backend_args)
        if own:
            points = np.pad(points[:, : self.load_dim], ((0, 0), (0, max(self.load_dim - points.shape[1], 0))))
            move = np.asarray(results['lidar_points']['points2lidar'], dtype=np.float64)
            points[:, :3] = points[:, :3] @ move[:3, :3].T + move[:3, 3]
        points = points[:, self.use_dim]
        results['points'] = get_points_type(self.coord_type)(points, points_dim=points.shape[-1])
        return results


@TRANSFORMS.register_module()
class LoadLidarSweeps(LoadPointsFromMultiSweeps):
    """Add points of earlier sweeps, moved to the LiDAR frame of the keyframe, and the time lag of every point.

    A point p of a sweep goes to ``R p + t`` with ``[R | t] = inverse(lidar2sensor)``. Column 4 becomes seconds
    between the keyframe and the point's sweep, 0 for points of the keyframe.

    Note:
        mmdet3d 1.4 subtracts the untransformed translation of ``lidar2sensor``, which is right only while the ego
        does not turn (half a metre off after a turn of 7 degrees over 4 metres).

    Args:
        sweeps_num: Largest number of sweeps; 0 loads none and sets the time lag. When a record has more, training
            draws from them and testing takes the newest.
        load_dim: Float32 numbers per point in a file.
        use_dim: How many columns, or which, are kept at the end.
        pad_empty_sweeps: Repeat the keyframe `sweeps_num` times when a record has no sweeps at all.
        remove_close: Drop points of sweeps with ``|x| < 1`` and ``|y| < 1`` metres, which hit the ego car.
        test_mode: Take the newest sweeps instead of random ones.
        backend_args: Of mmengine's file client.

    Raises:
        FileNotFoundError: When a file is missing; names file and sample.
        ValueError: When a file is truncated; names file and sample.
    """

    def __init__(
        self,
        sweeps_num: int = 10,
        load_dim: int = 5,
        use_dim: int | Sequence[int] = 5,
        pad_empty_sweeps: bool = False,
        remove_close: bool = False,
        test_mode: bool = False,
        backend_args: BackendArgs = None,
    ) -> None:
        super().__init__(
            sweeps_num=sweeps_num,
            load_dim=load_dim,
            use_dim=use_dim,
            backend_args=backend_args,
            pad_empty_sweeps=pad_empty_sweeps,
            remove_close=remove_close,
            test_mode=test_mode,
        )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Extend `points`."""
        points = results['points']
        points.tensor[:, TIME_LAG] = 0
        sweeps = results.get('lidar_sweeps') or []
        clouds = [points]
        if sweeps:
            clouds += [points.new_point(self._load_sweep(results, sweeps[i])) for i in self._choose(len(sweeps))]
        elif self.pad_empty_sweeps:
            repeated = self._remove_close(points) if self.remove_close else points
            clouds += [repeated] * self.sweeps_num
        results['points'] = points.cat(clouds)[:, self.use_dim]
        return results

    def _choose(self, available: int) -> list[int]:
        if available <= self.sweeps_num or self.test_mode:
            return list(range(min(available, self.sweeps_num)))
        return [int(i) for i in np.random.permutation(available)[: self.sweeps_num]]

    def _load_sweep(self, results: dict[str, Any], sweep: dict[str, Any]) -> np.ndarray[Any, Any]:
        path = sweep['lidar_points']['lidar_path']
        points = read_points(path, results['token'], self.load_dim, self.backend_args, NO_SWEEP)
        if self.remove_close:
            points = self._remove_close(points)
        sensor2lidar = np.linalg.inv(np.asarray(sweep['lidar_points']['lidar2sensor'], dtype=np.float64))
        points[:, :3] = points[:, :3] @ sensor2lidar[:3, :3].T + sensor2lidar[:3, 3]
        points[:, TIME_LAG] = results['timestamp'] - sweep['timestamp']
        return points
