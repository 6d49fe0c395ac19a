"""Turn a study into jobs: data, teacher caches, runs (training and test), tests on the held-out world, pictures."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import fingerprints
from .graph import TEACHER, Job, checkpoint_of, first_seeds_first, held_out_name, run_name
from .metric_names import metric_names, unknown_metric
from .records import Folder
from .spec import OUT, ROOT, CacheSpec, RowSpec, StudySpec, SyntheticSpec, is_file, split_input

PLACEHOLDER = 'input.pth'
"""Stands for a file whose content is fingerprinted on its own."""
NO_VALIDATION = ('val_cfg=None', 'val_dataloader=None', 'val_evaluator=None')
"""Training ends without a validation: the test that follows says the same."""
COMMANDS = dict(
    train='train.py', test='test.py', cache='cache_teacher.py', synthetic='make_synthetic_nuscenes.py',
    data_create='create_data.py', show_model='analysis_tools/visualize.py',
)  # fmt: skip
"""Verbs of a study, and the scripts that may stand in for them."""


@dataclass
class Places:
    """Where a study reads and writes."""

    folder: Folder
    data: Path
    held_out_data: Path | None = None
    tools: Path | None = None

    @classmethod
    def of(cls, study: StudySpec, out: Path, data: Path | None, held_out: Path | None, tools: Path | None) -> Places:
        """Resolve the places of a study; what the command line names comes before the file."""

        def place(given: Path | None, written: str | None) -> Path | None:
            text = str(given.absolute()) if given else written and written.replace(OUT, str(out))
            return ROOT / text if text else None

        found = place(data, study.data)
        assert found is not None
        return cls(Folder(out), found, place(held_out, study.held_out_data), tools)


class JobBuilder:
    """Build all jobs of a study.

    Args:
        study: The study file.
        places: Where it reads and writes.
    """

    def __init__(self, study: StudySpec, places: Places) -> None:
        self._study, self._places = study, places
        self.configs: dict[str, Mapping[str, str]] = {}
        """Entries of every config by their hash."""

    def build(self, held_out: bool = False) -> dict[str, Job]:
        """Return the jobs by name, in an order in which each can run after those before it.

        Args:
            held_out: With the tests on the held-out world, which need all runs.

        Raises:
            ValueError: If an override does not fit; names all rows concerned.
        """
        jobs: dict[str, Job] = {}
        problems = []
        if self._study.synthetic is not None:
            jobs['data'] = self._data(self._study.synthetic)
        for row in self._study.rows:
            try:
                if row.cache is not None:
                    jobs.setdefault(f'cache-{row.cache}', self._cache(self._study.caches[row.cache]))
                for seed in row.seeds:
                    jobs[run_name(row.name, seed)] = self._run(row, seed)
            except (ValueError, FileNotFoundError) as error:
                problems.append(f"row '{row.name}': {error}")
        problems += [] if problems else self._unknown_metrics()
        if problems:
            raise ValueError('\n'.join(problems))
        if self._study.order == 'seeds':
            jobs = first_seeds_first(jobs, {row.name: row.seeds for row in self._study.rows})
        runs = [job for job in jobs.values() if job.kind == 'run']
        pictures = [self._picture(row) for row in self._study.rows if self._study.pictures]
        tests = [self._held_out(job, list(jobs)) for job in runs] if held_out else []
        return {**jobs, **{job.name: job for job in (*pictures, *tests)}}

    @functools.cache  # noqa: B019 one builder lives as long as the command
    def _config(self, config: str, words: tuple[str, ...]) -> Any:
        return fingerprints.load_config(config, words)

    def _settled(self, row: RowSpec) -> Any:
        return self._config(row.config, (*row.overrides, *(f'{key}={PLACEHOLDER}' for key in row.inputs)))

    def _unknown_metrics(self) -> list[str]:
        """Look whether some row reports each column of the table; a study may take days to get there."""
        known = [metric_names(self._settled(row)) for row in self._study.rows]
        names = list(dict.fromkeys(name for row in known for name in row))
        wanted = self._study.metrics if all(known) else []
        return [unknown_metric('metrics', name, names) for name in wanted if name not in names]

    def _options(self, config: str, root: Path, split: str) -> list[str]:
        """Return ``--cfg-options`` that point loader and metric of a split, wrapped data sets included, at a data root.

        They come before the row's overrides, which may replace whole entries: so they are those of the bare config.
        """
        parts = fingerprints.config_parts(self._config(config, ()))
        places = [f'{split}_dataloader', f'{split}_evaluator']
        return [f'{key}={root}/' for key in fingerprints.entries(parts, 'data_root', places)]

    def _depends_on(self, cfg: Any, root: Path, splits: Sequence[str]) -> dict[str, Any]:
        parts = fingerprints.config_parts(cfg)
        key = fingerprints.digest(parts)
        self.configs[key] = parts
        imports = (cfg.get('custom_imports') or {}).get('imports', [])
        files = fingerprints.entries(parts, 'ann_file', [f'{split}_dataloader' for split in splits]).values()
        names = {name for file in files if isinstance(name := ast.literal_eval(file), str)}
        return dict(
            config_hash=key, root=str(root), info_files=sorted(names),
            code=fingerprints.project_folders(imports),
        )  # fmt: skip

    def _tool(self, name: str, *words: str) -> list[str]:
        tools = self._places.tools
        verb = [str(tools / COMMANDS[name])] if tools is not None else ['-m', 'bevdistill', *name.split('_')]
        return [sys.executable, *verb, *words]

    def _source(self, source: str, seed: int | None) -> str:
        """Return the job that an input comes from, or the path of its file."""
        if is_file(source):
            return str(ROOT / source)
        name, chosen = split_input(source)
        seeds = self._study.row(name).seeds
        if chosen is None:
            chosen = seeds[0] if len(seeds) == 1 or seed is None else seed
        return run_name(name, chosen)

    def _weights(self, source: str) -> str:
        return source if is_file(source) else checkpoint_of(source)

    def _needs(self, *sources: str | None) -> list[str]:
        data = ['data'] if self._study.synthetic is not None else []
        return [*data, *dict.fromkeys(source for source in sources if source and not is_file(source))]

    def _data(self, synthetic: SyntheticSpec) -> Job:
        root = str(self._places.data)
        flags = ['--preset', synthetic.preset, '--version', synthetic.version, '--seed', str(synthetic.seed)]
        stages = [
            ('synthetic', self._tool('synthetic', root, *flags, '--overwrite')),
            ('infos', self._tool('data_create', 'nuscenes', '--root-path', root, '--version', synthetic.version)),
        ]
        code = ['bevdistill/synthetic', 'bevdistill/datasets/infos']
        return Job('data', 'data', [], root, stages, code=code, flags=flags)

    def _cache(self, cache: CacheSpec) -> Job:
        folder, source = self._places.folder.path / 'caches' / cache.name, self._source(cache.checkpoint, None)
        cfg = self._config(cache.config, cache.overrides)
        words = [cache.config, self._weights(source), '--out', str(folder), *cache.flags]
        options = [*self._options(cache.config, self._places.data, 'train'), *cache.overrides]
        command = self._tool('cache', *words, '--cfg-options', *options)
        return Job(
            f'cache-{cache.name}', 'cache', self._needs(source), str(folder), [('cache', command)], cache.config,
            inputs=dict(checkpoint=source), overrides=list(cache.overrides), flags=cache.flags,
            **self._depends_on(cfg, self._places.data, ('train',)),
        )  # fmt: skip

    def _run(self, row: RowSpec, seed: int) -> Job:
        name = run_name(row.name, seed)
        folder = self._places.folder.path / 'runs' / name
        inputs = {key: self._source(source, seed) for key, source in row.inputs.items()}
        words = [*self._options(row.config, self._places.data, 'train'), *NO_VALIDATION, *self._words(row, inputs)]
        words += [f'model.teacher_cache={self._places.folder.path / "caches" / row.cache}'] if row.cache else []
        flags = ['--work-dir', str(folder), '--seed', str(seed), '--resume', 'auto']
        train = self._tool('train', row.config, *flags, '--cfg-options', *words)
        cache = f'cache-{row.cache}' if row.cache else None
        return Job(
            name, 'run', self._needs(*inputs.values(), cache), str(folder),
            [('train', train), ('test', self._test(row, inputs, name, folder, self._places.data))],
            row.config, inputs=inputs, cache=cache, row=row.name, seed=seed, overrides=list(row.overrides),
            minutes=row.minutes, **self._depends_on(self._settled(row), self._places.data, ('train', 'test')),
        )  # fmt: skip

    def _held_out(self, run: Job, before: Sequence[str]) -> Job:
        root = self._places.held_out_data
        if root is None:
            raise ValueError('--held-out needs held_out_data: FOLDER in the study file, or --held-out-data FOLDER')
        assert run.row is not None
        row, folder = self._study.row(run.row), self._places.folder.path / 'held_out' / run.name
        return Job(
            held_out_name(run.name), 'held_out', list(before), str(folder),
            [('test', self._test(row, run.inputs, run.name, folder, root))],
            row.config, inputs=dict(checkpoint=run.name), row=run.row, seed=run.seed, overrides=run.overrides,
            **self._depends_on(self._settled(row), root, ('test',)),
        )  # fmt: skip

    def _picture(self, row: RowSpec) -> Job:
        """Draw pages of one row: with the maps of its teacher, of a teacher with a student's, and beside its base."""
        taught = [other for other in self._study.rows if TEACHER in other.inputs]
        teachers = {split_input(other.inputs[TEACHER])[0]: other for other in taught}
        students = row.name in teachers
        beside = teachers[row.name] if students else next((self._study.row(name) for name in teachers), None)
        run, folder = run_name(row.name, row.seeds[0]), self._places.folder.path / 'pictures' / row.name
        inputs = dict(checkpoint=run)
        words = [row.config, checkpoint_of(run)]
        if beside is not None:
            inputs['beside'] = run_name(beside.name, beside.seeds[0])
            words += ['--student' if students else '--teacher', beside.config, checkpoint_of(inputs['beside'])]
        if row.base is not None:
            base = self._study.row(row.base)
            inputs['base'] = run_name(base.name, base.seeds[0])
            words += ['--beside', base.title, base.config, checkpoint_of(inputs['base'])]
        words += ['--out', str(folder), '--num', str(self._study.pictures), '--title', row.title]
        words += ['--data-root', f'{self._places.data}/', *(['--cfg-options', *row.overrides] if row.overrides else [])]
        command = self._tool('show_model', *words)
        return Job(
            f'picture-{row.name}', 'picture', self._needs(*inputs.values()), str(folder), [('picture', command)],
            row.config, code=['bevdistill/visualization'], inputs=inputs, row=row.name,
        )  # fmt: skip

    def _words(self, row: RowSpec, inputs: Mapping[str, str]) -> list[str]:
        return [*row.overrides, *(f'{key}={self._weights(source)}' for key, source in inputs.items())]

    def _test(self, row: RowSpec, inputs: Mapping[str, str], run: str, folder: Path, root: Path) -> list[str]:
        words = [*self._options(row.config, root, 'test'), *self._words(row, inputs), *self._predictions(row, folder)]
        flags = ['--work-dir', str(folder), '--cfg-options', *words]
        return self._tool('test', row.config, checkpoint_of(run), *flags)

    def _predictions(self, row: RowSpec, folder: Path) -> list[str]:
        """Let the metric keep its predictions, for the error split."""
        evaluator = self._settled(row).get('test_evaluator')
        if not self._study.predictions or 'NuScenesMetric' not in str((evaluator or {}).get('type')):
            return []
        sign = '' if 'jsonfile_prefix' in evaluator else '+'
        return [f'{sign}test_evaluator.jsonfile_prefix={folder / "predictions"}']
