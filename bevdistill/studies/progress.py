"""Read from a command's log how far it is, and estimate what is left from the pace that was measured here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_MMENGINE = re.compile(
    r'(?P<unit>Epoch|Iter)\((?P<mode>train|val|test)\)\s*(?:\[(?P<epoch>\d+)\])?\[\s*(?P<done>\d+)/\s*(?P<total>\d+)\]'
)
_ETA = re.compile(r'eta:\s*(?:(?P<days>\d+) days?, )?(?P<clock>\d+:\d\d:\d\d)', re.IGNORECASE)
_LOSS = re.compile(r'\bloss: (?P<loss>[-+.\deE]+|nan|inf)')
_TQDM = re.compile(r'(?P<done>\d+)/(?P<total>\d+) \[(?P<spent>[\d:]+)<(?P<left>[\d:]+|\?)')
_TRACKER = re.compile(r'\]\s+(?P<done>\d+)/(?P<total>\d+),.*ETA:\s*(?P<left>\d+)s')


@dataclass
class Progress:
    """State of one command: fraction done, seconds left by its own account, and a word on it; None where unknown."""

    fraction: float | None = None
    seconds_left: float | None = None
    detail: str = ''


def clock_seconds(text: str) -> float:
    """Turn ``1:02:03`` or ``02:03`` into seconds."""
    seconds = 0
    for part in text.split(':'):
        seconds = 60 * seconds + int(part)
    return float(seconds)


def parse_line(line: str) -> Progress | None:
    """Return the progress that a line of output tells, or None.

    Understands mmengine's training and test lines, tqdm bars and mmengine's task tracker.
    """
    match = _MMENGINE.search(line)
    if match:
        return _parse_mmengine(line, match)
    match = _TQDM.search(line) or _TRACKER.search(line)
    if match is None or int(match['total']) == 0:
        return None
    left = None if match['left'] == '?' else clock_seconds(match['left'])
    return Progress(int(match['done']) / int(match['total']), left, f'{match["done"]}/{match["total"]}')


def _parse_mmengine(line: str, match: re.Match[str]) -> Progress:
    eta = _ETA.search(line)
    left = None if eta is None else clock_seconds(eta['clock']) + 86400 * int(eta['days'] or 0)
    unit = 'iteration' if match['mode'] == 'train' else 'sample batch'
    detail = f'{unit} {match["done"]}/{match["total"]}'
    if match['epoch']:
        detail = f'epoch {match["epoch"]}, {detail}'
    loss = _LOSS.search(line)
    if loss:
        detail += f', loss {float(loss["loss"]):.2f}'
    # A line of an epoch counts within the epoch, while its eta is that of the whole training.
    whole = match['mode'] != 'train' or match['unit'] == 'Iter'
    fraction = int(match['done']) / max(int(match['total']), 1) if whole else None
    return Progress(fraction, left, detail)


class StageWatch:
    """The progress of a running stage, followed in its log.

    Args:
        log: The log; what it holds already belongs to earlier attempts.
        clock: Returns seconds.
    """

    def __init__(self, log: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._read = log.stat().st_size if log.exists() else 0
        self._rest = ''
        self._first: tuple[float, float] | None = None
        self._told: tuple[float, float] | None = None
        self._began = clock()
        self.fraction = 0.0
        self.detail = ''

    def look(self) -> None:
        """Take up what was printed since the last look."""
        if not self._log.exists():
            return
        with self._log.open('rb') as file:
            file.seek(self._read)
            chunk = file.read()
        self._read += len(chunk)
        *lines, self._rest = re.split(r'[\r\n]+', self._rest + chunk.decode(errors='replace'))
        for progress in filter(None, map(parse_line, lines)):
            self.note(progress)

    def note(self, progress: Progress) -> None:
        """Take up one sign of progress."""
        spent, fraction = self.spent, progress.fraction
        if progress.seconds_left is not None:
            self._told = (spent, progress.seconds_left)
            fraction = spent / max(spent + progress.seconds_left, 1e-6) if fraction is None else fraction
        if fraction is None:
            return
        # A second loop in one command, such as a validation, begins anew.
        if self._first is None or fraction < self.fraction:
            self._first = (spent, fraction)
        self.fraction, self.detail = fraction, progress.detail

    @property
    def spent(self) -> float:
        """Seconds since the stage began."""
        return self._clock() - self._began

    def left(self, expected: float | None) -> float | None:
        """Estimate the seconds left in the stage; None where nothing is known.

        The pace is that between the first sign of progress and now: start-up and what an earlier attempt did are not
        in it, and the estimate grows while nothing moves. Before a second sign, and once the last step is printed,
        the command's own estimate or the expected length counts, never less than a tenth of what it took so far.
        """
        spent = self.spent
        if self._first is not None and self._first[1] < self.fraction < 1.0:
            since, done = self._first
            return (spent - since) * (1 - self.fraction) / (self.fraction - done)
        told = None if self._told is None or self.fraction == 1.0 else sum(self._told)
        whole = told if told is not None else expected
        if whole is None and self.fraction < 1.0:
            return None
        return max((whole or 0.0) - spent, 0.1 * spent, 1.0)


def readable(seconds: float) -> str:
    """Turn ``75`` seconds into ``1 min 15 s``."""
    whole = round(seconds)
    if whole < 60:
        return f'{whole} s'
    if whole < 3600:
        return f'{whole // 60} min {whole % 60:02d} s'
    return f'{whole // 3600} h {whole % 3600 // 60:02d} min'
