"""The jobs of a matrix: caches, runs (training and test), and tests on the second world; each with its commands."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.analysis_tools.compare_runs import find_test, read_all_metrics
from tools.demo_run.plan import NO_VALIDATION, data_options

from . import identity
from .layout import Job, Layout, Stage, run_name
from .records import Record, Records
from .spec import REPO, CacheSpec, Matrix, RowSpec, is_file, split_input

PLACEHOLDER = 'input.pth'
"""Stands for a file whose content is compared on its own."""


class JobBuilder:
    """Builds all jobs of a matrix.

    Args:
        matrix: The matrix file.
        layout: Where it reads and writes.
        records: Records of the output folder.
        library: Parts behind the hashes.
    """

    def __init__(self, matrix: Matrix, layout: Layout, records: Records, library: identity.Library) -> None:
        self._matrix, self._layout, self._records, self._library = matrix, layout, records, library
        # Of all jobs of the matrix, for its manifest.
        self.names: list[str] = []

    def build(self, final: bool = False, only: Sequence[str] = ()) -> list[Job]:
        """The jobs in an order in which each can run after those before it.

        Args:
            final: With the tests on the second world, which wait for all else.
            only: These rows and what they need.

        Raises:
            ValueError: If a row is unknown, or an override does not fit; names all rows concerned.
        """
        unknown = sorted(set(only) - {row.name for row in self._matrix.rows})
        if unknown:
            raise ValueError(f'no rows {unknown}; there are {[row.name for row in self._matrix.rows]}')
        jobs: dict[str, Job] = {}
        problems = []
        for row in self._matrix.rows:
            try:
                self._settled(row.config, (*row.overrides, *(f'{key}={PLACEHOLDER}' for key in row.inputs)))
            except (ValueError, FileNotFoundError) as error:
                problems.append(f"row '{row.name}': {error}")
                continue
            for cache in self._matrix.caches:
                if cache.name == row.cache and f'cache-{cache.name}' not in jobs:
                    jobs[f'cache-{cache.name}'] = self._cache(cache)
            for seed in row.seeds:
                jobs[run_name(row.name, seed)] = self._run(row, seed)
        if problems:
            raise ValueError('\n'.join(problems))
        if self._matrix.by_seeds:
            jobs = _by_seeds(jobs)
        chosen = self._with_needs(jobs, only)
        runs = [job.name for job in jobs.values() if job.kind == 'run']
        tested = [name for name in map(_final_name, runs) if final or self._records.read(name)]
        self.names = [*jobs, *tested]
        return chosen + ([self._final(job, list(jobs)) for job in chosen if job.kind == 'run'] if final else [])

    @staticmethod
    def _with_needs(jobs: dict[str, Job], only: Sequence[str]) -> list[Job]:
        if not only:
            return list(jobs.values())
        wanted = {job.name for job in jobs.values() if job.row is not None and job.row.name in only}
        while True:
            more = wanted | {need for name in wanted for need in jobs[name].needs}
            if more == wanted:
                return [job for job in jobs.values() if job.name in wanted]
            wanted = more

    @functools.cache  # noqa: B019 one builder lives as long as the tool
    def _settled(self, config: str, words: tuple[str, ...]) -> Any:
        return identity.load(config, words)

    @functools.cache  # noqa: B019
    def _options(self, config: str, root: Path, split: str) -> tuple[str, ...]:
        return tuple(data_options(REPO / config, f'{root}/', split))

    def _tool(self, name: str, *words: str) -> list[str]:
        return [sys.executable, str(self._layout.tools / name), *words]

    # Inputs: the checkpoints of other runs, and caches.

    def _source(self, source: str, seed: int | None) -> str | None:
        """Name of the run that an input comes from; None for a file."""
        if is_file(source):
            return None
        name, chosen = split_input(source)
        seeds = self._matrix.row(name).seeds
        chosen = seeds[0] if chosen is None and len(seeds) == 1 else chosen
        return run_name(name, seed if chosen is None and seed is not None else chosen or 0)

    def _file(self, source: str, seed: int | None) -> Path:
        run = self._source(source, seed)
        if run is None:
            return REPO / source
        return self._layout.work_dir(run) / self._records.read(run)['checkpoint']['file']

    def _content(self, source: str, seed: int | None) -> str:
        run = self._source(source, seed)
        return identity.file_digest(REPO / source) if run is None else self._records.read(run)['checkpoint']['sha256']

    def _identity(self, cfg: Any, root: Path, splits: Sequence[str], **more: Any) -> Record:
        keep, imports = self._library.keep, (cfg.get('custom_imports') or {}).get('imports', [])
        return dict(
            config=keep(identity.config_parts(cfg)),
            code=keep(identity.code_parts(imports)),
            data=keep(identity.data_parts(cfg, root, splits)),
            **more,
        )

    # The three kinds of jobs.

    def _cache(self, cache: CacheSpec) -> Job:
        name, folder = f'cache-{cache.name}', self._layout.out / 'caches' / cache.name
        source = self._source(cache.checkpoint, None)

        def own() -> Record:
            cfg = self._settled(cache.config, cache.overrides)
            inputs = dict(checkpoint=self._content(cache.checkpoint, None))
            return self._identity(cfg, self._layout.data, ('train',), inputs=inputs, flags=list(cache.flags))

        def command() -> list[str]:
            words = [cache.config, str(self._file(cache.checkpoint, None)), '--out', str(folder), *cache.flags]
            options = [*self._options(cache.config, self._layout.data, 'train'), *cache.overrides]
            return self._tool('cache_teacher.py', *words, '--cfg-options', *options)

        def stages(record: Record) -> list[Stage]:
            done = record.get('state') == 'done' and folder.is_dir()
            return [] if done else [Stage('cache', command, lambda: {})]

        needs = () if source is None else (source,)
        return Job(name, 'cache', needs, folder, cache.config, cache.overrides, own, stages)

    def _run(self, row: RowSpec, seed: int) -> Job:
        name = run_name(row.name, seed)
        folder = self._layout.work_dir(name)
        sources = [self._source(source, seed) for source in row.inputs.values()]
        needs = [source for source in sources if source is not None]
        needs += [f'cache-{row.cache}'] if row.cache else []
        keyed = (*row.overrides, *(f'{key}={PLACEHOLDER}' for key in row.inputs))

        def own() -> Record:
            more: Record = dict(inputs={key: self._content(source, seed) for key, source in row.inputs.items()})
            if row.cache:
                more['cache'] = identity.digest(self._records.read(f'cache-{row.cache}')['identity'])
            cfg = self._settled(row.config, keyed)
            return self._identity(cfg, self._layout.data, ('train', 'test'), seed=seed, **more)

        def train() -> list[str]:
            words = [*self._options(row.config, self._layout.data, 'train'), *NO_VALIDATION, *self._inputs(row, seed)]
            words += [f'model.teacher_cache={self._layout.out / "caches" / row.cache}'] if row.cache else []
            flags = ['--work-dir', str(folder), '--seed', str(seed), '--resume', 'auto']
            return self._tool('train.py', row.config, *flags, '--cfg-options', *words)

        def trained() -> Record:
            note = folder / 'last_checkpoint'
            if not note.is_file():
                raise FileNotFoundError(f'the training ended without error but left no checkpoint in {folder}')
            # By name: the path in the note is stale where the folder was moved.
            checkpoint = folder / Path(note.read_text().strip()).name
            return dict(checkpoint=dict(file=checkpoint.name, sha256=identity.file_digest(checkpoint)))

        def stages(record: Record) -> list[Stage]:
            file = folder / record.get('checkpoint', {}).get('file', 'none')
            test = self._test_stage(row, seed, name, folder, self._layout.data)
            if file.is_file():
                return [] if record.get('metrics') else [test]
            return [Stage('train', train, trained), test]

        return Job(name, 'run', tuple(needs), folder, row.config, row.overrides, own, stages, row, seed)

    def _final(self, run: Job, before: Sequence[str]) -> Job:
        assert run.row is not None
        root = self._layout.second_data
        if root is None:
            raise ValueError('--final needs a second world: second_data: FOLDER in the matrix file, or --second-data')
        row, seed, folder = run.row, run.seed, self._layout.out / 'final' / run.name
        keyed = (*row.overrides, *(f'{key}={PLACEHOLDER}' for key in row.inputs))

        def own() -> Record:
            inputs = dict(checkpoint=self._records.read(run.name)['checkpoint']['sha256'])
            return self._identity(self._settled(row.config, keyed), root, ('test',), inputs=inputs)

        def stages(record: Record) -> list[Stage]:
            return [] if record.get('metrics') else [self._test_stage(row, seed, run.name, folder, root)]

        name = _final_name(run.name)
        return Job(name, 'final', tuple(before), folder, row.config, row.overrides, own, stages, row, seed)

    def _inputs(self, row: RowSpec, seed: int | None) -> list[str]:
        return [*row.overrides, *(f'{key}={self._file(source, seed)}' for key, source in row.inputs.items())]

    def _test_stage(self, row: RowSpec, seed: int | None, run: str, folder: Path, root: Path) -> Stage:
        before: set[Path] = set()

        def command() -> list[str]:
            before.update(folder.glob('*/*.json'))
            checkpoint = self._layout.work_dir(run) / self._records.read(run)['checkpoint']['file']
            words = [*self._options(row.config, root, 'test'), *self._inputs(row, seed)]
            words += self._predictions(row, folder)
            flags = ['--work-dir', str(folder), '--cfg-options', *words]
            return self._tool('test.py', row.config, str(checkpoint), *flags)

        def tested() -> Record:
            return dict(metrics=read_all_metrics(find_test(folder, before)))

        return Stage('test', command, tested)

    def _predictions(self, row: RowSpec, folder: Path) -> list[str]:
        """Let the metric keep its predictions, for tools/analysis_tools/error_split.py."""
        cfg = self._settled(row.config, (*row.overrides, *(f'{key}={PLACEHOLDER}' for key in row.inputs)))
        evaluator = cfg.get('test_evaluator')
        if not self._matrix.predictions or 'NuScenesMetric' not in str((evaluator or {}).get('type')):
            return []
        sign = '' if 'jsonfile_prefix' in evaluator else '+'
        return [f'{sign}test_evaluator.jsonfile_prefix={folder / "predictions"}']


def _by_seeds(jobs: dict[str, Job]) -> dict[str, Job]:
    """The first seed of every row before the second of any; what a job needs stays before it."""
    wave: dict[str, int] = {}
    for job in jobs.values():
        own = job.row.seeds.index(job.seed) if job.row is not None and job.seed is not None else 0
        wave[job.name] = max([own, *(wave[need] for need in job.needs)])
    return {name: jobs[name] for name in sorted(jobs, key=wave.__getitem__)}


def _final_name(run: str) -> str:
    return f'final-{run}'
