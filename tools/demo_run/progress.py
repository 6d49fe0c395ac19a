"""How far a running command is, read from what it prints; how long everything will still take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MMENGINE = re.compile(
    r'(?P<unit>Epoch|Iter)\((?P<mode>train|val|test)\)\s*(?:\[(?P<epoch>\d+)\])?\[\s*(?P<done>\d+)/\s*(?P<total>\d+)\]'
)
_ETA = re.compile(r'eta:\s*(?:(?P<days>\d+) days?, )?(?P<clock>\d+:\d\d:\d\d)', re.IGNORECASE)
_LOSS = re.compile(r'\bloss: (?P<loss>[-+.\deE]+|nan|inf)')
_TQDM = re.compile(r'(?P<done>\d+)/(?P<total>\d+) \[(?P<spent>[\d:]+)<(?P<left>[\d:]+|\?)')
_TRACKER = re.compile(r'\]\s+(?P<done>\d+)/(?P<total>\d+),.*ETA:\s*(?P<left>\d+)s')


@dataclass
class Progress:
    """State of one command: fraction done, seconds left and a word on it; None where unknown."""

    fraction: float | None = None
    seconds_left: float | None = None
    detail: str = ''


def clock_seconds(text: str) -> float:
    """``1:02:03`` or ``02:03`` to seconds."""
    seconds = 0
    for part in text.split(':'):
        seconds = 60 * seconds + int(part)
    return float(seconds)


def parse_line(line: str) -> Progress | None:
    """Progress that a line of output tells of, or None.

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


class Outlook:
    """Expected seconds of all steps, corrected by how fast this machine turns out to be.

    Args:
        expected: Expected seconds of each step.
    """

    def __init__(self, expected: Sequence[float]) -> None:
        self._expected = list(expected)
        self._spent_expected = 0.0
        self._spent = 0.0

    def finished(self, index: int, seconds: float | None) -> None:
        """Note that a step is over; `seconds` is None for one that was skipped."""
        if seconds is not None:
            self._spent += seconds
            self._spent_expected += self._expected[index]
        self._expected[index] = 0.0

    @property
    def pace(self) -> float:
        """Measured over expected seconds so far, within 0.3 and 5."""
        ratio = self._spent / self._spent_expected if self._spent_expected else 1.0
        return min(max(ratio, 0.3), 5.0)

    def step_left(self, index: int, spent: float, progress: Progress) -> float:
        """Seconds left in a running step."""
        if progress.seconds_left is not None:
            return progress.seconds_left
        if progress.fraction:
            return spent / progress.fraction * (1 - progress.fraction)
        # A step that outlasts its expectation is never promised to end at once.
        return max(self._expected[index] * self.pace - spent, 0.2 * spent, 1.0)

    def all_left(self, index: int, step_left: float) -> float:
        """Seconds left in everything, while step `index` runs."""
        return step_left + self.pace * sum(self._expected[index + 1 :])


def readable(seconds: float) -> str:
    """``75`` seconds to ``1 min 15 s``."""
    whole = round(seconds)
    if whole < 60:
        return f'{whole} s'
    if whole < 3600:
        return f'{whole // 60} min {whole % 60:02d} s'
    return f'{whole // 3600} h {whole % 3600 // 60:02d} min'
