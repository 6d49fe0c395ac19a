from __future__ import annotations

from pathlib import Path

import numpy as np
from nuscenes.nuscenes import NuScenes
from nuscenes.utils.data_classes import LidarPointCloud

from bevdistill.datasets.infos import read_infos
from bevdistill.structures.cameras import CAMERAS


def test_sweeps_move_as_the_devkit_moves_them(synthetic_root: Path, synthetic_infos: Path) -> None:
    """lidar2sensor of each sweep, applied backwards, against the devkit's own multi-sweep loader."""
    nusc = NuScenes('v1.0-mini', str(synthetic_root), verbose=False)
    records = read_infos(synthetic_infos / 'nuscenes_infos_train.msgpack.gz')['data_list']
    record = max(records, key=lambda r: len(r.get('lidar_sweeps', [])))
    sweeps = record['lidar_sweeps']
    assert list(record['images']) == list(CAMERAS)
    assert len(sweeps) >= 2
    sample = nusc.get('sample', record['token'])
    merged, times = LidarPointCloud.from_file_multisweep(
        nusc, sample, 'LIDAR_TOP', 'LIDAR_TOP', nsweeps=1 + len(sweeps), min_distance=0.0
    )
    clouds = []
    for sweep in sweeps:
        points = np.fromfile(synthetic_root / sweep['lidar_points']['lidar_path'], np.float32).reshape(-1, 5)[:, :3]
        sensor2lidar = np.linalg.inv(np.array(sweep['lidar_points']['lidar2sensor']))
        clouds.append(points @ sensor2lidar[:3, :3].T + sensor2lidar[:3, 3])
    ours = np.concatenate(clouds)
    np.testing.assert_allclose(ours, merged.points[:3].T[-len(ours) :], atol=1e-3)
    lags = [record['timestamp'] - sweep['timestamp'] for sweep in sweeps]
    assert lags == sorted(lags)
    np.testing.assert_allclose(sorted(set(np.round(times[0], 4)))[1:], np.round(lags, 4), atol=1e-3)
