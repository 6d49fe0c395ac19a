"""Predictions that are not what they should be: each is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bevdistill.evaluation.nuscenes_boxes import read_results

Box = dict[str, Any]


def box() -> Box:
    return dict(
        sample_token='a', translation=[1, 2.0, 3], size=[1, 1, 1], rotation=[1, 0, 0, 0], velocity=[0.0, float('nan')],
        detection_name='car', detection_score=1, attribute_name='',
    )  # fmt: skip


def read(folder: Path, change: Callable[[Box], Any]) -> Box:
    second = box()
    change(second)
    (folder / 'r.json').write_text(json.dumps({'results': {'a': [box(), second], 'b': []}}))
    found: Box = read_results(folder / 'r.json', 2)['a'][1]
    return found


def test_whole_scores_become_floats(tmp_path: Path) -> None:
    assert type(read(tmp_path, lambda b: None)['detection_score']) is float


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda b: b['size'].pop(), r'size: expected 3 finite numbers above 0, metres, found \[1, 1\]'),
        (lambda b: b.update(size=[0, 1, 1]), 'size: '), (lambda b: b.update(size='abc'), 'size: '),
        (lambda b: b.update(translation=[float('nan')] * 3), 'translation: expected 3 finite numbers'),
        (lambda b: b.update(rotation=[0, 0, 0, 0]), 'rotation: expected a quaternion'),
        (lambda b: b.update(velocity=[0, float('inf')]), 'velocity: '),
        (lambda b: b.update(detection_score='high'), 'detection_score: expected a number from 0 to 1, found .high.'),
        (lambda b: b.update(detection_score=3), 'detection_score: '),
        (lambda b: b.update(sample_token='b'), "expected its sample_token .* found 'b' and ''"),
        (lambda b: b.update(attribute_name='flying'), ".* found 'a' and 'flying'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, change: Callable[[Box], Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf'r\.json: sample a, box 1: {message}'):
        read(tmp_path, change)


@pytest.mark.parametrize('content', [b'', b'\xff\xfe', b'[' * 100_000])
def test_what_is_no_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'r.json').write_bytes(content)
    with pytest.raises(ValueError, match=r'r\.json cannot be read as JSON'):
        read_results(tmp_path / 'r.json', 2)
