"""From the neutral layout to information files, and from these to items of the data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_data import CAMERA2EGO, made_up_sample, write_samples

from bevdistill.datasets import SequenceNuScenesDataset
from bevdistill.datasets.infos import read_infos
from bevdistill.datasets.infos.own import import_own_data
from bevdistill.datasets.transforms import LoadLidarPoints


def imported(root: Path, samples: list[dict[str, Any]]) -> dict[str, Any]:
    write_samples(root, samples)
    return read_infos(str(import_own_data(root, [])[0]))


def pipeline(lidar: bool) -> dict[str, Any]:
    stages: dict[str, Any] = dict(images=dict(type='ImageQueue', transforms=dict(load=dict(type='LoadCameraImages'))))
    if lidar:
        stages.update(points=dict(type='LoadLidarPoints'), points_sweeps=dict(type='LoadLidarSweeps', sweeps_num=0))
    return {**stages, 'boxes': dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
            'pack': dict(type='PackBEVInputs')}  # fmt: skip


def test_boxes_come_to_the_lidar_frame_with_velocities_of_their_tracks(tmp_path: Path) -> None:
    content = imported(tmp_path, [made_up_sample(tmp_path, i) for i in (2, 0, 1)])
    assert content['metainfo']['categories'] == {'Person': 0, 'Van': 1}
    records = content['data_list']
    assert [record['token'] for record in records] == ['drive-0', 'drive-1', 'drive-2']
    assert [(record['prev'], record['frame_idx'], record['next']) for record in records] == [
        ('', 0, 'drive-1'), ('drive-0', 1, 'drive-2'), ('drive-1', 2, '')]  # fmt: skip
    van, person = records[1]['instances']
    # x is the car's right, y ahead, from the LiDAR's place: (15, 2, 1) is 2 m to the left, 14 m ahead, 1 m below.
    assert van['bbox_3d'] == pytest.approx([-2.0, 14.0, -1.0, 5.0, 2.0, 2.0, 0.3 + np.pi / 2])
    assert (van['bbox_label_3d'], van['num_lidar_pts'], van['bbox_3d_isvalid']) == (1, 7, True)
    assert van['velocity'] == pytest.approx([0.0, 0.0])
    assert person['velocity'] == pytest.approx([-1.0, 0.0])
    assert (person['num_lidar_pts'], person['bbox_3d_isvalid']) == (0, True)


def test_a_point_lies_where_its_camera_sees_it(tmp_path: Path) -> None:
    sample = made_up_sample(tmp_path, 0)
    later = np.eye(4)
    later[0, 3] = 0.5
    sample['cameras']['left']['ego2global'] = later.tolist()
    images = imported(tmp_path, [sample])['data_list'][0]['images']
    ahead = np.array([0.0, 10.5, -0.5, 1.0])  # 11.5 m ahead of the ego origin and 1.5 m above it
    assert np.array(images['front']['lidar2cam']) @ ahead == pytest.approx([0.0, 0.0, 10.0, 1.0])
    assert np.array(images['left']['lidar2cam']) @ ahead == pytest.approx([0.0, 0.0, 9.5, 1.0])


@pytest.mark.parametrize('lidar', [True, False])
def test_the_data_set_reads_it_with_motion_from_poses(tmp_path: Path, lidar: bool) -> None:
    content = imported(tmp_path, [made_up_sample(tmp_path, i, lidar=lidar) for i in range(2)])
    assert ('lidar_path' in content['data_list'][0]['lidar_points']) == lidar
    dataset = SequenceNuScenesDataset(
        data_root=str(tmp_path),
        ann_file='own_infos_train.msgpack.gz',
        pipeline=pipeline(lidar),
        metainfo=dict(classes=['vehicle', 'Person']),
        categories={'Van': 'vehicle'},
        cameras=['front'],
        modality=dict(use_camera=True, use_lidar=lidar),
        queue_length=2,
        queue_rule='consecutive',
        use_valid_flag=True,
    )
    item = dataset[1]
    sample = item['data_samples']
    assert item['inputs']['img'].shape == (2, 1, 3, 32, 48)
    assert sample.gt_instances_3d.labels_3d.tolist() == [0, 1]
    assert sample.can_bus[1][:3] == pytest.approx([5.0, 0.0, 0.0])
    assert sample.history_exists.tolist() == [False, True]
    if lidar:
        stored = np.fromfile(tmp_path / 'points' / 'drive-1.bin', np.float32).reshape(-1, 5)
        expected = np.column_stack((-stored[:, 0], -stored[:, 1], stored[:, 2]))  # left and back to right and ahead
        np.testing.assert_allclose(item['inputs']['points'][:, :3], expected, atol=1e-5)
    assert dataset.metainfo['dataset'] == 'own'


@pytest.mark.parametrize('features', [3, 4, 6])
def test_points_of_other_numbers(tmp_path: Path, features: int) -> None:
    sample = made_up_sample(tmp_path, 0)
    file = tmp_path / sample['lidar']['points']
    stored = np.random.default_rng(0).normal(size=(1200, features)) * [40, 40, 1, 0.3, 9, 0.01][:features]
    stored.astype(np.float32).tofile(file)
    message = rf"line 1, lidar: .*: expected 5 numbers .* fit (3 or )?{features}; give that as 'num_features' of"
    with pytest.raises(ValueError, match=message):
        imported(tmp_path, [sample])
    sample['lidar']['num_features'] = features
    points = imported(tmp_path, [sample])['data_list'][0]['lidar_points']
    points['lidar_path'] = str(file)
    loaded = LoadLidarPoints().transform(dict(lidar_points=points, token='a'))['points'].tensor.numpy()
    assert loaded.shape == (1200, 5)
    np.testing.assert_allclose(loaded[:, 3 : min(features, 5)], stored[:, 3 : min(features, 5)], atol=1e-5)
    assert not loaded[:, features:].any()
    sample['lidar']['num_features'] = 2
    with pytest.raises(ValueError, match=r"lidar: 'num_features' must be the numbers per point, 3 to 32, got 2"):
        imported(tmp_path, [sample])


def change(sample: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Set or, with None, remove a field."""
    *parents, last = path.split('.')
    inner: Any = sample
    for name in parents:
        inner = inner[int(name) if name.isdigit() else name]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return sample


@pytest.mark.parametrize(
    ('path', 'value', 'message'),
    [
        ('token', None, r"train.jsonl line 2: field 'token' is missing; there are scene, "),
        ('ego2global', [[1.0]], r"line 2: 'ego2global' must be 4 x 4 finite numbers, got \[\[1\.0\]\]"),
        ('ego2global', np.diag([2.0, 1, 1, 1]).tolist(), "line 2: 'ego2global' is no rigid transform"),
        ('ego2global', (np.eye(4) + np.eye(4, k=-3)).tolist(), "the last row of 'ego2global' must be 0 0 0 1"),
        ('timestamp', 'noon', r"'timestamp' must be a finite number, got 'noon'"),
        ('cameras.front.intrinsics', [1.0, 2.0], r"camera front: 'intrinsics' must be 3 x 3 finite numbers"),
        ('boxes.1.size', [1.0, -1.0, 1.0], "box 1: 'size' is length, width, height and positive"),
        ('boxes.0.category', None, "box 0: field 'category' is missing"),
        ('boxes', {'a': 1}, r"line 2: 'boxes' must be a list, got \{'a': 1\}"),
        ('boxes.0.num_points', 'many', r"box 0: 'num_points' must be a whole number from 0 on, got 'many'"),
        ('boxes.1.yaw', -90.0, r"line 2, box 1: 'yaw' is in radians, at most 12\.6, got -90"),
        ('boxes.0.yaw', '0.3', r"box 0: 'yaw' must be a finite number"),
        ('boxes.0.size', [1e4, 1.0, 1.0], r'drive-1: instances\.0\.bbox_3d: .*at most 200 m.*Correct the sample'),
        ('cameras', [1], r'line 2, cameras: expected an object with named fields, got list'),
        ('cameras.front.intrinsics', np.zeros((3, 3)).tolist(), r'line 2: images\.front\.cam2img: .* positive focal'),
        ('cameras.front.sensor2ego', (np.eye(4) + np.eye(4, k=3) * 1e3).tolist(), r'images\.front\.lidar2cam: .*100 m'),
        ('token', 'a/b', r"line 2: token: expected a name without slashes, found 'a/b'"),
        ('timestamp', 100.0, r'sample drive-1: timestamp: expected more than the frame before it'),
        ('cameras.front.distortion', [0.1, 0.0], r"camera front: 'distortion' is not read: undistort the images"),
        ('cameras.front.distortion_coeffs', {'k1': 0.1}, r"'distortion_coeffs' is not read"),
        ('cameras.front.D', [0.0, -0.2], r"camera front: 'D' is not read"),
        ('cameras.front.camera_model', 'fisheye', r"camera front: 'camera_model' is not read"),
        ('cameras.front.fisheye', True, r"camera front: 'fisheye' is not read"),
        ('cameras.front.ego2globl', np.eye(4).tolist(), r"'ego2globl' is no field .* mean 'ego2global'\?"),
        ('boxes.0.velocty', [1.0, 0.0], r"line 2, box 0: 'velocty' is no field of the layout; did you mean 'velocity'"),
        ('token', 'drive-0', r"line 2: token 'drive-0' is that of .*line 1 too"),
    ],
)
def test_wrong_fields_are_named(tmp_path: Path, path: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        imported(tmp_path, [made_up_sample(tmp_path, 0), change(made_up_sample(tmp_path, 1), path, value)])
    assert not list(tmp_path.glob('*.msgpack.gz'))


@pytest.mark.parametrize('wrong', ['inverse', 'transposed rotation', 'OpenGL', 'x ahead', 'identity'])
def test_poses_of_other_conventions_are_refused(tmp_path: Path, wrong: str) -> None:
    pose = np.array(CAMERA2EGO)
    turned = pose.copy()
    turned[:3, :3] = pose[:3, :3].T
    other = {
        'inverse': np.linalg.inv(pose), 'transposed rotation': turned, 'OpenGL': pose @ np.diag([1, -1, -1, 1]),
        'x ahead': np.eye(4) + np.eye(4, k=3) * 1.5, 'identity': np.eye(4),
    }[wrong]  # fmt: skip
    sample = made_up_sample(tmp_path, 0)
    for camera in sample['cameras'].values():
        camera['sensor2ego'] = other.tolist()
    with pytest.raises(ValueError, match=r'line 1: expected .* no camera of left, front whose y axis points'):
        imported(tmp_path, [sample])


def test_fields_that_are_not_read_and_lenses_without_distortion_pass(tmp_path: Path) -> None:
    sample = made_up_sample(tmp_path, 0)
    sample |= dict(weather='rain', camera_ids=[1, 2])
    sample['boxes'][0]['model'] = 'T2'
    sample['cameras']['front'] |= dict(distortion=[0.0, 0, 0], camera_model='pinhole', fisheye=False, id=3)
    sample['cameras']['left']['sensor2ego'] = np.eye(4).tolist()  # One that looks to the ground, say.
    imported(tmp_path, [sample])


def test_a_field_that_stands_twice_is_named(tmp_path: Path) -> None:
    file = write_samples(tmp_path, [made_up_sample(tmp_path, 0)])
    file.write_text(file.read_text().replace('{"token"', '{"token": "other", "token"'))
    with pytest.raises(ValueError, match=r"line 1 is no JSON \('token' stands twice in one object\)"):
        import_own_data(tmp_path, [])


def test_a_file_may_be_named_by_its_path(tmp_path: Path) -> None:
    write_samples(tmp_path, [made_up_sample(tmp_path, 0)])
    (written,) = import_own_data(tmp_path, [str(tmp_path / 'train.jsonl')])
    assert written == tmp_path / 'own_infos_train.msgpack.gz'


def test_files_that_are_missing_or_cut_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'holds no \*.jsonl; docs/own_data.md describes'):
        import_own_data(tmp_path, [])
    sample = made_up_sample(tmp_path, 0)
    (tmp_path / sample['cameras']['left']['image']).unlink()
    with pytest.raises(FileNotFoundError, match=r"camera left: 'image' names .*drive-left-0.png, which is not there"):
        imported(tmp_path, [sample])
    (tmp_path / sample['lidar']['points']).write_bytes(bytes(19))
    with pytest.raises(ValueError, match=r'lidar: .* has 19 bytes, not a multiple of 20: points are rows of 5 float32'):
        imported(tmp_path, [made_up_sample(tmp_path, 1), {**made_up_sample(tmp_path, 2), 'lidar': sample['lidar']}])
    for content in (b'{"token": 1,\n', b'\xff\xfe\n', b'[' * 100_000):
        (tmp_path / 'train.jsonl').write_bytes(content)
        with pytest.raises(ValueError, match=r'train.jsonl line 1 is no JSON'):
            import_own_data(tmp_path, ['train.jsonl'])
