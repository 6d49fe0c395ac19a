"""Find the runs that a report is about: work dirs, the output folders of studies, their manifests."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..manifest import COPY, read_manifest
from ..results import Results, read_manifests, read_work_dirs
from ..work_dirs import split_seed, telling_names

MANIFEST = 'manifest.json'
SIGNS = ('*/vis_data/scalars.json', '*/vis_data/config.py', 'boxes.json', 'results_nusc.json')
"""What a training, a test or ``bevdistill predict`` leaves in its folder, beside ``<time>/<time>.json`` of a test."""
PREDICT_FILE, RESULTS_FILE = 'boxes.json', 'results_nusc.json'
KEEP = 'bevdistill test CONFIG CHECKPOINT --keep-predictions --work-dir WORK_DIR'
HOW = 'bevdistill train and bevdistill test leave them in WORK_DIR'


@dataclass(frozen=True)
class Run:
    """One training or test.

    Args:
        name: Its name, of which there is no other.
        row: Row of the tables that it belongs to; the seeds of a config are one row.
        folder: Work dir.
    """

    name: str
    row: str
    folder: Path


@dataclass
class Runs:
    """All runs of a report.

    Args:
        runs: Those whose folder is there.
        titles: Titles by row, in the order of the report.
        results: Their test results, None without any.
        base: Row that the others are compared with.
        notes: What is missing, and why.
    """

    runs: list[Run]
    titles: dict[str, str]
    results: Results | None
    base: str
    notes: list[str] = field(default_factory=list)

    def of_row(self, row: str) -> list[Run]:
        """Return the runs of a row."""
        return [run for run in self.runs if run.row == row]

    def first(self, row: str) -> Run | None:
        """Return the first run of a row, None where its folder is not there."""
        return next(iter(self.of_row(row)), None)


def find_runs(paths: Sequence[Path], against: str | None = None) -> Runs:
    """Read work dirs, or the manifests of studies.

    Args:
        paths: Work dirs; or files ``manifest.json``, or folders that hold one.
        against: Name or title of the row that all others are compared with. By default that of the first work dir, and
            in a study the one that the study names for each row.

    Raises:
        FileNotFoundError: If a folder holds no run; says what does.
        ValueError: If there are work dirs and studies, or no row is called `against`.
    """
    manifests = [_manifest(path) for path in paths]
    if all(manifest is not None for manifest in manifests):
        found = _studies([manifest for manifest in manifests if manifest is not None])
    elif any(manifest is not None for manifest in manifests):
        kinds = ['study' if manifest else 'work dir' for manifest in manifests]
        named = ', '.join(f'{path} ({kind})' for path, kind in zip(paths, kinds, strict=True))
        raise ValueError(f'a report is about work dirs or about studies, got both: {named}')
    else:
        found = _work_dirs(paths)
    _settle_base(found, against)
    return found


def _manifest(path: Path) -> Path | None:
    if path.suffix == '.json':
        return path
    return path / MANIFEST if (path / MANIFEST).is_file() else None


def _work_dirs(paths: Sequence[Path]) -> Runs:
    names = telling_names(paths)
    for path in paths:
        _require_run(path)
    runs = [Run(name, split_seed(name)[0], path) for path, name in names.items()]
    titles = {run.row: run.row for run in runs}
    notes: list[str] = []
    results = None
    try:
        results = read_work_dirs(names)
        notes += [*results.missing, *(f'{names[Path(path)]}: scores of {of}' for path, of in results.origins.items())]
    except FileNotFoundError as error:
        notes.append(str(error))
    return Runs(runs, titles, results, next(iter(titles)), notes)


def _require_run(path: Path) -> None:
    if not path.is_dir():
        raise FileNotFoundError(f'{path}: expected a work dir, found {"a file" if path.exists() else "nothing"}')
    if _is_run(path):
        return
    below = sorted(child.name for child in path.iterdir() if _is_run(child))
    if below:
        raise FileNotFoundError(f'{path}: expected a work dir, found a folder of {len(below)} of them; name {path}/*')
    raise FileNotFoundError(f'{path}: expected the work dir of a run, found no log, result or prediction; {HOW}')


def _is_run(folder: Path) -> bool:
    tested = any(file.stem == file.parent.name for file in folder.glob('*/*.json'))
    return tested or any(any(folder.glob(sign)) for sign in SIGNS)


def _studies(manifests: Sequence[Path]) -> Runs:
    runs: list[Run] = []
    titles: dict[str, str] = {}
    notes: list[str] = []
    done = False
    for manifest in manifests:
        tree = read_manifest(manifest)
        titles |= {entry['name']: entry['title'] for entry in tree['rows'] if entry['name'] not in titles}
        for job in tree['jobs']:
            if job.get('kind', 'run') != 'run':
                continue
            folder = manifest.parent / _inside(job.get('work_dir') or f'runs/{job["job"]}', manifest)
            done |= job.get('state') == 'done' and bool(job.get('metrics'))
            if folder.is_dir():
                name = job['job'] if len(manifests) == 1 else str(folder)
                runs.append(Run(name, job['row'], folder))
            elif job.get('state') == 'done':
                notes.append(f'{folder} is not there: no curves and pictures of {job["job"]}')
    results = read_manifests(manifests) if done else None
    notes += [f'not done yet: {", ".join(results.missing)}'] if results is not None and results.missing else []
    shown = {run.row for run in runs} | set(results.titles if results is not None else ())
    titles = {row: title for row, title in titles.items() if row in shown}
    if not titles:
        raise FileNotFoundError(f'{", ".join(map(str, manifests))}: no run has begun; start with bevdistill study run')
    if not runs:
        raise FileNotFoundError(
            f'{", ".join(map(str, manifests))}: expected the folders of its runs beside it, found none; copy the whole '
            f'folder of the study, or show the scores alone: bevdistill compare {shlex.join(map(str, manifests))}'
        )
    named = [] if results is None else [base for base in results.bases.values() if base in titles]
    base = Counter(named).most_common(1)[0][0] if named else next(iter(titles))
    return Runs(runs, titles, results, base, notes)


def _inside(path: Any, manifest: Path) -> str:
    """Refuse a work dir outside the study's folder: a manifest may come from elsewhere."""
    if Path(str(path)).is_absolute() or '..' in Path(str(path)).parts:
        raise ValueError(f'{manifest}: expected work dirs inside the folder of the study, found {path}. {COPY}')
    return str(path)


def predictions_file(work_dir: Path) -> Path | None:
    """Find the newest predictions in a work dir, of a test or of ``bevdistill predict``; None without any."""
    found = [*work_dir.rglob(RESULTS_FILE), *work_dir.glob(PREDICT_FILE)]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _settle_base(found: Runs, against: str | None) -> None:
    if against is not None:
        named = [row for row, title in found.titles.items() if against in (row, title)]
        if not named:
            raise ValueError(f'--against {against}: no such row; there are {list(found.titles.values())}')
        found.base = named[0]
    results = found.results
    if results is not None and (against is not None or not results.bases) and found.base in results.titles:
        results.bases = {row: found.base for row in results.titles if row != found.base}
