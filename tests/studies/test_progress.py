"""How far a command is, read from its log, and what that says of the time left."""

from __future__ import annotations

from pathlib import Path

import pytest

from bevdistill.studies.progress import Progress, StageWatch, parse_line, readable


@pytest.mark.parametrize(
    ('line', 'fraction', 'left'),
    [
        ('10:26 - mmengine - INFO - Iter(train) [ 50/700]  lr: 1e-03  eta: 0:02:11  time: 0.2  loss: 3', 50 / 700, 131),
        ('INFO - Epoch(train)  [2][ 50/400]  lr: 1e-3  eta: 1 day, 0:00:10  time: 0.2', None, 86410),
        ('INFO - Epoch(test) [ 50/150]    eta: 0:00:05  time: 0.1', 1 / 3, 5),
        ('INFO - Iter(val) [150/150]    mAP: 0.1', 1.0, None),
        ('scenes:  40%|####      | 80/200 [00:10<00:15,  8.00it/s]', 0.4, 15),
        ('  0%|          | 0/200 [00:00<?, ?it/s]', 0.0, None),
        ('[>>>>>      ] 5/150, 10.0 task/s, elapsed: 1s, ETA:    15s', 5 / 150, 15),
    ],
)
def test_progress_of_a_line(line: str, fraction: float | None, left: float | None) -> None:
    progress = parse_line(line)
    assert progress is not None
    assert progress.fraction == (None if fraction is None else pytest.approx(fraction))
    assert progress.seconds_left == left


def test_other_lines_tell_nothing() -> None:
    assert parse_line('Loading checkpoint 1/2') is None
    assert parse_line('') is None


def test_loss_is_shown() -> None:
    progress = parse_line('Iter(train) [ 50/700]  eta: 0:02:11  loss: 3.2541  d0.loss_cls: 1.0')
    assert progress is not None
    assert progress.detail == 'iteration 50/700, loss 3.25'


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_left_follows_the_pace_and_grows_while_nothing_moves(tmp_path: Path) -> None:
    clock = Clock()
    watch = StageWatch(tmp_path / 'none.log', clock)
    clock.now = 20.0  # start-up
    assert watch.left(None) is None
    assert watch.left(100.0) == 80.0
    watch.note(Progress(0.1, 90.0))
    assert watch.left(500.0) == 90.0, "one sign: the command's own estimate"
    clock.now = 40.0
    watch.note(Progress(0.3, 10.0))
    # 0.2 in 20 s, start-up left out: 70 s for the other 0.7, whatever the command says.
    assert watch.left(500.0) == pytest.approx(70.0)
    clock.now = 60.0
    assert watch.left(500.0) == pytest.approx(140.0), 'half the pace when nothing moved for as long again'


def test_a_stage_at_its_last_step_is_not_promised_to_end_at_once(tmp_path: Path) -> None:
    clock = Clock()
    watch = StageWatch(tmp_path / 'none.log', clock)
    watch.note(Progress(0.5, 0.0))
    clock.now = 100.0
    watch.note(Progress(1.0, 0.0))
    assert watch.left(None) == pytest.approx(10.0)
    assert watch.left(130.0) == pytest.approx(30.0)


def test_a_resumed_training_has_the_pace_of_this_attempt(tmp_path: Path) -> None:
    clock = Clock()
    watch = StageWatch(tmp_path / 'none.log', clock)
    clock.now = 10.0
    watch.note(Progress(0.8))
    clock.now = 20.0
    watch.note(Progress(0.9))
    assert watch.left(None) == pytest.approx(10.0)


def test_an_epoch_counts_by_the_eta_of_the_whole(tmp_path: Path) -> None:
    clock = Clock()
    watch = StageWatch(tmp_path / 'none.log', clock)
    clock.now = 25.0
    watch.note(Progress(None, 75.0))
    assert watch.fraction == pytest.approx(0.25)
    watch.note(Progress(None, None))
    assert watch.fraction == pytest.approx(0.25)


def test_a_log_is_read_from_this_attempt_on(tmp_path: Path) -> None:
    log = tmp_path / 'a.log'
    log.write_text('Iter(train) [4/4]\n')
    watch = StageWatch(log)
    watch.look()
    assert watch.fraction == 0.0
    with log.open('a') as file:
        file.write('Iter(train) [1/4]  loss: 2.5\nIter(train) [2/')
    watch.look()
    assert (watch.fraction, watch.detail) == (0.25, 'iteration 1/4, loss 2.50')
    with log.open('a') as file:
        file.write('4]\r')
    watch.look()
    assert watch.fraction == 0.5


def test_readable_times() -> None:
    assert [readable(value) for value in (5.4, 75, 3700)] == ['5 s', '1 min 15 s', '1 h 01 min']
