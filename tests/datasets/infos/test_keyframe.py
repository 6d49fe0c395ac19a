"""One keyframe of mmdet3d's demo as a data set of ours."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bevdistill.datasets import SequenceNuScenesDataset
from bevdistill.datasets.ego_pose import rigid_transform
from bevdistill.datasets.infos import read_infos, write_keyframe_infos
from bevdistill.datasets.infos.names import DEFAULT_PREFIX
from bevdistill.structures.cameras import CAMERAS

PIPELINE = dict(
    images=dict(
        type='ImageQueue', transforms=[dict(type='LoadCameraImages'), dict(type='ResizeCropCameras', scale=0.1)]
    ),
    points=dict(type='LoadLidarPoints'),
    boxes=dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
    pack=dict(type='PackBEVInputs'),
)


def write(folder: Path, **changes: Any) -> None:
    """A folder with one keyframe, its cameras in another order than ours; changes go into the record."""
    record = {
        'token': 'a',
        'images': {camera: {'img_path': f'{camera}.jpg'} for camera in reversed(CAMERAS)},
        'lidar_points': {'lidar_path': 'points.bin'},
        'ego2global': rigid_transform([np.cos(0.3), 0, 0, np.sin(0.3)], [5.0, -7.0, 0.5]).astype(np.float32).tolist(),
        'instances': [{'num_lidar_pts': count} for count in (0, 4, 5, 6)],
        **changes,
    }
    for path in (*(f'{camera}.jpg' for camera in CAMERAS), 'points.bin'):
        (folder / path).touch()
    with open(folder / 'frame.pkl', 'wb') as file:
        pickle.dump({'metainfo': {'version': 'v1.0-mini'}, 'data_list': [record]}, file)


def test_record_is_completed(tmp_path: Path) -> None:
    write(tmp_path)
    written = write_keyframe_infos(tmp_path, tmp_path / 'out' / 'infos.msgpack.gz', min_lidar_points=5)
    content = read_infos(written)
    assert content['metainfo'] == {'version': 'v1.0-mini'}
    (record,) = content['data_list']
    assert tuple(record['images']) == CAMERAS
    assert [entry['num_lidar_pts'] for entry in record['instances']] == [5, 6]
    assert (record['frame_idx'], record['prev'], record['next'], record['can_bus']) == (0, '', '', [0.0] * 18)
    np.testing.assert_allclose(record['ego2global_rotation'], [np.cos(0.3), 0, 0, np.sin(0.3)], atol=1e-6)
    np.testing.assert_allclose(record['ego2global_translation'], [5.0, -7.0, 0.5])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no information file .*demo/data/nuscenes'):
        write_keyframe_infos(tmp_path, tmp_path / 'out')
    write(tmp_path, images={camera: {'img_path': f'{camera}.jpg'} for camera in CAMERAS[1:]})
    with pytest.raises(ValueError, match='lacks CAM_FRONT'):
        write_keyframe_infos(tmp_path, tmp_path / 'out')
    write(tmp_path)
    (tmp_path / 'points.bin').unlink()
    with pytest.raises(FileNotFoundError, match=r'lacks points\.bin'):
        write_keyframe_infos(tmp_path, tmp_path / 'out')
    (tmp_path / 'other.pkl').touch()
    with pytest.raises(ValueError, match='2 information files'):
        write_keyframe_infos(tmp_path, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_real_keyframe_is_an_item(keyframe: Path, tmp_path: Path) -> None:
    dataset = SequenceNuScenesDataset(
        data_root=f'{keyframe}/',
        ann_file=str(write_keyframe_infos(keyframe, tmp_path / 'infos.msgpack.gz', min_lidar_points=5)),
        data_prefix=dict.fromkeys(DEFAULT_PREFIX, ''),
        pipeline=PIPELINE,
        use_valid_flag=True,
    )
    item = dataset[0]
    assert item['inputs']['img'].shape == (1, 6, 3, 90, 160)
    assert item['inputs']['points'].shape == (34688, 5)
    # 28 boxes hold 5 points or more; one of them is of no trained class.
    assert len(item['data_samples'].gt_instances_3d) == 27
    assert item['data_samples'].can_bus.shape == (1, 18)
