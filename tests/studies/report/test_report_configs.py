"""Configs as runs leave them: read without running them, compared entry by entry."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from made_up_runs import WriteRun, distilled, made_up_config, steps

from bevdistill.studies.report.configs import (
    ABSENT,
    UnreadableConfigError,
    config_of,
    config_of_test,
    differences,
    read_plain_config,
    settled,
)


def test_both_forms_of_a_written_config_are_read(tmp_path: Path) -> None:
    file = tmp_path / 'config.py'
    file.write_text("a = dict(b=[dict(c=-1.5), (1, None)], d=dict())\ne = {'f': inf, 2: True}\n")
    assert read_plain_config(file) == {'a': {'b': [{'c': -1.5}, (1, None)], 'd': {}}, 'e': {'f': math.inf, 2: True}}


@pytest.mark.parametrize(('text', 'message'), [
    ("a = 1\nb = __import__('os').system('touch hit')", 'line 2: expected plain values, .* found malformed node'),
    ('import os', 'line 1: expected plain values, .* found a statement that is no entry'),
    ('a = dict(1, b=2)', 'line 1: expected plain values'),
    ('a.b = 1', 'line 1: expected plain values, .* found a statement that is no entry'),
    ('a = (', 'expected a config as a run leaves it, found .* was never closed'),
])  # fmt: skip
def test_nothing_in_a_config_is_run(tmp_path: Path, text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path('config.py').write_text(text)
    with pytest.raises(UnreadableConfigError, match=message):
        read_plain_config(Path('config.py'))
    assert not Path('hit').exists()


def test_the_config_of_the_training_and_that_of_the_test(write_run: WriteRun) -> None:
    run = write_run('run', {'a': 1}, [steps(1.0), steps(1.0)], {'NDS': 0.1})
    (run / '20260101_000002/vis_data/config.py').write_text('a = 2')
    assert (config_of(run), config_of_test(run)) == ({'a': 1}, {'a': 2})
    tested = write_run('tested', {'a': 3}, metrics={'NDS': 0.1})
    assert config_of(tested) == config_of_test(tested) == {'a': 3}
    assert config_of(write_run('neither')) == config_of_test(write_run('nor')) == {}


def test_a_student_is_compared_with_the_student_in_a_distiller() -> None:
    plain = made_up_config()
    taught = distilled(plain, dense={'type': 'DenseBEVLoss', 'weight': 1.0})
    taught['model']['student'] = taught['model']['student'] | {'num_queries': 9}
    found = differences({'plain': settled(plain), 'taught': settled(taught)}, 'plain')
    assert found == [
        ('model.losses', [ABSENT, "{'dense': {'type': 'DenseBEVLoss', 'weight': 1.0}}"]),
        ('model.student.num_queries', [ABSENT, '9']),
        ('model.teacher', [ABSENT, "{'type': 'ObjectDGCNN'}"]),
    ]


def test_entries_that_say_nothing_are_left_out() -> None:
    a, b = made_up_config(work_dir='a', helper=1), made_up_config(work_dir='b', helper=2, resume=True, load_from='b/x')
    a['load_from'] = None
    assert differences({'a': settled(a), 'b': settled(b)}, 'a') == []
    assert differences({'a': settled(a), 'b': settled(b | {'resume': False})}, 'a') == [('load_from', ['None', 'b/x'])]


def test_each_is_compared_with_the_base_at_its_own_depth() -> None:
    configs = {
        'a': {'m': {'type': 'A', 'x': 1, 'list': [{'y': 1}, {'y': 2}]}, 'n': (1, 2), 'o': math.nan, 'd.e': {'f': 1}},
        'b': {'m': {'type': 'A', 'x': True, 'list': [{'y': 1}, {'y': 3}]}, 'n': [1, 2], 'o': math.nan, 'd.e': {'f': 2}},
        'c': {'m': {'type': 'C', **{f'k{i}': i for i in range(20)}}, 'n': 'x' * 200, 'o': math.nan},
    }
    found = dict(differences(configs, 'a'))
    assert list(found) == ['d.e', 'd.e.f', 'm', 'm.list.1.y', 'm.x', 'n']
    assert found['m.list.1.y'] == ['2', '3', ABSENT]
    assert found['m.x'] == ['1', 'True', ABSENT]
    assert found['d.e.f'] == ['1', '2', ABSENT]
    assert found['m'][2] == 'C (21 entries)'
    assert found['n'][2].endswith('... (200 characters)') and len(found['n'][2]) < 110
    assert differences({'a': configs['a']}, 'a') == []
