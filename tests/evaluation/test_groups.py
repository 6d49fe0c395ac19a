"""Parts of boxes, by hand."""

from __future__ import annotations

from typing import Any

import pytest
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.detection.data_classes import DetectionBox

from bevdistill.evaluation.groups import distance_bands, named_scenes, of_samples, scene_sets, visibility_levels

SCENES: dict[str, dict[str, Any]] = {
    'a': {'name': 'scene-1', 'description': 'Night, rain'},
    'b': {'name': 'scene-2', 'description': 'Parked cars'},
    'c': {'name': 'scene-2', 'description': 'Parked cars'},
}


def boxes(*rows: tuple[float, str], score: float = -1.0) -> EvalBoxes:
    """Cars of sample 'a' at places and of levels; sample 'b' is empty."""
    found = EvalBoxes()
    found.add_boxes('a', [])
    found.add_boxes('b', [])
    for x, level in rows:
        box = DetectionBox('a', (x, 0, 0), ego_translation=(x, 0, 0), detection_name='car', detection_score=score)
        box.visibility = level
        found.boxes['a'].append(box)
    return found


def places(found: EvalBoxes) -> list[float]:
    assert set(found.sample_tokens) == {'a', 'b'}, 'samples without a box stay'
    return [box.translation[0] for box in found.all]


def test_an_edge_belongs_to_the_farther_band() -> None:
    bands = list(distance_bands(boxes((3, '1'), (10, '1'), (20, '1')), boxes((9, ''), (31, '')), [0, 10, 20]))
    assert [band.name for band in bands] == ['0 to 10 m', '10 to 20 m']
    assert [places(band.truth) for band in bands] == [[3], [10]]
    assert [places(band.predicted) for band in bands] == [[9], []]


def test_predictions_of_objects_of_another_visibility_do_not_count() -> None:
    """The prediction at 10 finds the object of level 4, the one at 60 nothing."""
    levels = {group.name: group for group in visibility_levels(
        boxes((10, '4'), (30, '1')), boxes((11, ''), (30, ''), (60, ''), score=0.5)
    )}  # fmt: skip
    assert places(levels['80 to 100 %'].truth) == [10] and places(levels['80 to 100 %'].predicted) == [11, 60]
    assert places(levels['0 to 40 %'].truth) == [30] and places(levels['0 to 40 %'].predicted) == [30, 60]
    assert places(levels['40 to 60 %'].truth) == [] and places(levels['40 to 60 %'].predicted) == [60]


def test_samples_by_description_and_by_scene() -> None:
    assert scene_sets('light', SCENES) == {'day': {'b', 'c'}, 'night': {'a'}}
    assert scene_sets('weather', SCENES) == {'dry': {'b', 'c'}, 'rain': {'a'}}
    assert named_scenes(['x=scene-1,scene-2', 'scene-2'], SCENES) == {'x': {'a', 'b', 'c'}, 'scene-2': {'b', 'c'}}
    group = of_samples('scenes', 'x', boxes((1, '')), boxes((2, '')), {'b'})
    assert group.truth.sample_tokens == group.predicted.sample_tokens == ['b']


@pytest.mark.parametrize(('words', 'message'), [
    (['scene-3'], "no predicted sample is of the scene 'scene-3'; scenes with predictions: scene-1, scene-2"),
    (['x='], "'x=': no predicted sample is of the scene"),
    (['x=scene-1', 'x=scene-2'], "two lists of scenes are called 'x'"),
])  # fmt: skip
def test_unknown_scenes_are_named(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        named_scenes(words, SCENES)
