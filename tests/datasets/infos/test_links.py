"""Records that contradict each other: each fault by itself, with what was found and expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bevdistill.datasets.infos.links import Found, relation_faults
from bevdistill.structures.cameras import CAMERAS

Records = list[dict[str, Any]]


def records() -> Records:
    """Two scenes of three and one frames, half a second apart, with poses in both forms and one sweep each."""
    made = []
    for place, (scene, frame) in enumerate((('a', 0), ('a', 1), ('b', 0), ('a', 2))):
        pose = np.eye(4)
        pose[:2, :2], pose[:3, 3] = [[0, -1], [1, 0]], (place, 5, 1)
        made.append(dict(
            token=f'{scene}{frame}', scene_token=scene, frame_idx=frame, timestamp=100 + frame / 2, prev='', next='',
            ego2global=pose.tolist(), ego2global_rotation=[0.5**0.5, 0, 0, 0.5**0.5],
            ego2global_translation=[place, 5, 1], images=dict.fromkeys(CAMERAS),
            lidar_sweeps=[dict(timestamp=99.9 + frame / 2)],
        ))  # fmt: skip
    for first, second in ((0, 1), (1, 3)):
        made[first]['next'], made[second]['prev'] = made[second]['token'], made[first]['token']
    return made


def faults(change: Callable[[Records], Any], metainfo: dict[str, Any] | None = None, **sensors: bool) -> list[Found]:
    made = records()
    change(made)
    return list(relation_faults(made, dict(dataset='nuscenes') if metainfo is None else metainfo, **sensors))


def update(place: int, **changes: Any) -> Callable[[Records], Any]:
    return lambda made: made[place].update(changes)


def test_records_that_agree() -> None:
    assert faults(len) == [] and faults(list.clear, dict(dataset=3)) == []


GROWS = 'more than the frame before it in scene a'
BOTH_WAYS = 'a link both ways'
OWN = 'the cameras ' + ', '.join(sorted(CAMERAS))


def test_a_token_twice() -> None:
    first = faults(update(2, token='a1'))[0]
    assert first == ('token twice', 2, 'token', 'that of record 1', 'a token of its own')


@pytest.mark.parametrize(('change', 'expected'), [
    (update(3, frame_idx=1), ('order', 3, 'frame_idx', '1 after 1', GROWS)),
    (update(1, timestamp=100), ('order', 1, 'timestamp', '100 after 100.0', GROWS)),
    (update(1, next='b0'), ('links', 1, 'next', "a sample of scene 'b'", 'one of its own scene')),
    (update(1, next='a1'),
     ('links', 1, 'next', 'the sample itself', 'its neighbour, or nothing at the end of a scene')),
    (update(0, next=''), ('links', 1, 'prev', "'a0', whose next is ''", BOTH_WAYS)),
    (update(3, prev=''), ('links', 1, 'next', "'a2', whose prev is ''", BOTH_WAYS)),
    (update(3, frame_idx=5), ('links', 1, 'next', 'frame 5 from frame 1', 'the frame beside it')),
    (update(2, images=dict.fromkeys(CAMERAS[1:])), ('cameras', 2, 'images', 'without CAM_FRONT', OWN)),
    (update(2, images=dict.fromkeys((*CAMERAS, 'x', 'a'))), ('cameras', 2, 'images', 'with a, x', OWN)),
    (update(2, images=dict.fromkeys((*CAMERAS[1:], 'x'))),
     ('cameras', 2, 'images', 'without CAM_FRONT and with x', OWN)),
    (update(2, images={}), ('cameras', 2, 'images', f'without {", ".join(sorted(CAMERAS))}', OWN)),
    (update(2, lidar_sweeps=[dict(timestamp=40), dict(timestamp=39.9)]),
     ('order', 2, 'lidar_sweeps.1.timestamp', '60.1 s before its keyframe', 'between -1 and 60 s before')),
    (update(2, lidar_sweeps=[dict(timestamp=101.1)]),
     ('order', 2, 'lidar_sweeps.0.timestamp', '-1.1 s before its keyframe', 'between -1 and 60 s before')),
    (update(2, ego2global_translation=[2, 5.02, 1]),
     ('pose', 2, 'ego2global', '0.02 m and 0 (entries of the rotation) apart',
      'the pose of ego2global_rotation and ego2global_translation')),
    (update(2, ego2global_rotation=[1, 0, 0, 0]),
     ('pose', 2, 'ego2global', '0 m and 1 (entries of the rotation) apart',
      'the pose of ego2global_rotation and ego2global_translation')),
])  # fmt: skip
def test_one_fault_by_itself(change: Callable[[Records], Any], expected: Found) -> None:
    found = faults(change)
    assert expected[:3] in [each[:3] for each in found]
    (fault,) = (each for each in found if each[:3] == expected[:3])
    if fault[0] == 'pose':  # the quaternion of a quarter turn is rounded
        fault = (*fault[:3], fault[3].replace('2.22e-16', '0').replace('1.11e-16', '0'), fault[4])
    assert fault == expected


@pytest.mark.parametrize('change', [
    update(2, ego2global_translation=[2, 5.0099, 1]), update(2, ego2global=None), update(2, ego2global='pose'),
    update(2, timestamp=None), update(2, scene_token=None), update(2, token=3), update(2, prev='of another file'),
    update(2, lidar_sweeps=[None, dict(timestamp='x')]), update(2, lidar_sweeps='x'), update(2, images=None),
    update(0, frame_idx='x'), update(1, frame_idx=True),
])  # fmt: skip
def test_what_is_no_contradiction_is_left_to_the_rules_of_fields(change: Callable[[Records], Any]) -> None:
    assert faults(change) == []


def test_sensors_that_are_not_there_are_not_looked_at() -> None:
    assert faults(update(2, images={}, lidar_sweeps=[dict(timestamp=0)]), cameras=False, lidar=False) == []


def test_other_data_have_the_cameras_that_most_records_have() -> None:
    def rename(made: Records) -> None:
        for record in made:
            record['images'] = dict(left=None, right=None)
        made[2]['images'] = dict(left=None)

    ((*_, found, expected),) = faults(rename, dict(dataset='own'))
    assert (found, expected) == ('without right', 'the cameras left, right')
    first = faults(rename)[0]
    assert first[3] == 'with left, right' and first[4] == 'the cameras', 'nuScenes has none of these'


LABEL = 'a name and a label from -1 to below 10000'


@pytest.mark.parametrize(('metainfo', 'expected'), [
    (dict(dataset=3), ('data set', 'metainfo.dataset', '3', 'text')),
    (dict(version=None), ('data set', 'metainfo.version', 'None', 'text')),
    (dict(categories=['car']), ('categories', 'metainfo.categories', "['car']", 'a dict of labels by name')),
    (dict(categories={'car': -2}), ('categories', 'metainfo.categories.car', '-2', LABEL)),
    (dict(categories={'car': 10000}), ('categories', 'metainfo.categories.car', '10000', LABEL)),
    (dict(categories={'car': True}), ('categories', 'metainfo.categories.car', 'True', LABEL)),
    (dict(categories={3: 0}), ('categories', 'metainfo.categories.3', '0', LABEL)),
    (dict(dataset='nuscenes', categories={'car': 0, 'bus': 4}), ('categories', 'metainfo.categories.bus', '4', '3')),
])  # fmt: skip
def test_descriptions_of_the_data(metainfo: dict[str, Any], expected: tuple[str, str, str, str]) -> None:
    ((kind, place, *rest),) = faults(len, metainfo, cameras=False)
    assert (kind, *rest) == expected and place == 0


def test_labels_of_other_data_are_free() -> None:
    assert faults(len, dict(dataset='own', categories={'bus': 4, 'tram': -1, 'x': 9999})) == []
