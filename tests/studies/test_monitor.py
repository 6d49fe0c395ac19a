"""What a running study says: states, lines, and the time left, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from study_folder import StudyFolder

from bevdistill.studies.graph import Job
from bevdistill.studies.monitor import Monitor, expected_seconds, seconds_left


def job(name: str, row: str, minutes: float | None = None, needs: tuple[str, ...] = ()) -> Job:
    return Job(name, 'run', list(needs), 'x', [], row=row, minutes=minutes)


def took(*seconds: float) -> dict[str, Any]:
    return dict(attempts=[dict(stage=stage, wall_s=s) for stage, s in zip(('train', 'test'), seconds, strict=False)])


def test_expected_seconds_by_hand() -> None:
    jobs = {name: job(name, name[0], dict(b=2.0, d=1.0).get(name[0])) for name in ('a0', 'a1', 'b0', 'c0', 'd0')}
    done = {'a0': took(90.0, 10.0)}
    assert expected_seconds(jobs['a1'], done, jobs) == 100.0, 'as its row with another seed'
    assert expected_seconds(jobs['b0'], done, jobs) == 120.0, 'as the file says'
    assert expected_seconds(jobs['c0'], done, jobs) == 100.0, 'as others of its kind'
    assert expected_seconds(jobs['c0'], {}, jobs) is None
    # d0 took three times what the file says: this machine is busy.
    assert expected_seconds(jobs['b0'], done | {'d0': took(180.0)}, jobs) == pytest.approx(360.0)


def test_time_left_by_hand() -> None:
    waiting = [job('a1', 'a'), job('b0', 'b'), job('c0', 'c')]
    expected = {'a1': 100.0, 'b0': 120.0, 'c0': None}
    # c0 counts as the mean of the others, 110.
    assert seconds_left(waiting, {}, expected, 1) == pytest.approx(330)
    assert seconds_left(waiting, {}, expected, 2) == pytest.approx(210), 'c0 after a1'
    assert seconds_left(waiting, {}, expected, 8) == pytest.approx(120), 'the longest'
    assert seconds_left(waiting[1:2], {'a1': 40.0}, {'b0': 120.0}, 1) == pytest.approx(160)
    assert seconds_left([job('b0', 'b', needs=('a1',))], {'a1': 40.0}, {'b0': 120.0}, 8) == pytest.approx(160)
    assert seconds_left([], {'a1': 40.0, 'b0': None}, {}, 2) == pytest.approx(40)
    assert seconds_left([job('c0', 'c')], {}, {'c0': None}, 1) is None
    assert seconds_left([], {'a1': None}, {}, 1) is None
    assert seconds_left([], {}, {}, 1) == 0.0


def test_lines_and_summary(study: StudyFolder) -> None:
    plan, names = study.plan('--until', 'student')
    monitor = Monitor(plan, names, cores=1)
    assert monitor.look() == []
    assert monitor.summary() == '0/2 done; nothing running; time left not known yet'

    record = dict(state='running', attempts=[dict(stage='train', wall_s=0.0)])
    plan.folder.write('student_seed0', record)
    log = plan.folder.log('student_seed0', 'train')
    assert monitor.look() == [f'student_seed0: train (log: {log})']
    log.parent.mkdir()
    log.write_text('Iter(train) [1/4]  eta: 0:00:30  loss: 2.5\n')
    assert monitor.look() == []
    (running,) = monitor.running()
    assert (running.name, running.stage, running.fraction) == ('student_seed0', 'train', 0.25)
    assert running.left == pytest.approx(30 + 0.15 * 30, rel=0.05), 'with the test after it'
    assert monitor.summary().startswith('0/2 done; student_seed0 train 25%; about 1 min')

    plan.folder.write('student_seed0', dict(record, state='done', attempts=[dict(stage='train', wall_s=70.0)]))
    plan.folder.write('student_seed1', dict(state='failed', error='train: exit status 3\nthe end'))
    assert monitor.look() == [
        'student_seed0: done in 1 min 10 s', 'student_seed1: failed\n    train: exit status 3\n    the end'
    ]  # fmt: skip
    assert monitor.summary() == '1/2 done, 1 failed; nothing running; about 0 s left'


def test_a_test_is_expected_to_take_what_others_took(study: StudyFolder) -> None:
    plan, names = study.plan('--until', 'student')
    plan.folder.write('student_seed0', dict(state='done', **took(90.0, 10.0)))
    plan.folder.write('student_seed1', dict(state='running', attempts=[dict(stage='test', wall_s=0.0)]))
    monitor = Monitor(plan, names, cores=1)
    monitor.look()
    assert monitor.left() == pytest.approx(10.0, abs=1.0)


def test_on_a_cluster_the_pace_so_far_counts(study: StudyFolder) -> None:
    now = [0.0]
    study.tree['seeds'] = [0, 1, 2, 3]
    plan, names = study.plan('--until', 'student')
    plan.folder.write('student_seed3', dict(state='done', **took(500.0)))
    monitor = Monitor(plan, names, None, lambda: now[0])
    assert monitor.left() is None, 'nothing was made in this session'
    now[0] = 300.0
    plan.folder.write('student_seed0', dict(state='done', **took(100.0)))
    monitor.look()
    # Runs take 300 s on average. 100 s of them were made in 300 s, with the waiting in the queue: 600 s take 1800.
    assert monitor.left() == pytest.approx(1800.0)
