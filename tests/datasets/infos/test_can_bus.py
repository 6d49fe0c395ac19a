from __future__ import annotations

import json
from pathlib import Path

import pytest

from bevdistill.datasets.infos.can_bus import CanBusReader


def message(time: int) -> dict[str, object]:
    return {
        'utime': time,
        'pos': [time, 1, 2],
        'orientation': [3, 4, 5, 6],
        'accel': [7, 8, 9],
        'rotation_rate': [10, 11, 12],
        'vel': [13, 14, 15],
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / 'can_bus').mkdir()
    for scene in ('scene-0061', 'scene-0161'):
        messages = [message(time) for time in (100, 120, 140)]
        (tmp_path / 'can_bus' / f'{scene}_pose.json').write_text(json.dumps(messages))
    return tmp_path


@pytest.mark.parametrize(('time', 'used'), [(119, 100), (120, 120), (139, 120), (999, 140), (5, 100)])
def test_last_message_before_the_sample_or_the_first(root: Path, time: int, used: int) -> None:
    record = CanBusReader(root).at('scene-0061', time)
    assert record == [float(v) for v in (used, *range(1, 16), 0, 0)]


@pytest.mark.parametrize('scene', ['scene-0999', 'scene-0161'])
def test_scenes_without_signals_are_zero_and_remembered(root: Path, scene: str) -> None:
    """Scene 161 is one that the devkit lists as having no CAN data."""
    reader = CanBusReader(root)
    assert reader.at(scene, 120) == [0.0] * 18
    assert reader.scenes_without == {scene}
    assert reader.at('scene-0061', 120)[0] == 120
    assert reader.available


@pytest.mark.parametrize('root_given', [True, False])
def test_no_folder(tmp_path: Path, root_given: bool) -> None:
    reader = CanBusReader(tmp_path if root_given else None)
    assert not reader.available
    assert reader.at('scene-0061', 120) == [0.0] * 18


@pytest.mark.parametrize(
    ('content', 'found'),
    [
        ('[{"utime": 1', 'expected a list of messages as JSON'),
        ('{"utime": 1}', 'expected a list of messages, found'),
        ('[1]', 'message 0: expected a dict of signals, found 1'),
        (json.dumps([message(100), {**message(120), 'vel': [1, 2]}]), 'message 1: vel: expected 3 finite numbers'),
        (json.dumps([{**message(100), 'pos': ['a', 1, 2]}]), 'message 0: pos: expected 3 finite numbers'),
        (json.dumps([{**message(100), 'accel': [float('nan'), 1, 2]}]), 'message 0: accel: .*1 not finite'),
        (json.dumps([message(100), message(90)]), 'message 1: utime: expected microseconds from 100 on, found 90'),
        (json.dumps([{**message(100), 'utime': '100'}]), "message 0: utime: .* found '100'"),
    ],
)
def test_a_malformed_file_is_told_with_its_place(root: Path, content: str, found: str) -> None:
    (root / 'can_bus' / 'scene-0061_pose.json').write_text(content)
    with pytest.raises(ValueError, match=f'scene-0061_pose.json: {found}.*again'):
        CanBusReader(root).at('scene-0061', 120)
