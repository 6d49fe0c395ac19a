"""One scene by itself: what hangs on its name and its place, which files and records it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bevdistill.synthetic import Preset
from bevdistill.synthetic.catalog import LOCATIONS
from bevdistill.synthetic.rig import CAMERAS, LIDAR
from bevdistill.synthetic.scene import SceneJob, make_scene
from bevdistill.synthetic.schema import Tables

Made = tuple[Tables, np.ndarray, Path]
FIRST = 1_600_000_000_000_000
"""Microseconds at which the first scene begins; scenes are two minutes apart."""


@pytest.fixture(scope='module')
def make(smallest: Preset, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """``make(name='scene-0061', index=0, ...)`` writes a scene of two keyframes into a folder of its own."""

    def scene(name: str = 'scene-0061', index: int = 0, **changes: Any) -> Made:
        root = tmp_path_factory.mktemp('scene')
        for channel in (*CAMERAS, LIDAR):
            for folder in ('samples', 'sweeps'):
                (root / folder / channel).mkdir(parents=True)
        (root / 'can_bus').mkdir()
        preset = replace(smallest, sweep_slots=(2, 7))
        seed, annotated = changes.pop('seed', 0), changes.pop('annotated', True)
        job = SceneJob(root, 'v1.0-mini', preset, seed, index, name, 2, annotated)
        assert not changes
        return *make_scene(job), root

    return scene


@pytest.fixture(scope='module')
def scene(make: Callable[..., Made]) -> Made:
    return make()


def files(root: Path) -> dict[str, bytes]:
    """Content of the sensors' files, by channel and place in time."""
    found = [path for path in sorted(root.rglob('*')) if path.suffix in ('.jpg', '.bin')]
    return {f'{path.parent.name} {place}': path.read_bytes() for place, path in enumerate(found)}


def test_a_file_and_a_pose_of_each_measurement(scene: Made) -> None:
    """Two keyframes of seven sensors, and two sweeps before each; every file has its own pose, and is there."""
    tables, _, root = scene
    data = tables['sample_data']
    assert len(data) == 2 * 7 + 2 * 2 == len(tables['ego_pose']) == len(files(root))
    assert [record['token'] for record in tables['ego_pose']] == [record['ego_pose_token'] for record in data]
    assert all((root / record['filename']).is_file() for record in data)
    assert all(len(pose['rotation']) == 4 for pose in tables['ego_pose'])
    for record in data:
        channel = record['filename'].split('/')[1]
        assert record['filename'].startswith('samples/' if record['is_key_frame'] else 'sweeps/')
        ending = 'pcd.bin' if channel == LIDAR else 'jpg'
        assert record['filename'].endswith(f'__{channel}__{record["timestamp"]}.{ending}')
        assert (record['height'], record['width']) == ((0, 0) if channel == LIDAR else (24, 64))


def test_times_of_sweeps_and_keyframes(scene: Made) -> None:
    """Slots 7 and 2 lie 350 ms and 100 ms before their keyframe, to which they belong; in a chain by time."""
    tables, _, _ = scene
    lidar = [record for record in tables['sample_data'] if f'/{LIDAR}/' in record['filename']]
    assert [record['timestamp'] - FIRST for record in lidar] == [-350_000, -100_000, 0, 150_000, 400_000, 500_000]
    first, second = (sample['token'] for sample in tables['sample'])
    assert [record['sample_token'] for record in lidar] == [first] * 3 + [second] * 3
    assert [record['next'] for record in lidar] == [*(record['token'] for record in lidar[1:]), '']
    assert [sample['timestamp'] - FIRST for sample in tables['sample']] == [0, 500_000]
    (record,) = tables['scene']
    assert (record['first_sample_token'], record['last_sample_token'], record['nbr_samples']) == (first, second, 2)
    assert record['description'].startswith('Synthetic, ')


def test_instances_hold_their_annotations(scene: Made) -> None:
    tables, _, _ = scene
    by_token = {record['token']: record for record in tables['sample_annotation']}
    assert len(by_token) == len(tables['sample_annotation']) == sum(i['nbr_annotations'] for i in tables['instance'])
    for instance in tables['instance']:
        first, last = by_token[instance['first_annotation_token']], by_token[instance['last_annotation_token']]
        assert first['prev'] == last['next'] == '' and (first is last) == (instance['nbr_annotations'] == 1)
        assert first['instance_token'] == last['instance_token'] == instance['token']
    assert all(record['num_lidar_pts'] >= 0 and record['visibility_token'] in '1234' for record in by_token.values())


def test_the_road_goes_on_beyond_the_drive(scene: Made) -> None:
    """60 m at both ends, in steps of 5 m at most; poses lie between."""
    tables, road, _ = scene
    steps = np.linalg.norm(np.diff(road, axis=0), axis=1)
    assert road.shape[1] == 2 and steps.max() < 5.1
    poses = np.array([pose['translation'][:2] for pose in tables['ego_pose']])
    ends = np.linalg.norm(road[[0, -1], None] - poses[None], axis=-1).min(axis=1)
    assert ends == pytest.approx([60, 60], abs=8)


def test_the_place_in_the_data_set_moves_the_clock_alone(scene: Made, make: Callable[..., Made]) -> None:
    """The world of a scene hangs on its name: other scenes before it change no pixel."""
    tables, _, root = scene
    later, _, other = make(index=3)
    assert files(root) == files(other)
    moved = [b['timestamp'] - a['timestamp'] for a, b in zip(tables['sample_data'], later['sample_data'], strict=True)]
    assert set(moved) == {3 * 120_000_000}
    assert [log['location'] for log in (*tables['log'], *later['log'])] == [LOCATIONS[0], LOCATIONS[3 % len(LOCATIONS)]]
    names = ('instance', 'sample_annotation', 'scene', 'calibrated_sensor')
    assert all(tables[name] == later[name] for name in names)


@pytest.mark.parametrize('change', [dict(name='scene-0103'), dict(seed=1)])
def test_another_name_or_seed_is_another_world(change: dict[str, Any], scene: Made, make: Callable[..., Made]) -> None:
    tables, road, _ = scene
    other, elsewhere, _ = make(**change)
    assert not np.array_equal(road[:2], elsewhere[:2])
    tokens = [{record['token'] for table in each.values() for record in table} for each in (tables, other)]
    assert not tokens[0] & tokens[1]


def test_without_annotations_the_sensors_see_the_same(scene: Made, make: Callable[..., Made]) -> None:
    _, _, root = scene
    hidden, _, other = make(annotated=False)
    assert hidden['sample_annotation'] == hidden['instance'] == []
    assert files(root) == files(other)


def test_messages_cover_the_sweeps_and_end_with_the_scene(scene: Made) -> None:
    messages = json.loads((scene[2] / 'can_bus' / 'scene-0061_pose.json').read_text())
    assert (messages[0]['utime'] - FIRST, messages[-1]['utime'] - FIRST) == (-500_000, 500_000)
