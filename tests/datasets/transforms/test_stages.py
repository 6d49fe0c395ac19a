from __future__ import annotations

from typing import Any

import pytest

from bevdistill.datasets import LoadLidarPoints, build_stages
from bevdistill.datasets.transforms import build_camera_stages


def test_names_keep_their_order_and_none_is_left_out() -> None:
    marker = lambda results: results  # noqa: E731
    stages = build_stages({'points': {'type': 'LoadLidarPoints'}, 'gone': None, 'own': marker})
    assert isinstance(stages[0], LoadLidarPoints)
    assert stages[1:] == [marker]


def test_skipped_prefixes() -> None:
    pipeline = {'points': {'type': 'LoadLidarPoints'}, 'points_sweeps': {'type': 'LoadLidarSweeps'}, 'own': len}
    assert build_stages(pipeline, skip=['points']) == [len]
    assert len(build_stages(pipeline, skip=['images'])) == 3


def test_lists_are_built_whole() -> None:
    assert len(build_stages([{'type': 'LoadLidarPoints'}, len], skip=['points'])) == 2


def test_an_override_of_a_stage_that_is_not_there() -> None:
    with pytest.raises(TypeError, match=r"stage 'point_sweeps' of the pipeline has no type: \{'sweeps_num': 2\}"):
        build_stages({'point_sweeps': {'sweeps_num': 2}})


def test_nonsense() -> None:
    with pytest.raises(TypeError, match=r"stage 'a' .* got 3"):
        build_stages({'a': 3})


NAMED = dict(load=dict(type='LoadCameraImages'), photometric=None, resize=dict(type='ResizeCropCameras', scale=0.5))


@pytest.mark.parametrize(
    'pipeline',
    [
        dict(images=dict(type='ImageQueue', transforms=NAMED), points=dict(type='LoadLidarPoints')),
        [dict(type='LoadLidarPoints'), dict(type='ImageQueue', transforms=[*NAMED.values()][::2])],
        [None, len, dict(type='ImageQueue', transforms=NAMED)],
    ],
    ids=['names', 'list', 'both'],
)
def test_what_follows_the_loader_of_images(pipeline: Any) -> None:
    (stage,) = build_camera_stages(pipeline)
    assert repr(stage) == 'ResizeCropCameras(scale=0.5, size=None, crop=None)'
    assert [build_camera_stages(none) for none in (None, {}, [], dict(images=None))] == [[], [], [], []]
