"""Test results of runs: read from work dirs, or from the manifest of tools/run_matrix.py."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

METRICS = ('NDS', 'mAP', 'mATE', 'mASE', 'mAOE', 'mAVE', 'mAAE')
ERRORS = tuple(name for name in METRICS if name.endswith('E'))
"""Metrics of which less is better."""
SEED_ENDING = re.compile(r'[_-]seed[_-]?(\d+)$')


@dataclass(frozen=True)
class Run:
    """Test metrics of one run, the seconds that its training took (NaN where unknown), and its seed."""

    metrics: dict[str, float]
    seconds: float = math.nan
    seed: int | None = None

    def value(self, column: str) -> float:
        """A metric or ``'seconds'``; NaN where there is none."""
        return self.seconds if column == 'seconds' else self.metrics.get(column, math.nan)


@dataclass
class Row:
    """One line of the table: the runs of one setting that differ in their seed alone, and the row to compare with."""

    name: str
    runs: list[Run] = field(default_factory=list)
    base: Row | None = None

    def values(self, column: str) -> list[float]:
        """Numbers of one column that are there, run by run."""
        return [value for run in self.runs if not math.isnan(value := run.value(column))]

    def by_seed(self, column: str) -> dict[int, float]:
        """Numbers of one column by seed."""
        found = {run.seed: run.value(column) for run in self.runs if run.seed is not None}
        return {seed: value for seed, value in found.items() if not math.isnan(value)}


def read_all_metrics(path: Path) -> dict[str, float]:
    """All numbers of a file that mmengine wrote after a test, by the last part of their name.

    ``NuScenes metric/pred_instances_3d_NuScenes/NDS`` becomes ``NDS``; a name that is there twice keeps its whole form.
    """
    found = {key: float(value) for key, value in json.loads(path.read_text()).items() if isinstance(value, int | float)}
    short = [key.rsplit('/', 1)[-1] for key in found]
    return {
        name if short.count(name) == 1 else key: value for name, (key, value) in zip(short, found.items(), strict=True)
    }


def find_test(work_dir: Path, known: Collection[Path] = ()) -> Path:
    """The newest result of a test in a work dir, where mmengine writes ``<time>/<time>.json``.

    Args:
        work_dir: The work dir.
        known: Files that do not count, since they were there before.

    Raises:
        FileNotFoundError: If there is none; says which command makes one.
    """
    for path in sorted(work_dir.glob('*/*.json'), reverse=True):
        if path.stem != path.parent.name or path in known:
            continue
        try:
            if read_all_metrics(path):
                return path
        except (json.JSONDecodeError, AttributeError):
            continue
    raise FileNotFoundError(
        f'no test result in {work_dir}; make one with: tools/test.py CONFIG CHECKPOINT --work-dir {work_dir}'
    )


def read_metrics(work_dir: Path) -> dict[str, float]:
    """Metrics of the newest test in a work dir.

    Raises:
        FileNotFoundError: If the work dir holds no test result with a metric of nuScenes.
    """
    known: list[Path] = []
    while True:
        path = find_test(work_dir, known)
        metrics = read_all_metrics(path)
        if set(METRICS) & set(metrics):
            return metrics
        known.append(path)


def read_training_seconds(work_dir: Path) -> float:
    """Seconds of training in a work dir: logged seconds per iteration times iterations; NaN without a log.

    A resumed run has several logs; where they overlap the newest counts, as its weights do.
    """
    seconds_at: dict[int, float] = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if 'time' in entry and 'loss' in entry:
                seconds_at[int(entry['step'])] = float(entry['time'])
    if not seconds_at:
        return math.nan
    steps = sorted(seconds_at)
    return sum(seconds_at[step] * (step - before) for before, step in zip([0, *steps], steps, strict=False))


def split_seed(name: str) -> tuple[str, int | None]:
    """``student_seed2`` to ``('student', 2)``; a name without seed keeps None."""
    match = SEED_ENDING.search(name)
    return (name[: match.start()], int(match.group(1))) if match else (name, None)


def collect(work_dirs: Iterable[Path]) -> list[Row]:
    """Read work dirs into rows, in the order in which their names first appear."""
    rows: dict[str, Row] = {}
    for work_dir in work_dirs:
        name, seed = split_seed(work_dir.name)
        run = Run(read_metrics(work_dir), read_training_seconds(work_dir), seed)
        rows.setdefault(name, Row(name)).runs.append(run)
    return list(rows.values())


@dataclass
class Manifest:
    """What a manifest holds: rows in the order of the matrix, its metrics, and runs that are not done."""

    name: str
    rows: list[Row]
    metrics: tuple[str, ...]
    missing: list[str]


def read_manifests(paths: Sequence[Path], second: bool = False) -> Manifest:
    """Read the manifest of a matrix, or those of one study that was run in several sittings.

    A row's runs are those of all sittings; each is compared with the base's run of its own seed, hence of its sitting.

    Args:
        paths: Files ``manifest.json``. Name, metrics, and a row's title and base are those of the first that has them.
        second: Take the tests on the second world.

    Raises:
        ValueError: If no run is done, or a row has one seed twice, or another config in another sitting.
    """
    kind = 'final' if second else 'run'
    trees = [json.loads(path.read_text()) for path in paths]
    entries = {entry['name']: entry for tree in reversed(trees) for entry in tree['rows']}
    # In the order of the first sitting; what only later ones have comes last.
    rows = {entry['name']: Row(entries[entry['name']]['title']) for tree in trees for entry in tree['rows']}
    configs: dict[str, tuple[str | None, Path]] = {}
    missing = []
    for path, tree in zip(paths, trees, strict=True):
        for job in tree['jobs']:
            if job.get('kind', kind) != kind:
                continue
            if job.get('state') != 'done' or not job.get('metrics'):
                missing.append(job['job'])
                continue
            row, config = rows[job['row']], job.get('identity', {}).get('config')
            known, where = configs.setdefault(job['row'], (config, path))
            if where != path and known != config:
                raise ValueError(f"row '{job['row']}' has another config in {path} than in {where}")
            if any(run.seed == job['seed'] for run in row.runs):
                raise ValueError(f"row '{job['row']}' has seed {job['seed']} in {where} and again in {path}")
            row.runs.append(Run(job['metrics'], _training_seconds(job), job['seed']))
    for name, row in rows.items():
        row.base = rows.get(entries[name]['base'])
    found = [row for row in rows.values() if row.runs]
    if not found:
        note = ' on the second world, see run_matrix.py --final' if second else ''
        raise ValueError(f'{", ".join(map(str, paths))}: no run is done{note}')
    return Manifest(trees[0]['matrix'], found, tuple(trees[0]['metrics']), missing)


def _training_seconds(job: dict[str, Any]) -> float:
    seconds = [attempt['wall_s'] or 0.0 for attempt in job.get('attempts', []) if attempt['stage'] == 'train']
    return sum(seconds) if seconds else math.nan
