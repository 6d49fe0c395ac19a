"""Information files of the synthetic root: fields, splits, what is missing, tables that cannot be."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nuscenes.nuscenes import NuScenes
from nuscenes.utils import splits

from bevdistill.datasets.infos import create, create_nuscenes_infos, presence
from bevdistill.datasets.infos import read_infos as load


def test_the_full_category_of_each_box_is_kept(synthetic_root: Path, synthetic_infos: Path) -> None:
    nusc = NuScenes('v1.0-mini', str(synthetic_root), verbose=False)
    for record in load(synthetic_infos / 'nuscenes_infos_val.msgpack.gz')['data_list']:
        annotations = [nusc.get('sample_annotation', token) for token in nusc.get('sample', record['token'])['anns']]
        assert [box['category'] for box in record['instances']] == [row['category_name'] for row in annotations]


def test_temporal_fields_follow_the_chain(synthetic_root: Path, synthetic_infos: Path) -> None:
    nusc = NuScenes('v1.0-mini', str(synthetic_root), verbose=False)
    for split in ('train', 'val'):
        records = load(synthetic_infos / f'nuscenes_infos_{split}.msgpack.gz')['data_list']
        for before, record in zip([None, *records], records, strict=False):
            sample = nusc.get('sample', record['token'])
            assert (record['prev'], record['next']) == (sample['prev'], sample['next'])
            assert record['scene_token'] == sample['scene_token']
            if record['prev']:
                assert before is not None and before['token'] == record['prev']
                assert record['frame_idx'] == before['frame_idx'] + 1
                assert record['timestamp'] > before['timestamp']
            else:
                assert record['frame_idx'] == 0
            lidar = nusc.get('sample_data', sample['data']['LIDAR_TOP'])
            pose = nusc.get('ego_pose', lidar['ego_pose_token'])
            assert record['ego2global_rotation'] == pose['rotation']
            assert record['ego2global_translation'] == pose['translation']
            assert len(record['can_bus']) == 18


def test_trainval_is_train_and_val_in_the_order_in_which_they_were_driven(synthetic_infos: Path) -> None:
    names = {split: f'nuscenes_infos_{split}.msgpack.gz' for split in ('train', 'val', 'trainval')}
    parts = {split: load(synthetic_infos / name) for split, name in names.items()}
    records = {split: part['data_list'] for split, part in parts.items()}
    both = records['trainval']
    assert parts['trainval']['metainfo'] == parts['val']['metainfo']
    assert [record['sample_idx'] for record in both] == list(range(len(both)))
    apart = {record['token']: record for split in ('train', 'val') for record in records[split]}
    assert len(both) == len(apart) == len(records['train']) + len(records['val'])
    for record in both:
        # As text: velocities of objects seen once are NaN, which equals nothing.
        assert repr({**record, 'sample_idx': apart[record['token']]['sample_idx']}) == repr(apart[record['token']])
    for before, record in zip([None, *both], both, strict=False):
        assert record['prev'] == ('' if record['frame_idx'] == 0 else before['token'])
    starts = [record['timestamp'] for record in both if record['frame_idx'] == 0]
    assert starts == sorted(starts)


def test_scenes_that_start_at_one_time_stay_whole() -> None:
    def scene(token: str, *stamps: float) -> list[dict[str, Any]]:
        return [{'scene_token': token, 'frame_idx': i, 'timestamp': at, 'sample_idx': 7} for i, at in enumerate(stamps)]

    merged = create.merged_records([scene('b', 1.0, 2.0) + scene('c', 5.0), scene('a', 1.0, 1.5), []])
    assert [(r['scene_token'], r['frame_idx']) for r in merged] == [('a', 0), ('a', 1), ('b', 0), ('b', 1), ('c', 0)]
    assert [record['sample_idx'] for record in merged] == [0, 1, 2, 3, 4]


def test_without_can_bus_the_records_are_zero_and_a_notice_says_so(
    synthetic_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(create, 'print_log', lambda message, *_: said.append(message))
    files = create_nuscenes_infos(synthetic_root, 'v1.0-mini', tmp_path / 'infos', canbus_root=tmp_path)
    records = load(files['val'])['data_list']
    assert all(record['can_bus'] == [0.0] * 18 for record in records)
    assert any('can_bus is zero in 10 of 10 scenes (no can_bus/ folder)' in message for message in said)
    assert sorted(path.name for path in (tmp_path / 'infos').iterdir()) == [
        'nuscenes_infos_train.msgpack.gz',
        'nuscenes_infos_trainval.msgpack.gz',
        'nuscenes_infos_val.msgpack.gz',
    ]


def test_fewer_sweeps(synthetic_root: Path, tmp_path: Path) -> None:
    files = create_nuscenes_infos(synthetic_root, 'v1.0-mini', tmp_path, max_sweeps=2)
    assert {len(record.get('lidar_sweeps', [])) for record in load(files['val'])['data_list']} <= {0, 1, 2}


def test_a_missing_root(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no nuScenes root at .*nowhere; give its folder with --root-path'):
        create_nuscenes_infos(tmp_path / 'nowhere')


def test_an_unknown_version(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown version 'v1.0'; expected one of v1.0-trainval, v1.0-mini"):
        create_nuscenes_infos(tmp_path, 'v1.0')


def test_another_version_on_disk(tmp_path: Path) -> None:
    (tmp_path / 'v1.0-mini').mkdir()
    with pytest.raises(FileNotFoundError, match=r'no tables of v1.0-trainval.* Found v1.0-mini; give it with'):
        create_nuscenes_infos(tmp_path, 'v1.0-trainval')


def linked_copy(root: Path, to: Path) -> Path:
    """A root whose folders of files are real and whose files are links, so that one can be taken away."""
    to.mkdir()
    for path in root.rglob('*'):
        target = to / path.relative_to(root)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif not path.name.startswith('nuscenes_infos'):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    return to


def test_what_a_partial_download_lacks_is_left_out_and_counted(
    synthetic_root: Path, synthetic_infos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sweeps, no back camera at all, one image and one scene missing."""
    said: list[str] = []
    for module in (create, presence):
        monkeypatch.setattr(module, 'print_log', lambda message, *_: said.append(message))
    records = load(synthetic_infos / 'nuscenes_infos_train.msgpack.gz')['data_list']
    scene = [record for record in records if record['scene_token'] == records[0]['scene_token']]
    gone = {record['token'] for record in records if record['scene_token'] == records[-1]['scene_token']}
    root = linked_copy(synthetic_root, tmp_path / 'root')
    shutil.rmtree(root / 'sweeps')
    shutil.rmtree(root / 'samples' / 'CAM_BACK')
    (root / 'samples' / 'CAM_FRONT' / scene[1]['images']['CAM_FRONT']['img_path']).unlink()
    for record in records:
        if record['token'] in gone:
            (root / 'samples' / 'LIDAR_TOP' / record['lidar_points']['lidar_path']).unlink()
            for camera in record['images'].keys() - {'CAM_BACK'}:
                (root / 'samples' / camera / record['images'][camera]['img_path']).unlink()
    left = load(create_nuscenes_infos(root, 'v1.0-mini')['train'])['data_list']
    assert [r['token'] for r in left] == [r['token'] for r in records if r['token'] not in gone | {scene[1]['token']}]
    assert [(r['frame_idx'], r['prev'], r['next']) for r in left[:2]] == [
        (0, '', scene[2]['token']),
        (1, scene[0]['token'], ''),
    ]
    assert all('CAM_BACK' not in record['images'] and len(record['images']) == 5 for record in left)
    assert not any('sweeps/' in s['lidar_points']['lidar_path'] for r in left for s in r.get('lidar_sweeps', []))
    told = '\n'.join(said)
    assert 'has no files of CAM_BACK' in told
    assert f'left out: 1 keyframe, a file is missing (CAM_FRONT 1; sample {scene[1]["token"]} lacks CAM_FRONT)' in told
    assert re.search(r'\d+ of \d+ LiDAR sweeps between keyframes are not on disk .*sweeps_num=0', told)
    assert '1 of 10 scenes left out' in told


def test_no_scene_on_disk(synthetic_root: Path, tmp_path: Path) -> None:
    for folder in ('v1.0-mini', 'maps'):
        (tmp_path / folder).symlink_to(synthetic_root / folder)
    with pytest.raises(ValueError, match=r'none of the 10 scenes in the tables is usable: 0 have files of cameras'):
        create_nuscenes_infos(tmp_path, 'v1.0-mini')


def test_the_test_split_has_no_annotations(synthetic_root: Path, tmp_path: Path) -> None:
    """The mini tables under test scenes' names and without boxes, as the real test set comes."""
    for folder in ('samples', 'sweeps', 'maps'):
        (tmp_path / folder).symlink_to(synthetic_root / folder)
    (tmp_path / 'v1.0-test').mkdir()
    for table in (synthetic_root / 'v1.0-mini').glob('*.json'):
        rows = json.loads(table.read_text())
        if table.stem in ('sample_annotation', 'instance'):
            rows = []
        if table.stem == 'scene':
            for row, name in zip(rows, splits.test, strict=False):
                row['name'] = name
        (tmp_path / 'v1.0-test' / table.name).write_text(json.dumps(rows))
    files = create_nuscenes_infos(tmp_path, 'v1.0-test')
    assert set(files) == {'test'}
    records = load(files['test'])['data_list']
    assert len(records) == 30
    assert all(record['instances'] == [] and 'cam_instances' not in record for record in records)


Rows = list[dict[str, Any]]


def endless(rows: Rows) -> None:
    rows[1]['next'] = rows[1]['token']


@pytest.mark.parametrize(
    ('table', 'change', 'message'),
    [
        ('sample', endless, "expected a chain of 'next' that ends, found one that comes back here"),
        ('sample', lambda rows: rows[0].update(next=rows[-1]['token']), 'expected a sample of this scene'),
        ('sample', lambda rows: rows[0].update(next=''), r'expected nbr_samples = 3, found [12] linked'),
        ('scene', lambda rows: rows[0].update(first_sample_token='gone'), "found no 'gone'"),
        ('ego_pose', lambda rows: [row.update(rotation=[1, 2]) for row in rows], 'expected nuScenes tables'),
        ('ego_pose', lambda rows: [row.update(translation=[0, None, 0]) for row in rows], 'expected'),
        ('calibrated_sensor', lambda rows: [row.update(rotation=[0, 0, 0, 0]) for row in rows], 'expected'),
        ('calibrated_sensor', lambda rows: [row.update(camera_intrinsic=[]) for row in rows], 'expected'),
        ('sample_annotation', lambda rows: rows[0].update(size=[0, -1, 1]), r'sample .*bbox_3d: expected x, y, z'),
    ],
)
def test_tables_that_cannot_be_are_told_and_nothing_is_written(
    synthetic_root: Path, tmp_path: Path, table: str, change: Callable[[Rows], Any], message: str
) -> None:
    for folder in ('samples', 'sweeps', 'maps', 'can_bus'):
        (tmp_path / folder).symlink_to(synthetic_root / folder)
    (tmp_path / 'v1.0-mini').mkdir()
    for file in (synthetic_root / 'v1.0-mini').glob('*.json'):
        (tmp_path / 'v1.0-mini' / file.name).symlink_to(file)
    rows = json.loads((synthetic_root / 'v1.0-mini' / f'{table}.json').read_text())
    change(rows)
    (tmp_path / 'v1.0-mini' / f'{table}.json').unlink()
    (tmp_path / 'v1.0-mini' / f'{table}.json').write_text(json.dumps(rows))
    with np.errstate(all='ignore'), pytest.raises(ValueError, match=rf'v1\.0-mini: .*{message}.*npack') as refused:
        create_nuscenes_infos(tmp_path, 'v1.0-mini')
    assert '\n' not in str(refused.value)
    assert not list(tmp_path.glob('*infos*'))
