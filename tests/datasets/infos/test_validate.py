"""Records that are wrong in every way that changes an item: each is refused with sample, field, expected and found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from bevdistill.datasets.infos.validate import faults_of, require_valid, summary

Records = list[dict[str, Any]]
META = {'categories': {'car': 0, 'truck': 1, 'barrier': 9, 'animal': -1}, 'dataset': 'nuscenes', 'version': 'v1.0-mini'}


def infos_of(records: Records, **meta: Any) -> dict[str, Any]:
    for record in records:
        for instance in record['instances']:
            instance.update(bbox_label=instance['bbox_label'] % 2, bbox_label_3d=instance['bbox_label_3d'] % 2)
    return {'metainfo': {**META, **meta}, 'data_list': records}


def test_right_records_are_right(toy_records: Records) -> None:
    assert faults_of(infos_of(toy_records)) == []
    assert faults_of(infos_of([])) == []
    # As another converter and another precision write them.
    for record in toy_records:
        record['ego2global'] = np.array(record['ego2global'], dtype=np.float32)
        record['instances'], record['lidar_sweeps'] = [], None
        for image in record['images'].values():
            image['cam2img'] = np.pad(image['cam2img'], (0, 1))
    assert faults_of(infos_of(toy_records)) == []


def camera(record: dict[str, Any]) -> dict[str, Any]:
    image: dict[str, Any] = record['images']['CAM_BACK']
    return image


def scaled(matrix: list[list[float]]) -> list[list[float]]:
    return (1.01 * np.array(matrix)).tolist()


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str, str]] = {
    'no token': (lambda r: r.pop('token'), 'token', 'found none'),
    'token that leads out': (lambda r: r.update(token='../../x'), 'token', 'without slashes'),
    'token of another': (lambda r: r.update(token='token-0'), 'token', 'a token of its own, found that of record 0'),
    'time as text': (lambda r: r.update(timestamp='1000.5'), 'timestamp', "seconds.* found '1000.5'"),
    'time back': (lambda r: r.update(timestamp=999.0), 'timestamp', 'found 999.0 after 1000.0'),
    'frame twice': (lambda r: r.update(frame_idx=0), 'frame_idx', 'found 0 after 0'),
    'frame of half': (lambda r: r.update(frame_idx=1.5), 'frame_idx', 'whole number'),
    'next is itself': (lambda r: r.update(next='token-1'), 'next', 'found the sample itself'),
    'next in another scene': (lambda r: r.update(next='token-3'), 'next', 'one of its own scene'),
    'link of one side': (lambda r: r.update(next='token-2'), 'next', 'a link both ways'),
    'short can bus': (lambda r: r['can_bus'].pop(), 'can_bus', '18 finite numbers, found 17 numbers'),
    'infinite can bus': (lambda r: r['can_bus'].__setitem__(3, math.inf), 'can_bus', '1 not finite'),
    'pose of 3 x 4': (lambda r: r['ego2global'].pop(), 'ego2global', 'rigid .* found 3 x 4 numbers'),
    'pose that grows': (lambda r: r.update(ego2global=scaled(r['ego2global'])), 'ego2global', 'rigid'),
    'pose that mirrors': (
        lambda r: r.update(ego2global=(np.array(r['ego2global']) @ np.diag([1, 1, -1, 1])).tolist()),
        'ego2global', 'rigid',
    ),
    'two poses': (lambda r: r['ego2global_translation'].__setitem__(0, 1.0), 'ego2global', 'm and 0 .*apart'),
    'quaternion': (lambda r: r.update(ego2global_rotation=[1, 1, 0, 0]), 'ego2global_rotation', 'unit quaternion'),
    'ragged matrix': (lambda r: r['ego2global'][0].pop(), 'ego2global', 'lists of unequal length'),
    'images as a list': (lambda r: r.update(images=[]), 'images', r'a dict, found \[\]'),
    'camera missing': (lambda r: r['images'].pop('CAM_BACK'), 'images', 'found without CAM_BACK'),
    'camera renamed': (lambda r: r['images'].update(CAM=r['images'].pop('CAM_BACK')), 'images', 'with CAM'),
    'image outside': (lambda r: camera(r).update(img_path='../1.png'), 'CAM_BACK.img_path', r'without \.\.'),
    'image of the machine': (lambda r: camera(r).update(img_path='/dev/zero'), 'CAM_BACK.img_path', 'relative'),
    'focal length': (lambda r: camera(r)['cam2img'][0].__setitem__(0, -40.0), 'CAM_BACK.cam2img', 'positive focal'),
    'centre': (lambda r: camera(r)['cam2img'][1].__setitem__(2, 0.0), 'CAM_BACK.cam2img', 'centre'),
    'NaN in a camera': (lambda r: camera(r)['lidar2cam'][1].__setitem__(3, math.nan), 'CAM_BACK.lidar2cam', 'finite'),
    'camera far away': (lambda r: camera(r)['lidar2cam'][1].__setitem__(3, 300.0), 'CAM_BACK.lidar2cam', '100 m'),
    'last row': (lambda r: camera(r)['lidar2cam'][3].__setitem__(0, 0.5), 'CAM_BACK.lidar2cam', 'rigid'),
    'points outside': (lambda r: r['lidar_points'].update(lidar_path='a/../../b'), 'lidar_points.lidar_path', 'below'),
    'point features': (lambda r: r['lidar_points'].update(num_pts_feats=0), 'lidar_points.num_pts_feats', '3 to 32'),
    'no lidar': (lambda r: r.pop('lidar_points'), 'lidar_points', 'a dict, found none'),
    'sweep outside': (
        lambda r: r['lidar_sweeps'][0]['lidar_points'].update(lidar_path='sweeps/..'),
        'lidar_sweeps.0.lidar_points.lidar_path', 'a path to a file',
    ),
    'sweep of another day': (lambda r: r['lidar_sweeps'][0].update(timestamp=1.0), 'sweeps.0.timestamp', 'before'),
    'sweep as text': (lambda r: r['lidar_sweeps'].append('x'), 'lidar_sweeps.1', "a dict, found 'x'"),
    'box without width': (lambda r: r['instances'][1]['bbox_3d'].__setitem__(4, 0.0), 'instances.1.bbox_3d', 'above 0'),
    'box far away': (lambda r: r['instances'][1]['bbox_3d'].__setitem__(0, 1e30), 'instances.1.bbox_3d', '1000 m'),
    'box of nine': (lambda r: r['instances'][1]['bbox_3d'].extend((0, 0)), 'instances.1.bbox_3d', 'found 9 numbers'),
    'label': (lambda r: r['instances'][0].update(bbox_label_3d=7), 'instances.0.bbox_label_3d', 'categories'),
    'label as text': (lambda r: r['instances'][0].update(bbox_label_3d='car'), 'instances.0.bbox_label_3d', "'car'"),
    'velocity': (lambda r: r['instances'][0].update(velocity=[1e9, 0]), 'instances.0.velocity', '200'),
    'count': (lambda r: r['instances'][0].update(num_lidar_pts=-1), 'instances.0.num_lidar_pts', 'from 0 on'),
    'flag': (lambda r: r['instances'][0].update(bbox_3d_isvalid='no'), 'instances.0.bbox_3d_isvalid', 'true or false'),
    'category': (
        lambda r: [box.update(category=['car']) for box in r['instances']], 'instances.0.category', 'expected text',
    ),
    'points moved': (
        lambda r: r['lidar_points'].update(points2lidar=scaled(np.eye(4))), 'lidar_points.points2lidar', 'rigid',
    ),
    'odd box': (lambda r: r['instances'][2].update(more=1), 'instances.2', r"\['more'\] unlike the first"),
}  # fmt: skip


@pytest.mark.parametrize('case', WRONG)
def test_what_is_wrong_is_named(toy_records: Records, case: str) -> None:
    change, field, message = WRONG[case]
    infos = infos_of(toy_records)
    change(toy_records[1])
    first = faults_of(infos)[0]
    assert field in first.field
    assert first.sample in ('token-1', 'number 1', 'token-0', '../../x')
    with pytest.raises(ValueError, match=rf'^infos\.pkl: sample .*: .*expected .*{message}|{message}') as refused:
        require_valid(infos, 'infos.pkl')
    assert '\n' not in str(refused.value)


def test_categories_of_nuscenes_have_their_labels(toy_records: Records) -> None:
    (fault,) = faults_of(infos_of(toy_records, categories={'car': 1, 'truck': 1, 'animal': 0}))
    assert str(fault) == 'sample token-0: metainfo.categories.car: expected 0, found 1'
    assert faults_of(infos_of(toy_records, categories={'car': 1, 'truck': 0}, dataset='mine')) == []
    (fault,) = faults_of(infos_of(toy_records, categories={'car': 0, 'truck': 1, 'dog': 2**62}))  # Memory stays small.
    assert fault.expected == 'a name and a label from -1 to below 10000'
    (fault,) = faults_of(infos_of(toy_records, dataset={}, categories=None))
    assert str(fault) == 'sample token-0: metainfo.dataset: expected text, found {}'
    (fault,) = faults_of(infos_of(toy_records, categories=['car']))
    assert fault.expected == 'a dict of labels by name'


def test_cameras_of_other_data_sets_have_any_name_but_all_the_same(toy_records: Records) -> None:
    for record in toy_records:
        record['images'] = {'front': record['images']['CAM_FRONT']}
    assert faults_of(infos_of(toy_records, dataset='mine')) == []
    toy_records[3]['images']['back'] = toy_records[3]['images']['front']
    (fault,) = faults_of(infos_of(toy_records, dataset='mine'))
    assert str(fault) == 'sample token-3: images: expected the cameras front, found with back'


def test_sensors_that_are_not_used_need_not_be_there(toy_records: Records) -> None:
    for record in toy_records:
        del record['lidar_points']['lidar_path'], record['lidar_points']['num_pts_feats']
    infos = infos_of(toy_records)
    assert {fault.kind for fault in faults_of(infos)} == {'missing field'}
    assert faults_of(infos, lidar=False) == []
    for record in toy_records:
        del record['images']
    assert faults_of(infos, cameras=False, lidar=False) == []


def test_faults_are_counted_by_kind(toy_records: Records) -> None:
    infos = infos_of(toy_records)
    for record in toy_records[:3]:
        record['can_bus'] = []
    del toy_records[4]['prev']
    assert [(kind, count, fault.sample) for kind, count, fault in summary(faults_of(infos))] == [
        ('can_bus', 3, 'token-0'), ('missing field', 1, 'token-4'),
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r'\(3 more faults\)\. List all with: bevdistill data check a\.msgpack\.gz;'):
        require_valid(infos, 'a.msgpack.gz')


UNREAD = {'sample_idx', 'cam_instances', 'sample_data_token', 'num_radar_pts'}
"""Fields that no item depends on; of a sweep also its poses, which lie in `lidar2sensor`."""
FREE = {'prev', 'next', 'scene_token', 'img_path', 'lidar_path', 'token'}
"""Any name is as good as another, until the file of that name is looked for."""
JUNK: tuple[Any, ...] = (None, 'x/', math.nan, -math.inf, -1e12, 1e12, {}, [], [[]], b'\0', 2**80, (1, 2))


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything in a record that an item depends on; of numbers in a row the first and the last."""
    if path:
        yield path
    if isinstance(node, dict):
        unread = UNREAD | {'ego2global', 'lidar2ego'} if 'lidar_sweeps' in path else UNREAD
        for key in node:
            if key not in unread:
                yield from places(node[key], (*path, key))
    elif isinstance(node, list):
        for key in {0, len(node) - 1} if node else ():
            yield from places(node[key], (*path, key))


def test_nearly_every_change_by_chance_is_refused(toy_records: Records) -> None:
    record = toy_records[1]
    record['images'] = {'front': record['images']['CAM_FRONT']}
    infos = infos_of([record], dataset='mine')
    taken, total = [], 0
    for number, path in enumerate(places(record)):
        holder: Any = record
        for key in path[:-1]:
            holder = holder[key]
        for junk in JUNK[number % 3 :: 3]:
            before, holder[path[-1]] = holder[path[-1]], deepcopy(junk)
            total += 1
            if not faults_of(infos) and not (path[-1] in FREE and isinstance(junk, str)):
                taken.append((path, junk))
            holder[path[-1]] = before
    assert total > 300
    # A velocity may be NaN, a record may have no sweeps, no boxes, and any cameras.
    kinds = {'velocity' if 'velocity' in path else path[-1] for path, _ in taken}
    assert kinds <= {'velocity', 'lidar_sweeps', 'instances'}
    assert len(taken) <= 0.02 * total
