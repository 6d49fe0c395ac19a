"""Find records that contradict each other or themselves: times, links, poses, names of cameras and categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...structures.cameras import CAMERAS
from ..ego_pose import rotation_matrix
from .names import CATEGORIES
from .rules import POSE, POSITION, QUATERNION, shown

Found = tuple[str, int, str, str, str]
"""Kind of fault, position of the record, field, what was found, what was expected."""
Records = list[dict[str, Any]]

MOST_LABELS = 10_000
LAG = (-1.0, 60.0)
"""Seconds by which a sweep may be older than its keyframe."""
SAME_POSE = 1e-2
"""Metres, and entries of a rotation, by which two forms of one pose may differ."""


def relation_faults(
    records: Records, metainfo: Mapping[str, Any], cameras: bool = True, lidar: bool = True
) -> Iterator[Found]:
    """Yield what contradicts itself between fields that are right by themselves."""
    yield from category_faults(metainfo) if records else ()
    yield from token_faults(records)
    yield from order_faults(records)
    yield from link_faults(records)
    yield from pose_faults(records)
    if cameras:
        yield from camera_faults(records, metainfo)
    if lidar:
        yield from sweep_faults(records)


def category_faults(metainfo: Mapping[str, Any]) -> Iterator[Found]:
    """The data set is named; categories are names with labels, nuScenes' own those of mmdet3d's order."""
    for field in ('dataset', 'version'):
        if not isinstance(metainfo.get(field, ''), str):
            yield 'data set', 0, f'metainfo.{field}', shown(metainfo[field]), 'text'
    categories = metainfo.get('categories')
    if categories is None:
        return
    if not isinstance(categories, dict):
        yield 'categories', 0, 'metainfo.categories', shown(categories), 'a dict of labels by name'
        return
    for name, label in categories.items():
        if not isinstance(name, str) or type(label) is not int or not -1 <= label < MOST_LABELS:
            expected = f'a name and a label from -1 to below {MOST_LABELS}'
            yield 'categories', 0, f'metainfo.categories.{name}', shown(label), expected
        elif metainfo.get('dataset') == 'nuscenes' and name in CATEGORIES and label != CATEGORIES.index(name):
            yield 'categories', 0, f'metainfo.categories.{name}', shown(label), f'{CATEGORIES.index(name)}'


def token_faults(records: Records) -> Iterator[Found]:
    """Tokens are unique."""
    seen: dict[str, int] = {}
    for i, record in enumerate(records):
        token = record.get('token')
        if isinstance(token, str) and seen.setdefault(token, i) != i:
            yield 'token twice', i, 'token', f'that of record {seen[token]}', 'a token of its own'


def order_faults(records: Records) -> Iterator[Found]:
    """Within a scene, frame numbers and times grow."""
    last: dict[str, dict[str, Any]] = {}
    for i, record in enumerate(records):
        scene = record.get('scene_token')
        if not isinstance(scene, str):
            continue
        before = last.get(scene)
        for field in ('frame_idx', 'timestamp'):
            values = record.get(field), before.get(field) if before is not None else None
            if all(isinstance(value, int | float) for value in values) and values[0] <= values[1]:  # type: ignore[operator]
                found = f'{values[0]!r} after {values[1]!r}'
                yield 'order', i, field, found, f'more than the frame before it in scene {scene}'
        last[scene] = record


def link_faults(records: Records) -> Iterator[Found]:
    """Where ``prev`` or ``next`` names a sample of the file, that is the neighbour and links back."""
    place = {record['token']: i for i, record in enumerate(records) if isinstance(record.get('token'), str)}
    for i, record in enumerate(records):
        for field, back, step in (('prev', 'next', -1), ('next', 'prev', 1)):
            token = record.get(field)
            if not isinstance(token, str) or token not in place:
                continue
            other = records[place[token]]
            if place[token] == i:
                yield 'links', i, field, 'the sample itself', 'its neighbour, or nothing at the end of a scene'
            elif other.get('scene_token') != record.get('scene_token'):
                yield 'links', i, field, f'a sample of scene {shown(other.get("scene_token"))}', 'one of its own scene'
            elif other.get(back) != record.get('token'):
                yield 'links', i, field, f'{shown(token)}, whose {back} is {shown(other.get(back))}', 'a link both ways'
            elif _differ(other, record) not in (None, step):
                found = f'frame {other["frame_idx"]} from frame {record["frame_idx"]}'
                yield 'links', i, field, found, 'the frame beside it'


def _differ(other: Mapping[str, Any], record: Mapping[str, Any]) -> int | None:
    numbers = other.get('frame_idx'), record.get('frame_idx')
    return numbers[0] - numbers[1] if all(type(number) is int for number in numbers) else None  # type: ignore[operator]


def pose_faults(records: Records) -> Iterator[Found]:
    """``ego2global`` says what ``ego2global_rotation`` and ``ego2global_translation`` say."""
    fields = {'ego2global': POSE, 'ego2global_rotation': QUATERNION, 'ego2global_translation': POSITION}
    whole = [i for i, record in enumerate(records) if all(record.get(name) is not None for name in fields)]
    for name, rule in fields.items():
        holds = rule.holds([records[i][name] for i in whole])
        whole = [i for i, right in zip(whole, holds, strict=True) if right]
    if not whole:
        return
    poses, rotations, positions = (np.array([records[i][name] for i in whole], dtype=np.float64) for name in fields)
    turned = np.abs(poses[:, :3, :3] - rotation_matrix(rotations)).max(axis=(1, 2))
    moved = np.abs(poses[:, :3, 3] - positions).max(axis=1)
    # Files in float32 know a position of 1e6 m to 6 cm.
    for k in ((turned > SAME_POSE) | (moved > SAME_POSE + 1e-6 * np.abs(positions).max(axis=1))).nonzero()[0]:
        found = f'{moved[k]:.3g} m and {turned[k]:.3g} (entries of the rotation) apart'
        yield 'pose', whole[k], 'ego2global', found, 'the pose of ego2global_rotation and ego2global_translation'


def camera_faults(records: Records, metainfo: Mapping[str, Any]) -> Iterator[Found]:
    """All records have the cameras that most have, and nuScenes none but its own."""
    names = [set(record['images']) if isinstance(record.get('images'), dict) else None for record in records]
    common = Counter(frozenset(found) for found in names if found).most_common(1)
    known = set(common[0][0]) if common else set(CAMERAS)
    if metainfo.get('dataset') == 'nuscenes':
        known &= set(CAMERAS)
    for i, found in enumerate(names):
        if found is None or (found and found == known):
            continue
        lacks, other = sorted(known - found), sorted(map(str, found - known))
        text = ' and '.join(
            f'{word} {", ".join(part)}' for word, part in (('without', lacks), ('with', other)) if part
        )
        yield 'cameras', i, 'images', text or 'none', f'the cameras {", ".join(sorted(known))}'.rstrip()


def sweep_faults(records: Records) -> Iterator[Found]:
    """Sweeps are from about the time of their keyframe."""
    for i, record in enumerate(records):
        sweeps, now = record.get('lidar_sweeps'), record.get('timestamp')
        if not isinstance(sweeps, list) or not isinstance(now, int | float):
            continue
        for k, sweep in enumerate(sweeps):
            then = sweep.get('timestamp') if isinstance(sweep, dict) else None
            if isinstance(then, int | float) and not LAG[0] <= now - then <= LAG[1]:
                found = f'{now - then:.6g} s before its keyframe'
                yield 'order', i, f'lidar_sweeps.{k}.timestamp', found, f'between {LAG[0]:g} and {LAG[1]:g} s before'
