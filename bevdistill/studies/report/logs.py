"""Read the curves of a run from the logs that mmengine writes in its work dir."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..work_dirs import METRICS, log_lines

Curves = dict[str, dict[float, float]]
Entries = dict[int, dict[str, float]]
DIAGNOSE = 'diagnose/'
"""What the names of distillation diagnostics begin with."""
BOOKKEEPING = ('step', 'iter', 'epoch', 'time', 'data_time')


@dataclass
class Log:
    """Curves of one run.

    Args:
        train: Of each logged term its values by step (iteration).
        val: The same for validations.
        val_unit: What the steps of validations are: ``iteration`` or ``epoch``.
        resumed: First steps of the logs after the first one.
        notes: Lines that could not be read.
    """

    train: Curves = field(default_factory=dict)
    val: Curves = field(default_factory=dict)
    val_unit: str = 'iteration'
    resumed: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def training_folders(work_dir: Path) -> list[Path]:
    """Return the folders ``<time>`` of the trainings in a work dir, oldest first; those of tests hold their result."""
    logs = sorted(file.parents[1] for file in work_dir.glob('*/vis_data/scalars.json'))
    return [folder for folder in logs if not (folder / f'{folder.name}.json').is_file()]


def read_log(work_dir: Path) -> Log:
    """Read all logs of a run, oldest first.

    Where a later one begins again at an earlier step, it counts from there on, as its weights do.
    """
    train: Entries = {}
    val: Entries = {}
    log = Log()
    for folder in training_folders(work_dir):
        ours: tuple[Entries, Entries] = ({}, {})
        for entry in _entries(folder / 'vis_data' / 'scalars.json', log.notes):
            validation = 'loss' not in entry and any(_short(key) in METRICS for key in entry)
            if validation or 'loss' in entry or any(key.startswith(DIAGNOSE) for key in entry):
                if 'loss' in entry and 'epoch' in entry:
                    log.val_unit = 'epoch'
                values = {_short(key) if validation else key: value for key, value in entry.items()}
                kept = {key: value for key, value in values.items() if key not in BOOKKEEPING or key == 'time'}
                ours[validation].setdefault(int(entry['step']), {}).update(kept)
        if train and ours[False]:
            log.resumed.append(min(ours[False]))
        for before, now in ((train, ours[False]), (val, ours[True])):
            for step in [step for step in before if now and step >= min(now)]:
                del before[step]
            before.update(now)
    log.train, log.val = _by_term(train), _by_term(val)
    return log


def _by_term(entries: Entries) -> Curves:
    curves: Curves = {}
    for step in sorted(entries):
        for term, value in entries[step].items():
            curves.setdefault(term, {})[step] = value
    return curves


def _short(key: str) -> str:
    return key.rsplit('/', 1)[-1]


def _entries(file: Path, notes: list[str]) -> Iterator[dict[str, float]]:
    """Yield the numbers of each line that has a step; tell lines that are no JSON objects."""
    broken: list[int] = []
    for place, numbers in log_lines(file):
        if numbers is None:
            broken.append(place)
        elif abs(numbers.get('step', math.nan)) < 2**53:
            yield numbers
    if broken:
        lines = f'line {broken[0]} is' if len(broken) == 1 else f'{len(broken)} lines, the first {broken[0]}, are'
        notes.append(f'{file}: {lines} no JSON object, as a killed run leaves it; left out')
