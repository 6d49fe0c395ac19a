"""Read test results and training seconds from the work dir of a run."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from ..json_file import read_json_object
from .manifest import LARGEST, is_number

METRICS = ('NDS', 'mAP', 'mATE', 'mASE', 'mAOE', 'mAVE', 'mAAE')
ERRORS = tuple(name for name in METRICS if name.endswith('E'))
"""Metrics of which less is better."""
TESTED = 'tested.json'
SEED_ENDING = re.compile(r'[_-]seed[_-]?(\d+)$')


def read_all_metrics(path: Path) -> dict[str, float]:
    """Read all numbers of a file that mmengine wrote after a test, by the last part of their name.

    ``NuScenes metric/pred_instances_3d_NuScenes/NDS`` becomes ``NDS``; a name that occurs twice keeps its whole form.

    Raises:
        ValueError: If it is damaged.
    """
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict):
        raise ValueError(f'{path}: expected metrics by name, found a {type(content).__name__}')
    found = {key: value for key, value in content.items() if type(value) in (int, float)}
    strange = [key for key, value in found.items() if not is_number(value)]
    if strange:
        number = str(found[strange[0]])[:20]
        raise ValueError(f'{path}: {strange[0]}: expected a number below {LARGEST:g}, found {number}')
    found = {key: float(value) for key, value in found.items()}
    short = [key.rsplit('/', 1)[-1] for key in found]
    return {
        name if short.count(name) == 1 else key: value for name, (key, value) in zip(short, found.items(), strict=True)
    }


def find_test(work_dir: Path, known: Collection[Path] = ()) -> Path:
    """Find the newest result of a test in a work dir, where mmengine writes ``<time>/<time>.json``.

    Args:
        work_dir: The work dir.
        known: Files that do not count, since they were there before.

    Raises:
        FileNotFoundError: If there is none; says which command makes one.
    """
    if work_dir.is_dir():
        os.listdir(work_dir)  # An error, where it may not be read; below that would be a folder without files.
    for path in sorted(work_dir.glob('*/*.json'), reverse=True):
        if path.stem != path.parent.name or path in known:
            continue
        try:
            if read_all_metrics(path):
                return path
        except ValueError:
            continue
    if not work_dir.is_dir():
        found = 'a file; manifests of studies are compared with one another' if work_dir.exists() else 'nothing'
        raise FileNotFoundError(f'{work_dir}: expected a work dir, found {found}')
    raise FileNotFoundError(
        f'no test result in {work_dir}; make one with: '
        f'tools/test.py CONFIG CHECKPOINT --work-dir {shlex.quote(str(work_dir))}'
    )


def read_metrics(work_dir: Path) -> tuple[dict[str, float], str]:
    """Read the metrics of the newest test in a work dir, or else those of the last validation of its training.

    Returns:
        The metrics, and what they are of where that is not a checkpoint of the work dir itself: one tested from
        elsewhere, with the first digits of its SHA-256, or a validation.

    Raises:
        FileNotFoundError: If the work dir holds neither with a metric of nuScenes.
    """
    known: list[Path] = []
    while True:
        try:
            path = find_test(work_dir, known)
        except FileNotFoundError:
            metrics = read_last_validation(work_dir)
            if not metrics:
                raise
            return metrics, 'the last validation of its training'
        metrics = read_all_metrics(path)
        if set(METRICS) & set(metrics):
            return metrics, read_origin(path.with_name(TESTED), work_dir)
        known.append(path)


def read_last_validation(work_dir: Path) -> dict[str, float]:
    """Read the metrics of the last validation in a work dir; none if there is none."""
    found: dict[str, float] = {}
    for logged in read_log(work_dir):
        entry = {key.rsplit('/', 1)[-1]: value for key, value in logged.items()}
        if set(METRICS) & set(entry):
            found = {key: value for key, value in entry.items() if key not in ('step', 'time', 'data_time')}
    return found


def read_log(work_dir: Path) -> Iterator[dict[str, float]]:
    """Yield the numbers of each line that a run has logged; what is no line of numbers is left out.

    A run that was killed leaves half a line.
    """
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        yield from (numbers for _, numbers in log_lines(path) if numbers is not None)


def log_lines(file: Path) -> Iterator[tuple[int, dict[str, float] | None]]:
    """Yield, of each line of a log, its place from 1 on and its numbers; None where it is no JSON object.

    Whole numbers beyond 2^53 are no floats, and no numbers that a training logs: they are left out.
    """
    for place, line in enumerate(file.read_text(errors='replace').splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        yield place, None if not isinstance(entry, dict) else {
            key: float(value) for key, value in entry.items()
            if isinstance(value, float) or (type(value) is int and abs(value) < 2**53)
        }  # fmt: skip


def read_origin(tested: Path, work_dir: Path) -> str:
    """Say which checkpoint a test was of, unless it lies in the work dir or is not known."""
    if not tested.is_file():
        return ''
    facts = read_json_object(tested, 'checkpoint', 'sha256', advice='Test the checkpoint again')
    checkpoint = Path(str(facts['checkpoint']))
    if checkpoint.parent.resolve() == work_dir.resolve():
        return ''
    return f'{checkpoint} (SHA-256 {str(facts["sha256"])[:12]})' if facts['sha256'] else str(checkpoint)


def read_training_seconds(work_dir: Path) -> float:
    """Sum the seconds of training in a work dir: logged seconds per iteration times iterations; NaN without a log.

    A resumed run has several logs; where they overlap the newest counts, as its weights do.
    """
    logged = (entry for entry in read_log(work_dir) if entry.keys() >= {'time', 'loss', 'step'})
    seconds_at = {int(entry['step']): entry['time'] for entry in logged}
    if not seconds_at:
        return math.nan
    steps = sorted(seconds_at)
    return sum(seconds_at[step] * (step - before) for before, step in zip([0, *steps], steps, strict=False))


def split_seed(name: str) -> tuple[str, int | None]:
    """Split ``student_seed2`` into ``('student', 2)``; the seed is None where there is none."""
    match = SEED_ENDING.search(name)
    return (name[: match.start()], int(match.group(1))) if match else (name, None)


def readable(name: str) -> str:
    """Return a file name as text: bytes that are none are escaped."""
    return name.encode(errors='backslashreplace').decode()


def telling_names(paths: Collection[Path]) -> dict[Path, str]:
    """Name each folder by as many of its last parts as tell it from the others.

    Raises:
        ValueError: If one is named twice.
    """
    parts = {path: Path(os.path.abspath(path)).parts[1:] for path in paths}
    longest = max(map(len, parts.values()), default=0)
    for count in range(1, longest + 1):
        names = {path: readable('/'.join(part[-count:])) for path, part in parts.items()}
        if len(set(names.values())) == len(names):
            return names
    twice = Counter(parts.values()).most_common(1)[0][0]
    raise ValueError(f'{Path("/", *twice)} is named twice; name each work dir once')
