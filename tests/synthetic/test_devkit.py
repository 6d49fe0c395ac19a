"""The official devkit reads the data set, and what it computes agrees with what was drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from nuscenes.can_bus.can_bus_api import NuScenesCanBus
from nuscenes.eval.detection.utils import category_to_detection_name, detection_name_to_rel_attributes
from nuscenes.nuscenes import NuScenes
from nuscenes.utils import splits
from nuscenes.utils.data_classes import LidarPointCloud
from nuscenes.utils.geometry_utils import points_in_box, view_points

from bevdistill.synthetic import PRESETS, plan_scenes
from bevdistill.synthetic.catalog import SPECIES
from bevdistill.synthetic.rig import CAMERAS, LIDAR
from bevdistill.synthetic.scene import SceneWriter
from bevdistill.synthetic.sensing import photograph


def test_tables_have_the_schema_of_nuscenes(nusc: NuScenes) -> None:
    assert [scene['name'] for scene in nusc.scene] == [*splits.mini_train, *splits.mini_val]
    assert len(nusc.category) == 23
    assert len(nusc.attribute) == 8
    assert len(nusc.visibility) == 4
    assert len(nusc.sample) == 30
    assert all(set(sample['data']) == {*CAMERAS, LIDAR} for sample in nusc.sample)
    assert len({record['token'] for record in nusc.sample_data}) == len(nusc.sample_data)
    assert all((Path(nusc.dataroot) / record['filename']).is_file() for record in nusc.sample_data)
    assert all((Path(nusc.dataroot) / record['filename']).is_file() for record in nusc.map)


def test_chains_run_through_scenes(nusc: NuScenes) -> None:
    for scene in nusc.scene:
        tokens, token = [], scene['first_sample_token']
        while token:
            tokens.append(token)
            token = nusc.get('sample', token)['next']
        assert len(tokens) == scene['nbr_samples']
        assert tokens[-1] == scene['last_sample_token']
    for instance in nusc.instance:
        count, token, before = 0, instance['first_annotation_token'], ''
        while token:
            record = nusc.get('sample_annotation', token)
            assert (record['instance_token'], record['prev']) == (instance['token'], before)
            count, before, token = count + 1, token, record['next']
        assert (count, before) == (instance['nbr_annotations'], instance['last_annotation_token'])


def test_every_keyframe_has_nine_sweeps_at_20_hertz(nusc: NuScenes) -> None:
    for sample in nusc.sample:
        record = nusc.get('sample_data', sample['data'][LIDAR])
        for slot in range(1, 10):
            record = nusc.get('sample_data', record['prev'])
            assert sample['timestamp'] - record['timestamp'] == slot * 50_000
            assert not record['is_key_frame']
            assert record['sample_token'] == sample['token']


def test_sensors_fire_at_their_own_times_and_poses(nusc: NuScenes) -> None:
    sample = nusc.sample[1]
    stamps = {channel: nusc.get('sample_data', token)['timestamp'] for channel, token in sample['data'].items()}
    assert stamps[LIDAR] == sample['timestamp']
    assert len(set(stamps.values())) == 7
    assert all(0 <= sample['timestamp'] - stamp < 50_000 for stamp in stamps.values())
    for token in sample['data'].values():
        record = nusc.get('sample_data', token)
        assert nusc.get('ego_pose', record['ego_pose_token'])['timestamp'] == record['timestamp']


def test_devkit_renders_a_sample(nusc: NuScenes, tmp_path: Path) -> None:
    nusc.render_sample(nusc.sample[0]['token'], out_path=str(tmp_path / 'sample.png'), verbose=False)
    nusc.render_sample_data(nusc.sample[0]['data'][LIDAR], out_path=str(tmp_path / 'top.png'), verbose=False)
    assert cv2.imread(str(tmp_path / 'sample.png')).std() > 10
    assert cv2.imread(str(tmp_path / 'top.png')).std() > 5


def test_boxes_hold_the_points_that_they_claim(nusc: NuScenes) -> None:
    claimed, samples = 0, nusc.sample[::2]
    for sample in samples:
        path, boxes, _ = nusc.get_sample_data(sample['data'][LIDAR])
        points = LidarPointCloud.from_file(path).points[:3].astype(float)
        for box in boxes:
            count = nusc.get('sample_annotation', box.token)['num_lidar_pts']
            assert int(points_in_box(box, points).sum()) == count
            claimed += count
    assert claimed / len(samples) > 150


def test_yaw_alone_is_nearly_enough(nusc: NuScenes) -> None:
    """Detectors know no pitch and roll; upright boxes keep the points where the ground slopes."""
    full, upright = 0, 0
    for sample in nusc.sample[::3]:
        path, boxes, _ = nusc.get_sample_data(sample['data'][LIDAR])
        points = LidarPointCloud.from_file(path).points[:3].astype(float)
        for box in boxes:
            yaw = box.orientation.yaw_pitch_roll[0]
            turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
            local = np.abs((points.T - box.center) @ turn)
            upright += int((local <= box.wlh[[1, 0, 2]] / 2).all(axis=1).sum())
            full += nusc.get('sample_annotation', box.token)['num_lidar_pts']
    assert upright > 0.93 * full


def test_box_velocity_is_the_true_velocity(nusc: NuScenes, synthetic_root: Path) -> None:
    writer = SceneWriter(plan_scenes(synthetic_root, PRESETS['tiny'], 'v1.0-mini', 0)[0])
    true = {writer.token('instance', i): velocity for i, velocity in enumerate(writer.world.velocity)}
    checked = 0
    for record in nusc.sample_annotation:
        if record['instance_token'] in true and (record['prev'] or record['next']):
            assert nusc.box_velocity(record['token'])[:2] == pytest.approx(true[record['instance_token']], abs=1e-6)
            checked += 1
    assert checked > 20


def test_attributes_agree_with_class_and_motion(nusc: NuScenes) -> None:
    for record in nusc.sample_annotation:
        allowed = detection_name_to_rel_attributes(category_to_detection_name(record['category_name']))
        names = [nusc.get('attribute', token)['name'] for token in record['attribute_tokens']]
        assert len(names) == (1 if allowed else 0)
        assert set(names) <= set(allowed)
        velocity = nusc.box_velocity(record['token'])[:2]
        if not names or np.isnan(velocity).any():
            continue
        if np.linalg.norm(velocity) > 0.2:
            assert names[0] in ('vehicle.moving', 'cycle.with_rider', 'pedestrian.moving')
        else:
            assert names[0] not in ('vehicle.moving', 'pedestrian.moving')


def test_every_class_is_in_the_validation_scenes(nusc: NuScenes) -> None:
    scenes = {scene['token'] for scene in nusc.scene if scene['name'] in splits.mini_val}
    found = {
        category_to_detection_name(record['category_name'])
        for record in nusc.sample_annotation
        if record['num_lidar_pts'] > 0 and nusc.get('sample', record['sample_token'])['scene_token'] in scenes
    }
    assert found == {species.name for species in SPECIES}


def test_projected_boxes_frame_the_drawn_objects(nusc: NuScenes, synthetic_root: Path) -> None:
    """Draw scenes again with an object per pixel: a whole object fills the devkit's projection of its box."""
    checked = 0
    for job in plan_scenes(synthetic_root, PRESETS['tiny'], 'v1.0-mini', 0)[:5]:
        writer = SceneWriter(job)
        sample = nusc.get('sample', nusc.scene[job.index]['first_sample_token'])
        owner = {writer.token('sample_annotation', i, 0): i for i in range(len(writer.world.things))}
        for channel in CAMERAS:
            sensor = writer.rig[channel]
            covered = np.zeros(len(writer.world.things), np.int64)
            image, objects = photograph(
                writer.world, sensor, -sensor.lead, (64, 176), np.random.default_rng(0), covered
            )
            path, boxes, intrinsic = nusc.get_sample_data(sample['data'][channel])
            saved = cv2.imread(path)[..., ::-1]
            assert np.abs(saved.astype(float) - image).mean() < 12
            for box in boxes:
                i = owner[box.token]
                checked += _check_frame(box, intrinsic, objects == i, covered[i], writer.world.velocity[i])
    assert checked >= 15


def _check_frame(box: object, intrinsic: np.ndarray, drawn: np.ndarray, whole: int, velocity: np.ndarray) -> int:
    """Compare one object's pixels with its projected box; 1 if it could be compared."""
    corners = box.corners()  # type: ignore[attr-defined]
    if corners[2].min() < 1.0 or drawn.sum() < max(40, whole) or np.linalg.norm(velocity) > 0:
        return 0
    uv = view_points(corners, intrinsic, normalize=True)[:2]
    low, high = uv.min(axis=1), uv.max(axis=1)
    if (low < 0).any() or (high > (176, 64)).any():
        return 0
    rows, cols = np.nonzero(drawn)
    seen_low, seen_high = np.array([cols.min(), rows.min()]), np.array([cols.max() + 1, rows.max() + 1])
    assert (seen_low >= low - 1.0).all()
    assert (seen_high <= high + 1.0).all()
    assert ((seen_high - seen_low) > 0.55 * (high - low) - 2.0).all()
    return 1


def test_visibility_agrees_with_occlusion(nusc: NuScenes, synthetic_root: Path) -> None:
    writer = SceneWriter(plan_scenes(synthetic_root, PRESETS['tiny'], 'v1.0-mini', 0)[0])
    things = len(writer.world.things)
    covered, seen = np.zeros(things, np.int64), np.zeros(things, np.int64)
    for channel in CAMERAS:
        sensor = writer.rig[channel]
        _, objects = photograph(writer.world, sensor, -sensor.lead, (64, 176), np.random.default_rng(0), covered)
        seen += np.bincount(objects[objects >= 0], minlength=things)
    levels = {writer.token('sample_annotation', i, 0): i for i in range(things)}
    records = [record for record in nusc.sample_annotation if record['token'] in levels]
    assert records
    for record in records:
        i = levels[record['token']]
        share = seen[i] / max(covered[i], 1)
        low, high = {'1': (0, 0.4), '2': (0.4, 0.6), '3': (0.6, 0.8), '4': (0.8, 1.01)}[record['visibility_token']]
        assert low <= share < high


def test_can_bus_is_what_the_devkit_reads(nusc: NuScenes) -> None:
    can = NuScenesCanBus(nusc.dataroot)
    for scene in nusc.scene:
        messages = can.get_messages(scene['name'], 'pose')
        steps = np.diff([message['utime'] for message in messages])
        assert set(steps.tolist()) == {20_000}
        sample = nusc.get('sample', scene['last_sample_token'])
        message = max((m for m in messages if m['utime'] <= sample['timestamp']), key=lambda m: m['utime'])
        pose = nusc.get('ego_pose', sample['data'][LIDAR])
        assert message['pos'] == pytest.approx(pose['translation'], abs=0.3)
        assert abs(np.dot(message['orientation'], pose['rotation'])) == pytest.approx(1.0, abs=1e-3)
        assert set(message) == {'accel', 'orientation', 'pos', 'rotation_rate', 'utime', 'vel'}
        assert np.linalg.norm(message['accel']) == pytest.approx(9.81, abs=2.0)


def test_ego_car_drives_and_turns(nusc: NuScenes) -> None:
    can = NuScenesCanBus(nusc.dataroot)
    last = [can.get_messages(scene['name'], 'pose')[-1] for scene in nusc.scene]
    assert max(message['vel'][0] for message in last) > 3.0
    assert max(abs(message['rotation_rate'][2]) for message in last) > 0.03
