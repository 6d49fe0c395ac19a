"""Show a running study: live bars on a terminal, a line now and then in a file."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from ..for_people import counted
from .monitor import Monitor
from .progress import readable


class Lines:
    """Lines of text for logs and pipes.

    Args:
        every: Seconds between two lines on the state.
    """

    def __init__(self, every: float) -> None:
        self._every, self._last = every, time.monotonic()

    def say(self, text: str) -> None:
        """Print a message."""
        print(text, flush=True)

    def show(self, monitor: Monitor) -> None:
        """Print a line if the last one is old enough."""
        if time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            self.say(f'[{time.strftime("%H:%M")}] {monitor.summary()}')


class Bars:
    """A live bar for each running job and one for the whole study."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        columns = ('{task.description}', '{task.percentage:>3.0f} %', '{task.fields[left]}', '{task.fields[detail]}')
        first, *rest = map(TextColumn, columns)
        self.bars = Progress(first, BarColumn(bar_width=28), *rest)
        self._whole = self.bars.add_task('study', total=1.0, left='', detail='')
        self._tasks: dict[str, int] = {}

    def say(self, text: str) -> None:
        """Print a message above the bars."""
        self.bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, monitor: Monitor) -> None:
        """Move the bars."""
        entries = {entry.name: entry for entry in monitor.running()}
        for name in self._tasks.keys() - entries.keys():
            self.bars.remove_task(self._tasks.pop(name))  # type: ignore[arg-type]
        for name, entry in entries.items():
            if name not in self._tasks:
                self._tasks[name] = self.bars.add_task(name, total=1.0, left='', detail='')
            self.bars.update(
                self._tasks[name], description=f'{name} {entry.stage}', completed=entry.fraction,  # type: ignore[arg-type]
                left=_left(entry.left), detail=entry.detail,
            )  # fmt: skip
        done = sum(state == 'done' for state in monitor.states.values())
        detail = f'{done}/{counted(len(monitor.names), "job")}'
        whole = (done + sum(entry.fraction for entry in entries.values()) / 2) / len(monitor.names)
        self.bars.update(self._whole, completed=whole, left=_left(monitor.left()), detail=detail)


def _left(seconds: float | None) -> str:
    return '' if seconds is None else f'{readable(seconds)} left'


@contextlib.contextmanager
def open_screen(every: float) -> Iterator[Lines | Bars]:
    """Open live bars on a terminal, plain lines elsewhere."""
    if not sys.stdout.isatty():
        yield Lines(every)
        return
    screen = Bars()
    with screen.bars:
        yield screen
