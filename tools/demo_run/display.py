"""What the screen shows while the demo runs: bars on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Protocol

from .progress import readable

PLAIN_SECONDS = 10.0


class Display(Protocol):
    """A screen: messages, and the state of the whole and of the running step."""

    def say(self, text: str) -> None:
        """Print a message that stays."""

    def begin(self, title: str) -> None:
        """A step starts."""

    def update(self, fraction: float, detail: str, step_left: float, whole_fraction: float, all_left: float) -> None:
        """Show how far the step and the whole are."""

    def close(self) -> None:
        """Leave the screen in order."""


class PlainDisplay:
    """Lines of text, for logs and pipes."""

    def __init__(self) -> None:
        self._title = ''
        self._next = 0.0

    def say(self, text: str) -> None:
        """Print a message."""
        print(text, flush=True)

    def begin(self, title: str) -> None:
        """Start counting the seconds to the next line."""
        self._title = title
        self._next = time.monotonic() + PLAIN_SECONDS

    def update(self, fraction: float, detail: str, step_left: float, whole_fraction: float, all_left: float) -> None:
        """Print a line if the last one is old enough."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + PLAIN_SECONDS
        note = f' ({detail})' if detail else ''
        step = f'    {fraction:4.0%}{note}, {readable(step_left)} left in this step'
        self.say(f'{step}; whole demo {whole_fraction:.0%}, {readable(all_left)} left')

    def close(self) -> None:
        """Nothing to tidy."""


class BarDisplay:
    """Two live bars: the running step and the whole demo."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._console = Console(highlight=False)
        self._bars = Progress(
            TextColumn('{task.description}'),
            BarColumn(bar_width=28),
            TextColumn('{task.percentage:>3.0f} %'),
            TextColumn('{task.fields[left]} left', style='cyan'),
            TextColumn('{task.fields[detail]}', style='dim'),
            console=self._console,
        )
        self._step = self._bars.add_task('this step ', total=1.0, left='?', detail='')
        self._whole = self._bars.add_task('whole demo', total=1.0, left='?', detail='')
        self._bars.start()

    def say(self, text: str) -> None:
        """Print a message above the bars."""
        self._console.print(text, markup=False, soft_wrap=True)

    def begin(self, title: str) -> None:
        """Empty the bar of the step."""
        self._bars.update(self._step, completed=0, left='?', detail='')

    def update(self, fraction: float, detail: str, step_left: float, whole_fraction: float, all_left: float) -> None:
        """Move both bars."""
        self._bars.update(self._step, completed=fraction, left=readable(step_left), detail=detail)
        self._bars.update(self._whole, completed=whole_fraction, left=readable(all_left))

    def close(self) -> None:
        """Take the bars off the screen."""
        self._bars.stop()


def make_display() -> Display:
    """Bars on a terminal, lines elsewhere."""
    return BarDisplay() if sys.stdout.isatty() else PlainDisplay()
