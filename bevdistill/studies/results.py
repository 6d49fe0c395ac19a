"""Results of runs as one pandas frame: read from work dirs or manifests, never mixed across code or data in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ..json_file import read_json_object
from .fingerprints import SHOWN, differences
from .graph import TEACHER
from .manifest import COPY, read_manifest
from .metric_names import unknown_metric
from .records import POOLED
from .scopes import differing
from .work_dirs import ERRORS, METRICS, read_metrics, read_training_seconds, split_seed, telling_names

DELETE = 'Delete it: the job runs again'
"""What to do with a damaged file."""
SAME, TIMES = ('job', 'seed', 'identity', 'checkpoint'), ('time', 'data_time')
"""What one run has alike in the manifests of two sessions, and which of its metrics are not scores."""
MOST_LINES = 8
HELD_OUT = ('held_out', 'final')
"""Kinds of the jobs that test on the held-out world; manifests before 2027 have the second name."""


@dataclass
class Results:
    """Rows of a table.

    Args:
        runs: A line per run: ``row``, ``seed`` (missing where unknown), ``teacher`` (a name for the teacher of its
            session; rows without one have it too), ``seconds`` of its training, and its metrics.
        titles: Titles by row.
        bases: Row that each is compared with.
        metrics: Columns of the table by default.
        missing: Runs that are not done, or why folders were left out.
        jobs: Records of the runs, as far as there are any.
        parts: What lies behind their hashes of code and data.
        rows: Rows of the table in their order; the others are there to be compared with.
        held_out: The same lines for the tests on the held-out world, or None where one world is looked at.
        origins: By work dir what its result is of, where that is not a checkpoint of its own.
    """

    runs: pd.DataFrame
    titles: dict[str, str]
    bases: dict[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = METRICS
    missing: list[str] = field(default_factory=list)
    jobs: Sequence[Mapping[str, Any]] = ()
    parts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)
    held_out: pd.DataFrame | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    _by_seed: dict[tuple[str, str], pd.Series] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.rows = self.rows or list(self.titles)

    @property
    def columns(self) -> list[str]:
        """Return the names of all numbers that runs have."""
        return sorted(set(self.runs.columns) - {'row', 'seed', 'teacher'})

    def values(self, row: str, column: str) -> pd.Series:
        """Return the numbers of a row that exist in a column, run by run."""
        if column not in self.runs:
            return pd.Series(dtype=float)
        return self.runs.loc[self.runs['row'] == row, column].dropna()

    def by_seed(self, row: str, column: str) -> pd.Series:
        """Return the numbers of a row in a column by seed; each is looked up once, and wanted by every table."""
        if column not in self.runs:
            return pd.Series(dtype=float)
        if (row, column) not in self._by_seed:
            seeded = (self.runs['row'] == row) & self.runs['seed'].notna()
            numbers = self.runs.loc[seeded, ['seed', column]].set_index('seed')[column]
            self._by_seed[row, column] = numbers.dropna()
        return self._by_seed[row, column]

    def named(self, title: str, flag: str) -> str:
        """Return the row of a title or name.

        Raises:
            ValueError: If there is none; names the flag that asked for it.
        """
        found = [row for row, text in self.titles.items() if title in (row, text)]
        if not found:
            raise ValueError(f'{flag} {title}: no such row; there are {list(self.titles.values())}')
        return found[0]

    def mixed(self, also: Sequence[str] = ()) -> list[str]:
        """Return how code, data, samples or classes of the table's runs differ, with its bases and further rows."""
        rows = dict.fromkeys([*self.rows, *also, *(self.bases[row] for row in self.rows if row in self.bases)])
        scopes = differing(self.runs, [(row, self.titles[row]) for row in rows])
        return mixture([job for job in self.jobs if job['row'] in rows], self.parts) + scopes

    def sorted_by(self, column: str | None) -> Results:
        """Return the rows best first by a column, those without it last.

        Raises:
            ValueError: If no row has it.
        """
        if column is None:
            return self
        means = pd.Series({row: self.values(row, column).mean() for row in self.rows}, dtype=float)
        if means.isna().all():
            raise ValueError(unknown_metric('--sort', column, self.columns))
        order = means.sort_values(ascending=column == 'seconds' or column in ERRORS, kind='stable').index
        return replace(self, rows=list(order))


def compared(results: Results, columns: Sequence[str]) -> list[str]:
    """Return the columns that get a difference: metrics, where some row has a base."""
    return [column for column in columns if column != 'seconds'] if bases(results) else []


def bases(results: Results) -> list[str]:
    """Return the titles of all rows that others of the table are compared with."""
    return sorted({results.titles[base] for row in results.rows if (base := results.bases.get(row)) is not None})


def frame(runs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the frame of :class:`Results`."""
    table = pd.DataFrame([dict(teacher='') | dict(run) for run in runs])
    return table.astype(dict(seed='Int64', seconds=float))


def read_work_dirs(work_dirs: Iterable[Path] | Mapping[Path, str]) -> Results:
    """Read work dirs; those that differ only in their ending ``_seed0``, ``_seed1`` are one row.

    Folders of one name are told apart by those that they are in: ``old/student``, ``new/student``. Folders without a
    test result are left out, and named in ``missing``.

    Args:
        work_dirs: The folders, with a name for each where that of the folder itself will not do.

    Raises:
        FileNotFoundError: If none has a result.
    """
    runs: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    missing: list[FileNotFoundError] = []
    origins: dict[str, str] = {}
    names = work_dirs if isinstance(work_dirs, Mapping) else telling_names(dict.fromkeys(work_dirs))
    for work_dir, name in names.items():
        row, seed = split_seed(name)
        try:
            metrics, origin = read_metrics(work_dir)
        except FileNotFoundError as error:
            missing.append(error)
            continue
        runs.append(dict(row=row, seed=seed, seconds=read_training_seconds(work_dir)) | metrics)
        origins |= {str(work_dir): origin} if origin else {}
        record = work_dir.absolute().parents[1] / 'records' / f'{work_dir.name}.json'
        records += [read_json_object(record, advice=DELETE)] if record.is_file() else []
    if not runs:
        raise missing[0]
    parts = {job['identity'][part]: job['made_from'][part] for job in records for part in POOLED if 'made_from' in job}
    titles = {run['row']: run['row'] for run in runs}
    left_out = [str(error) for error in missing]
    return Results(frame(runs), titles, missing=left_out, origins=origins, jobs=records, parts=parts)


def read_manifests(paths: Sequence[Path], held_out: bool = False) -> Results:
    """Read the manifest of a study, or those of one study that was run in several sessions.

    A row's runs are those of all sessions; each is compared with the base's run of its own seed, hence of its session.
    A run that a session took over from an earlier one counts once.

    Args:
        paths: Files ``manifest.json``. Metrics, and a row's title and base, are those of the first that has them.
        held_out: Take the tests on the held-out world.

    Raises:
        ValueError: If no run is done, or a row has one seed twice, or another config in another session.
    """
    kinds = HELD_OUT if held_out else ('run',)
    trees = [read_manifest(path) for path in paths]
    entries = {entry['name']: entry for tree in reversed(trees) for entry in tree['rows']}
    order = dict.fromkeys(entry['name'] for tree in trees for entry in tree['rows'])
    every = [(path, job) for path, tree in zip(paths, trees, strict=True) for job in tree['jobs']]
    jobs = [(path, job) for path, job in every if job.get('kind', kinds[0]) in kinds]
    done = [(path, job) for path, job in jobs if job.get('state') == 'done' and job.get('metrics')]
    done = _once([(path, job) for path, job in done if job['row'] in order])
    finished = {job['job'] for _, job in done}
    missing = [job['job'] for path, job in jobs if (path, job) not in done and job['job'] not in finished]
    if not done:
        note = ' on the held-out world, see bevdistill study run --held-out' if held_out else ''
        raise ValueError(f'{", ".join(map(str, paths))}: no run is done{note}')
    _check_sessions(done)
    teachers = _teachers(every)
    runs = [
        dict(
            row=job['row'], seed=job['seed'], teacher=teachers[path, job['seed']], seconds=_training_seconds(job),
        ) | job['metrics']
        for name in order for path, job in done if job['row'] == name
    ]  # fmt: skip
    found = {run['row'] for run in runs}
    return Results(
        frame(runs), {name: entries[name]['title'] for name in order if name in found},
        {name: entries[name]['base'] for name in order if name in found and entries[name]['base'] in found},
        tuple(trees[0]['metrics']), missing, [job for _, job in done], _known_parts(paths, trees),
    )  # fmt: skip


def _once(done: Sequence[tuple[Path, dict[str, Any]]]) -> list[tuple[Path, dict[str, Any]]]:
    """Leave out what a session took over from an earlier one: the same checkpoint with the same numbers."""
    kept: list[tuple[Path, dict[str, Any]]] = []
    for path, job in done:
        weights = job.get('checkpoint') or job.get('identity', {}).get('inputs')
        if not weights or not any(_alike(job, other) for _, other in kept):
            kept.append((path, job))
    return kept


def _alike(job: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    scores = ({key: value for key, value in each['metrics'].items() if key not in TIMES} for each in (job, other))
    return all(job.get(key) == other.get(key) for key in SAME) and next(scores) == next(scores)


def _check_sessions(done: Sequence[tuple[Path, Mapping[str, Any]]]) -> None:
    configs: dict[str, tuple[str | None, Path]] = {}
    seeds: dict[tuple[str, int], Path] = {}
    for path, job in done:
        row, config = job['row'], job.get('identity', {}).get('config')
        known, where = configs.setdefault(row, (config, path))
        if where != path and known != config:
            raise ValueError(f"row '{row}' has another config in {path} than in {where}")
        if (row, job['seed']) in seeds:
            raise ValueError(f"row '{row}' has seed {job['seed']} in {seeds[row, job['seed']]} and again in {path}")
        seeds[row, job['seed']] = path


def _teachers(jobs: Sequence[tuple[Path, Mapping[str, Any]]]) -> dict[tuple[Path, int | None], str]:
    """Name the teacher that runs of a session and seed stand for, those without a teacher of their own too.

    It is the one whose weights most runs of that seed were given, else most runs of the session: some rows have another
    teacher by definition (of few labels, say), and that is no other draw of the same one. A session without any teacher
    has its own name.
    """
    counts: dict[tuple[Path, int | None], Counter[str]] = {}
    sessions: dict[Path, Counter[str]] = {}
    for path, job in jobs:
        weights = job.get('identity', {}).get('inputs', {}).get(TEACHER)
        counts.setdefault((path, job.get('seed')), Counter()).update([weights] if weights else [])
        sessions.setdefault(path, Counter()).update([weights] if weights else [])
    return {
        key: next((name for name, _ in (found or sessions[key[0]]).most_common(1)), str(key[0]))
        for key, found in counts.items()
    }


def _training_seconds(job: Mapping[str, Any]) -> float:
    seconds = [attempt['wall_s'] or 0.0 for attempt in job.get('attempts', []) if attempt['stage'] == 'train']
    return sum(seconds) if seconds else float('nan')


def _known_parts(paths: Sequence[Path], trees: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, str]]:
    """Return what lies behind the hashes of code and data; older folders have it in files beside the manifest."""
    parts = {key: value for tree in trees for key, value in tree.get('parts', {}).items()}
    for path, tree in zip(paths, trees, strict=True):
        for job in tree['jobs']:
            for key in {job.get('identity', {}).get(part) for part in POOLED} - {None, *parts}:
                file = path.parent / 'known' / f'{key}.json'
                if file.is_file():
                    parts[key] = read_json_object(file, advice=COPY)
    return parts


def mixture(jobs: Sequence[Mapping[str, Any]], parts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return how the code or data of runs differ, a line per difference; none if they are the same.

    Rows may run further files (a project's code) or read further data (a split of their own), so each file is compared
    with itself. Where only the hashes of the whole are known, the runs of one row are compared.
    """
    lines: dict[str, list[str]] = {}
    for part in POOLED:
        first: dict[str, str] = {}
        for job in jobs:
            key = job.get('identity', {}).get(part)
            own = parts.get(key, {f'row {job.get("row")}': key}) if key is not None else {}
            changed = {file: value for file, value in own.items() if first.setdefault(file, value) != value}
            if changed:
                text = differences({file: first[file] for file in changed}, changed)
                lines.setdefault(f'{part}: {text}', []).append(str(job.get('job')))
    few = {text: names[:SHOWN] + ['..'] * (len(names) > SHOWN) for text, names in lines.items()}
    shown = [f'{text} ({", ".join(names)})' for text, names in few.items()]
    return shown[:MOST_LINES] + ([f'and {len(shown) - MOST_LINES} more'] if len(shown) > MOST_LINES else [])
