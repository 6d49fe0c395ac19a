"""mmdet3d's own converter runs on the data set."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import mmdet3d
import mmengine
import numpy as np
import pytest


@pytest.fixture(scope='module')
def converter() -> ModuleType:
    file = Path(mmdet3d.__file__).parent / '.mim' / 'tools' / 'dataset_converters' / 'nuscenes_converter.py'
    if not file.is_file():
        pytest.skip('this mmdet3d came without its dataset converters')
    spec = importlib.util.spec_from_file_location('mmdet3d_nuscenes_converter', file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def infos(
    converter: ModuleType, synthetic_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[dict], list[dict]]:
    root = tmp_path_factory.mktemp('converted')
    for entry in synthetic_root.iterdir():
        (root / entry.name).symlink_to(entry)
    converter.create_nuscenes_infos(str(root), 'nuscenes', version='v1.0-mini', max_sweeps=9)
    train, val = (mmengine.load(root / f'nuscenes_infos_{split}.pkl')['infos'] for split in ('train', 'val'))
    return train, val


def test_counts(infos: tuple[list[dict], list[dict]]) -> None:
    assert [len(part) for part in infos] == [24, 6]
    assert all(len(info['sweeps']) == 9 and len(info['cams']) == 6 for part in infos for info in part)


def test_boxes_and_velocities(infos: tuple[list[dict], list[dict]]) -> None:
    names = {name for part in infos for info in part for name in info['gt_names'].tolist()}
    assert len(names) == 10
    for info in infos[0] + infos[1]:
        assert (np.abs(info['gt_boxes'][:, :2]) <= 25.4 + 1e-6).all()
        assert (np.abs(info['gt_boxes'][:, 2]) < 4.0).all()
        assert ((info['num_lidar_pts'] > 0) == info['valid_flag']).all()
        speed = np.linalg.norm(info['gt_velocity'], axis=1)
        assert np.nanmax(speed) < 12.0
        moving = speed > 0.5
        ahead = np.stack([np.cos(info['gt_boxes'][:, 6]), np.sin(info['gt_boxes'][:, 6])], axis=1)
        along = (ahead * info['gt_velocity']).sum(axis=1)
        assert np.allclose(along[moving], speed[moving], atol=0.05), 'objects move forward'


def test_sweeps_lie_on_the_same_ground(infos: tuple[list[dict], list[dict]]) -> None:
    """A sweep brought to the keyframe by the converter's matrices meets the same static surfaces."""
    for info in infos[0][2::6]:
        here = _points(info['lidar_path'])
        sweep = info['sweeps'][-1]
        there = _points(sweep['data_path']) @ sweep['sensor2lidar_rotation'].T + sweep['sensor2lidar_translation']
        near = there[np.linalg.norm(there[:, :2], axis=1) < 10][::20]
        ground = here[np.linalg.norm(here[:, :2], axis=1) < 12]
        gaps = np.linalg.norm(near[:, None, :2] - ground[None, :, :2], axis=-1)
        rise = np.abs(near[:, 2] - ground[gaps.argmin(axis=1), 2])
        assert np.median(rise[gaps.min(axis=1) < 0.3]) < 0.06


def _points(path: str) -> np.ndarray:
    return np.fromfile(path, np.float32).reshape(-1, 5)[:, :3].astype(float)
