from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmdet3d.datasets.transforms import LoadPointsFromFile, LoadPointsFromMultiSweeps

from bevdistill.datasets import LoadLidarPoints, LoadLidarSweeps


def cloud(path: Path, points: np.ndarray) -> str:
    points.astype(np.float32).tofile(path)
    return str(path)


def sample(
    tmp_path: Path, turn: float = 0.0, travel: float = 0.0, sweeps: int = 1
) -> tuple[dict[str, Any], np.ndarray]:
    """A static world seen from the keyframe and, `travel` metres and `turn` radians earlier, from sweeps.

    Returns the inputs of the loaders, and the world's points in the LiDAR frame of the keyframe.
    """
    world = np.random.default_rng(0).uniform(-30, 30, (50, 5))
    c, s = np.cos(turn), np.sin(turn)
    lidar2sensor = np.array([[c, -s, 0, 0], [s, c, 0, travel], [0, 0, 1, 0], [0, 0, 0, 1]])
    seen = world.copy()
    seen[:, :3] = world[:, :3] @ lidar2sensor[:3, :3].T + lidar2sensor[:3, 3]
    results = {
        'token': 'abc',
        'timestamp': 10.0,
        'lidar_points': {'lidar_path': cloud(tmp_path / 'key.bin', world)},
        'lidar_sweeps': [
            {
                'timestamp': 10.0 - 0.05 * (i + 1),
                'lidar_points': {
                    'lidar_path': cloud(tmp_path / f'{i}.bin', seen),
                    'lidar2sensor': lidar2sensor.tolist(),
                },
            }
            for i in range(sweeps)
        ],
    }
    return results, world


def test_sweep_points_land_where_the_world_is(tmp_path: Path) -> None:
    results, world = sample(tmp_path, turn=np.radians(7.4), travel=4.0)
    points = LoadLidarSweeps()(LoadLidarPoints()(results))['points'].tensor.numpy()
    assert points.shape == (100, 5)
    np.testing.assert_allclose(points[:50, :4], world[:, :4], atol=1e-5)
    np.testing.assert_allclose(points[50:, :4], world[:, :4], atol=1e-4)
    assert points[:50, 4].tolist() == [0] * 50
    np.testing.assert_allclose(points[50:, 4], 0.05, atol=1e-6)


def test_mmdet3d_is_half_a_metre_off_on_the_same_turn(tmp_path: Path) -> None:
    """The reason for the loader; when this fails, mmdet3d has been repaired and the loader can go."""
    results, world = sample(tmp_path, turn=np.radians(7.4), travel=4.0)
    results = LoadPointsFromFile('LIDAR', load_dim=5, use_dim=5)(results)
    points = LoadPointsFromMultiSweeps(use_dim=[0, 1, 2, 3, 4])(results)['points'].tensor.numpy()
    off = np.linalg.norm(points[50:, :3] - world[:, :3], axis=1)
    assert off.min() > 0.5


def test_time_lag_of_each_sweep(tmp_path: Path) -> None:
    results, _ = sample(tmp_path, sweeps=3)
    points = LoadLidarSweeps(test_mode=True, sweeps_num=2)(LoadLidarPoints()(results))['points'].tensor
    np.testing.assert_allclose(sorted(set(points[:, 4].tolist())), [0, 0.05, 0.1], atol=1e-6)


def test_training_draws_sweeps(tmp_path: Path) -> None:
    results, _ = sample(tmp_path, sweeps=4)
    lags = set()
    for _ in range(30):
        points = LoadLidarSweeps(sweeps_num=1)(LoadLidarPoints()(dict(results)))['points'].tensor
        assert len(points) == 100
        lags.add(round(float(points[-1, 4]), 2))
    assert lags == {0.05, 0.1, 0.15, 0.2}


def test_no_sweeps(tmp_path: Path) -> None:
    results, _ = sample(tmp_path, sweeps=0)
    loaded = LoadLidarPoints()(results)
    assert loaded['points'].tensor[:, 4].abs().max() > 0
    assert LoadLidarSweeps(sweeps_num=0)(dict(loaded))['points'].tensor[:, 4].abs().max() == 0
    assert len(LoadLidarSweeps(sweeps_num=3, pad_empty_sweeps=True)(dict(loaded))['points']) == 200


def test_close_points_of_sweeps_are_the_ego_car(tmp_path: Path) -> None:
    results, world = sample(tmp_path)
    world[:7, :2] = 0.5
    cloud(tmp_path / '0.bin', world)
    points = LoadLidarSweeps(remove_close=True)(LoadLidarPoints()(results))['points']
    assert len(points) == 93


@pytest.mark.parametrize('name', ['key.bin', '0.bin'])
def test_a_missing_file_is_named_with_its_sample(tmp_path: Path, name: str) -> None:
    results, _ = sample(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf'sample abc: cannot read point file .*{name}'):
        LoadLidarSweeps()(LoadLidarPoints()(results))


@pytest.mark.parametrize('name', ['key.bin', '0.bin'])
def test_a_truncated_file_is_named_with_its_sample(tmp_path: Path, name: str) -> None:
    results, _ = sample(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=rf'sample abc: .*{name}: expected a multiple of 20 bytes .*found 997'):
        LoadLidarSweeps()(LoadLidarPoints()(results))
