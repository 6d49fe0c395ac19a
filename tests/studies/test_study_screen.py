"""What is shown of a running study: lines now and then in a file, bars on a terminal."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from study_folder import StudyFolder

from bevdistill.studies import screen as screens
from bevdistill.studies.monitor import Monitor
from bevdistill.studies.screen import Bars, Lines, open_screen


class Shown:
    """A monitor of four jobs, of which one is done and two are running."""

    names = ['a', 'b', 'c', 'd']

    def __init__(self) -> None:
        self.states = dict(a='done', b='running', c='running', d='waiting')
        self.seconds: float | None = 90.0
        self.entries = {
            'b': SimpleNamespace(name='b', stage='train', fraction=0.5, left=61.0, detail='iteration 2/4'),
            'c': SimpleNamespace(name='c', stage='test', fraction=0.25, left=None, detail=''),
        }

    def running(self) -> list[Any]:
        return list(self.entries.values())

    def left(self) -> float | None:
        return self.seconds

    def summary(self) -> str:
        return '1/4 done'


def test_lines_come_at_most_so_often(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every 60 s from the start on, each counted from the line before; what is said is said at once."""
    now = [1000.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], strftime=lambda form: '10:30')
    monkeypatch.setattr(screens, 'time', clock)
    lines, shown = Lines(every=60.0), []
    for now[0] in (1000.0, 1059.9, 1060.0, 1119.0, 1121.0, 1180.0, 1181.0):
        lines.show(Shown())
        shown.append(capsys.readouterr().out)
    line = '[10:30] 1/4 done\n'
    assert shown == ['', '', line, '', line, '', line]
    lines.say('b: failed [0]')
    assert capsys.readouterr().out == 'b: failed [0]\n'


def tasks(bars: Bars) -> dict[str, tuple[float, str, str]]:
    return {
        task.description: (task.completed, task.fields['left'], task.fields['detail']) for task in bars.bars.tasks
    }


def test_bars_of_running_jobs_by_hand() -> None:
    """A running job counts as half of what it has done: it is trained, then tested."""
    monitor, bars = Shown(), Bars()
    assert tasks(bars) == {'study': (0, '', '')}
    bars.show(monitor)
    assert tasks(bars) == {
        'study': ((1 + 0.75 / 2) / 4, '1 min 30 s left', '1/4 jobs'),
        'b train': (0.5, '1 min 01 s left', 'iteration 2/4'), 'c test': (0.25, '', ''),
    }  # fmt: skip
    assert {task.total for task in bars.bars.tasks} == {1.0}
    del monitor.entries['b']
    monitor.states.update(b='failed', c='done')
    monitor.entries['c'].stage, monitor.seconds = 'train', None
    monitor.entries['d'] = SimpleNamespace(name='d', stage='train', fraction=1.0, left=0.0, detail='end')
    bars.show(monitor)
    assert tasks(bars) == {
        'study': ((2 + 1.25 / 2) / 4, '', '2/4 jobs'), 'c train': (0.25, '', ''), 'd train': (1, '0 s left', 'end'),
    }  # fmt: skip


def test_bars_are_drawn_with_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    bars = Bars()
    bars.show(Shown())
    bars.bars.console.width = 160
    bars.bars.console.print(bars.bars)
    bars.say('b: failed [bold] /log')
    text = capsys.readouterr().out
    assert re.search(r'study +\S+ +34 % +1 min 30 s left +1/4 jobs', text)
    assert re.search(r'b train +\S+ +50 % +1 min 01 s left +iteration 2/4', text)
    assert text.endswith('b: failed [bold] /log\n'), 'no markup'


def test_bars_on_a_terminal(study: StudyFolder) -> None:
    plan, names = study.plan('--until', 'student')
    plan.folder.write('student_seed0', dict(state='running', attempts=[dict(stage='train', wall_s=0.0)]))
    monitor = Monitor(plan, names, cores=1)
    monitor.look()
    log = plan.folder.log('student_seed0', 'train')
    log.parent.mkdir()
    log.write_text('Iter(train) [1/4]  eta: 0:00:30  loss: 2.5\n')
    monitor.look()
    bars = Bars()
    bars.show(monitor)
    whole, job = bars.bars.tasks
    assert (job.description, job.completed, job.fields['detail']) == (
        'student_seed0 train', 0.25, 'iteration 1/4, loss 2.50'
    )  # fmt: skip
    assert job.fields['left'].endswith('s left')
    assert (whole.fields['detail'], whole.completed) == ('0/2 jobs', 0.0625)
    plan.folder.write('student_seed0', dict(state='done', attempts=[dict(stage='train', wall_s=70.0)]))
    monitor.look()
    bars.show(monitor)
    assert [task.description for task in bars.bars.tasks] == ['study']
    assert bars.bars.tasks[0].completed == 0.5


def test_a_file_gets_lines_and_a_terminal_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_screen(60.0) as screen:
        assert isinstance(screen, Lines), 'pytest captures into a file'
    terminal = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(screens, 'sys', terminal)
    with open_screen(60.0) as screen:
        assert type(screen).__name__ == 'Bars'
        screen.say('[not] markup')
