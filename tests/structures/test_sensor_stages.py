"""Which stages of a pipeline run, as a list."""

from __future__ import annotations

from typing import Any

import pytest

from bevdistill.structures.sensor_stages import listed_stages, unused_prefixes

INNER = dict(load=dict(type='L'), colour=None, wrap=dict(type='W', transforms=dict(type='C')))
NAMED: dict[str, Any] = dict(
    images=dict(type='Q', transforms=INNER), points=dict(type='P'), points_flip=None, boxes=dict(type='B'), pack=print
)
QUEUE = dict(type='Q', transforms=[dict(type='L'), dict(type='W', transforms=dict(type='C'))])


@pytest.mark.parametrize(
    ('modality', 'expected'),
    [
        (None, [QUEUE, dict(type='P'), dict(type='B'), print]),
        (dict(use_camera=True, use_lidar=True), [QUEUE, dict(type='P'), dict(type='B'), print]),
        (dict(use_camera=True), [QUEUE, dict(type='B'), print]),
        (dict(use_camera=False, use_lidar=True), [dict(type='P'), dict(type='B'), print]),
        ({}, [dict(type='B'), print]),
    ],
)
def test_stages_of_sensors_that_are_loaded(modality: dict[str, bool] | None, expected: list[Any]) -> None:
    assert listed_stages(NAMED, unused_prefixes(modality)) == expected


def test_a_list_has_no_names_and_nothing_is_changed_in_place() -> None:
    assert listed_stages([None, NAMED['images'], dict(type='P')], ('images', 'points')) == [QUEUE, dict(type='P')]
    assert listed_stages({}) == listed_stages(()) == []
    assert INNER['colour'] is None and NAMED['images']['transforms'] is INNER
