"""Records of other projects' information files, by hand: conventions of boxes, poses, the order of frames."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bevdistill.datasets.infos import convert
from bevdistill.datasets.infos.convert import NEEDED, convert_infos, instances, lengths_first, record_of
from bevdistill.structures.cameras import CAMERAS

STAY, QUARTER = [1.0, 0, 0, 0], [0.5**0.5, 0, 0, 0.5**0.5]
Info = dict[str, Any]


def sensor(path: str, **pose: Any) -> Info:
    """A sensor 1 m ahead of the car's origin, which is at (10, 0, 0) and 0.5 s later."""
    return dict(
        data_path=path, sample_data_token=f'of {path}', timestamp=2_500_000, sensor2ego_rotation=STAY,
        sensor2ego_translation=[1, 0, 0], ego2global_rotation=STAY, ego2global_translation=[10, 0, 0],
        cam_intrinsic=np.eye(3),
    ) | pose  # fmt: skip


def info(token: str = 'a', scene: str = 's', stamp: int = 2_000_000, **changes: Any) -> Info:
    """The LiDAR is turned by 90 degrees, 2 m up; the car is at (7, 0, 0)."""
    return dict(
        token=token, scene_token=scene, timestamp=stamp, lidar_path='x/y/a.pcd.bin', sweeps=[],
        cams={name: sensor(f'x/samples/{name}/{name}.jpg') for name in CAMERAS}, lidar2ego_rotation=QUARTER,
        lidar2ego_translation=[0, 0, 2], ego2global_rotation=STAY, ego2global_translation=[7, 0, 0],
        gt_boxes=np.array([[1.0, 2, 3, 2, 4, 1.5, 0.3]]), gt_names=np.array(['car']),
        gt_velocity=np.array([[1.0, np.nan]]),
        num_lidar_pts=np.array([5]), num_radar_pts=np.array([1]), valid_flag=np.array([True]),
    ) | changes  # fmt: skip


def test_boxes_of_both_conventions() -> None:
    """Before 1.0: width before length, yaw clockwise from -y. A box is copied, names beyond nuScenes' have -1."""
    old = info(gt_names=np.array(['bicycle']))
    (box,) = instances(old, sizes_first=False)
    assert box['bbox_3d'] == pytest.approx([1, 2, 3, 4, 2, 1.5, -0.3 - math.pi / 2])
    assert (box['bbox_label'], box['bbox_label_3d'], box['num_lidar_pts'], box['num_radar_pts']) == (5, 5, 5, 1)
    assert box['bbox_3d_isvalid'] is True and box['velocity'][0] == 1 and math.isnan(box['velocity'][1])
    (same,) = instances(info(gt_names=np.array(['animal']), valid_flag=np.array([0])), sizes_first=True)
    assert same['bbox_3d'] == [1, 2, 3, 2, 4, 1.5, 0.3]
    assert same['bbox_label_3d'] == -1 and same['bbox_3d_isvalid'] is False
    assert old['gt_boxes'][0, 3] == 2 and instances(info(gt_boxes=[], gt_names=[]), True) == []


def vehicles(*longer: bool, name: str = 'car') -> Info:
    rows = [[0, 0, 0, 4, 2, 1, 0] if first else [0, 0, 0, 2, 4, 1, 0] for first in longer]
    return dict(gt_boxes=np.array(rows, dtype=float), gt_names=np.array([name] * len(longer)))


@pytest.mark.parametrize(('infos', 'first'), [
    ([vehicles(True, True)], True), ([vehicles(False), vehicles(False)], False),
    ([vehicles(*[True] * 9, False)], True), ([vehicles(*[False] * 9, True)], False),
    # Only vehicles count: pedestrians are as wide as they are long.
    ([vehicles(True), vehicles(False, False, name='pedestrian'), dict(gt_boxes=np.zeros((0, 7)), gt_names=[])], True),
])  # fmt: skip
def test_the_convention_is_told_by_vehicles(infos: list[Info], first: bool) -> None:
    assert lengths_first(infos, 'a.pkl') is first


@pytest.mark.parametrize(('infos', 'seen'), [
    ([vehicles(True, False, False, False)], '4 vehicles, of 1 the first is larger'),
    ([vehicles(*[True] * 8, False, False)], '10 vehicles, of 8 the first is larger'),
    ([vehicles(True, name='barrier')], 'no vehicle'), ([], 'no vehicle'),
])  # fmt: skip
def test_a_convention_that_cannot_be_told_is_refused(infos: list[Info], seen: str) -> None:
    with pytest.raises(ValueError, match=rf'^a\.pkl: expected vehicles that tell .*, found {seen}; write the file'):
        lengths_first(infos, 'a.pkl')


def test_sensors_and_poses_by_hand() -> None:
    """(x, y, z) of the LiDAR is (7 - y, x, z + 2) of the world, (-4 - y, x, z + 2) of a camera or an older sweep."""
    found = record_of(info(sweeps=[sensor('a/sweeps/LIDAR_TOP/b.bin')], can_bus=np.arange(18)))
    assert (found['token'], found['scene_token'], found['timestamp']) == ('a', 's', 2.0)
    expected = [[0, -1, 0, -4], [1, 0, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]]
    assert list(found['images']) == list(CAMERAS)
    front = found['images']['CAM_FRONT']
    np.testing.assert_allclose(front['lidar2cam'], expected, atol=1e-6)
    np.testing.assert_allclose(front['cam2ego'], [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert front['img_path'] == 'CAM_FRONT.jpg' and front['timestamp'] == 2.5 and front['cam2img'] == np.eye(3).tolist()
    (sweep,) = found['lidar_sweeps']
    np.testing.assert_allclose(sweep['lidar_points']['lidar2sensor'], expected, atol=1e-6)
    assert sweep['lidar_points']['lidar_path'] == 'sweeps/LIDAR_TOP/b.bin' and sweep['timestamp'] == 2.5
    assert sweep['sample_data_token'] == 'of a/sweeps/LIDAR_TOP/b.bin'
    assert found['lidar_points']['lidar_path'] == 'a.pcd.bin' and found['lidar_points']['num_pts_feats'] == 5
    assert found['can_bus'] == list(range(18)) and found['ego2global_translation'] == [7, 0, 0]
    alone = record_of(info())
    assert 'lidar_sweeps' not in alone and alone['can_bus'] == [0.0] * 18


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """``source(content)`` is what a file holds; returns what is written, once :func:`convert_infos` was called."""
    written: dict[str, Any] = {}

    def holds(content: Any) -> dict[str, Any]:
        monkeypatch.setattr(convert, 'read_plain', lambda name: content)
        monkeypatch.setattr(convert, 'write_infos', lambda file, infos: written.update(infos))
        return written

    return holds


def test_frames_follow_scenes_and_times(source: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """Scenes in the order in which they begin, whatever the order of the file."""
    infos = [info('b2', 'b', 900), info('a1', 'a', 500), info('b1', 'b', 100), info('a2', 'a', 1000)]
    infos[1]['gt_names'] = np.array(['animal'])
    written = source(dict(infos=infos, metadata=dict(version='v1.0-mini')))
    assert convert_infos('other.pkl', tmp_path / 'new' / 'out.gz') == tmp_path / 'new' / 'out.gz'
    keys = ('token', 'sample_idx', 'frame_idx', 'prev', 'next')
    rows = [[record[key] for key in keys] for record in written['data_list']]
    assert rows == [
        ['b1', 0, 0, '', 'b2'], ['b2', 1, 1, 'b1', ''], ['a1', 2, 0, '', 'a2'], ['a2', 3, 1, 'a1', ''],
    ]  # fmt: skip
    meta = written['metainfo']
    assert (meta['dataset'], meta['version']) == ('nuscenes', 'v1.0-mini')
    assert (meta['categories']['car'], meta['categories']['barrier'], meta['categories']['animal']) == (0, 9, -1)
    assert len(written['data_list'][0]['instances']) == 1 and (tmp_path / 'new').is_dir()
    source(dict(infos=infos))
    convert_infos('other.pkl', tmp_path / 'out.gz')
    assert written['metainfo']['version'] == 'v1.0-trainval'


@pytest.mark.parametrize(('content', 'message'), [
    ([], 'other.pkl has no records of another project; expected a mapping with infos'),
    (dict(infos=[]), 'other.pkl has the layout of mmdetection3d below 1.1 (infos and metadata); expected a mapping'),
    (dict(infos=[{name: 0 for name in NEEDED if name not in ('cams', 'sweeps')}]),
     'other.pkl has the layout of mmdetection3d below 1.1 (infos and metadata) and lacks cams, sweeps, which'),
])  # fmt: skip
def test_other_files_are_refused(
    content: Any, message: str, source: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    written = source(content)
    with pytest.raises(ValueError) as error:
        convert_infos('other.pkl', tmp_path / 'out.gz')
    assert str(error.value).startswith(message) and not written


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / 'out.gz').touch()
    with pytest.raises(FileExistsError, match=r'out\.gz exists; name another file, or take it away first$'):
        convert_infos('other.pkl', tmp_path / 'out.gz')
