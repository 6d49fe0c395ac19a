"""What the demo runs: the rows of its table and the steps that fill them. Every path and number of the demo is here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
VERSION = 'v1.0-trainval'
NO_VALIDATION = ('val_cfg=None', 'val_dataloader=None', 'val_evaluator=None')
"""Training ends without a validation: the test that follows as a step of its own says the same."""
START_SECONDS = 9.0
"""What it takes to import torch and mmdet3d, in every step."""
LABEL = 'measured here, synthetic world, NDS within 25 m'


@dataclass(frozen=True)
class RowSpec:
    """One row of the table: a config and what it is called.

    Args:
        title: Name in the table; says what of the teacher the student was given.
        config: Config file, relative to ``configs/synthetic``.
        train_seconds: Expected seconds of training on two cores, for the time left.
        needs_teacher: Whether the config takes ``model.teacher_checkpoint``.
        once: Whether it is trained with the first seed only (the teacher).
        options: Further ``--cfg-options`` of training and testing.
    """

    title: str
    config: str
    train_seconds: float
    needs_teacher: bool = False
    once: bool = False
    options: tuple[str, ...] = ()


ROWS: dict[str, RowSpec] = {
    'teacher': RowSpec('LiDAR teacher', 'object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py', 200, once=True),
    'student': RowSpec('camera student, not distilled', 'bevformer/bevformer_r50_1x_nus-3d.py', 155),
    'init-only': RowSpec(
        'student, teacher-head initialisation only', 'ablations/init-only.py', 160, needs_teacher=True
    ),
    'losses-only': RowSpec('student, distillation losses only', 'ablations/losses-only.py', 220, needs_teacher=True),
    'distilled': RowSpec(
        'distilled student (losses + teacher-head initialisation)', 'bevdistill/bevdistill_r50_1x_nus-3d.py', 220,
        needs_teacher=True,
    ),
}  # fmt: skip
STANDARD_ROWS = ('teacher', 'student', 'distilled')
EXTRA_ROWS = tuple(name for name in ROWS if name not in STANDARD_ROWS)


@dataclass(frozen=True)
class Size:
    """How much is made and trained.

    Args:
        preset: Preset of tools/make_synthetic_nuscenes.py.
        speed: Factor on the expected seconds of every step beyond its start.
        options: ``--cfg-options`` that shorten training; empty for the configs' own length.
        pictures: Pictures per model.
    """

    preset: str
    speed: float = 1.0
    options: tuple[str, ...] = ()
    pictures: int = 2


SIZES = {
    'full': Size('demo'),
    'quick': Size('tiny', speed=0.02, options=('train_cfg.max_iters=4',), pictures=1),
}


@dataclass(frozen=True)
class Paths:
    """Where the demo finds tools and configs, and where it writes."""

    out: Path
    tools: Path = REPO / 'tools'
    configs: Path = REPO / 'configs' / 'synthetic'
    package: Path = REPO / 'bevdistill'

    @property
    def data(self) -> Path:
        """The synthetic nuScenes."""
        return self.out / 'data'

    def work_dir(self, run: str) -> Path:
        """Logs, checkpoints and metrics of one training run."""
        return self.out / 'work_dirs' / run

    def shown(self, path: Path) -> str:
        """A path as it stands in a command: relative to the repository where it lies inside."""
        try:
            return str(path.resolve().relative_to(REPO))
        except ValueError:
            return str(path)


@dataclass(frozen=True)
class Step:
    """One command of the demo.

    Args:
        name: Key of its stamp and log.
        title: What the screen says.
        command: Makes the command line; called when the step starts, since it may name what earlier steps wrote.
        seconds: Expected duration on two cores.
        inputs: Files and folders whose content decides whether the step must run again.
        after: Names of the steps whose results it reads.
        fresh: Folder that is removed before the step runs, or None.
        makes: Paths that exist once it has run.
    """

    name: str
    title: str
    command: Callable[[], list[str]]
    seconds: float
    inputs: tuple[Path, ...] = ()
    after: tuple[str, ...] = ()
    fresh: Path | None = None
    makes: tuple[Path, ...] = ()


@dataclass
class Plan:
    """All steps in order, and the runs that become rows of the table: (row, seed, run name)."""

    steps: list[Step] = field(default_factory=list)
    runs: list[tuple[str, int, str]] = field(default_factory=list)


def data_options(config: Path, root: str, split: str) -> list[str]:
    """``--cfg-options`` that point the loader and metric of a split at a data root, wrapped data sets included."""
    from mmengine.config import Config

    cfg = Config.fromfile(config, import_custom_modules=False)
    readers = [f'{split}_{kind}' for kind in ('dataloader', 'evaluator')]
    places = [place for name in readers for place in _data_roots(cfg.get(name), name)]
    return [f'{place}={root}' for place in places]


def _data_roots(node: object, path: str) -> list[str]:
    """Dotted keys of all entries called ``data_root`` below a node of a config."""
    if not isinstance(node, dict | list | tuple):
        return []
    found = [f'{path}.data_root'] if 'data_root' in node else []
    children = node.items() if isinstance(node, dict) else enumerate(node)
    return found + [place for key, child in children for place in _data_roots(child, f'{path}.{key}')]


def last_checkpoint(work_dir: Path) -> Path:
    """The checkpoint that mmengine's CheckpointHook wrote last.

    Raises:
        FileNotFoundError: If training left none.
    """
    note = work_dir / 'last_checkpoint'
    if not note.is_file():
        raise FileNotFoundError(f'training left no checkpoint in {work_dir}; run again with --restart')
    return Path(note.read_text().strip())


def config_files(config: Path) -> tuple[Path, ...]:
    """A config file and all that it inherits from, found without running it."""
    found: list[Path] = []
    waiting = [config]
    while waiting:
        path = waiting.pop().resolve()
        if path in found or not path.is_file():
            continue
        found.append(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign) and any(getattr(name, 'id', '') == '_base_' for name in node.targets):
                bases = ast.literal_eval(node.value)
                waiting += [path.parent / base for base in ([bases] if isinstance(bases, str) else bases)]
    return tuple(found)


class PlanBuilder:
    """Builds the steps for a choice of rows and seeds."""

    def __init__(self, paths: Paths, size: Size, rows: Sequence[str], seeds: Sequence[int]) -> None:
        self._paths, self._size, self._rows, self._seeds = paths, size, rows, seeds
        self._plan = Plan()
        package = paths.package
        left_out = ('synthetic', 'visualization')
        parts = (path for path in sorted(package.iterdir()) if path.name not in left_out and path.suffix in ('', '.py'))
        self._model_code = (*parts, paths.tools / 'train.py', paths.tools / 'test.py')

    def build(self) -> Plan:
        """All steps: data, then each run's training and test, then pictures of the first seed."""
        self._add_data()
        for row in self._rows:
            for seed in self._seeds[:1] if ROWS[row].once else self._seeds:
                run = row if ROWS[row].once else f'{row}_seed{seed}'
                self._plan.runs.append((row, seed, run))
        for row, seed, run in self._plan.runs:
            self._add_training(row, seed, run)
            self._add_test(row, run)
        for row, seed, run in self._plan.runs:
            if seed == self._seeds[0]:
                self._add_picture(row, run)
        return self._plan

    def _tool(self, name: str, *arguments: str) -> list[str]:
        return [self._python(), self._paths.shown(self._paths.tools / name), *arguments]

    @staticmethod
    def _python() -> str:
        """The interpreter, relative to the repository where it lies inside; links are kept, since .venv is one."""
        path = Path(sys.executable)
        return str(path.relative_to(REPO)) if path.is_relative_to(REPO) else str(path)

    def _config(self, row: str) -> Path:
        return self._paths.configs / ROWS[row].config

    def _options(self, row: str, training: bool) -> list[str]:
        root = self._paths.shown(self._paths.data) + '/'
        options = [*data_options(self._config(row), root, 'train' if training else 'test'), *ROWS[row].options]
        if ROWS[row].needs_teacher:
            options.append(f'model.teacher_checkpoint={self._checkpoint("teacher")}')
        return [*options, *((*NO_VALIDATION, *self._size.options) if training else ())]

    def _checkpoint(self, run: str) -> str:
        return self._paths.shown(last_checkpoint(self._paths.work_dir(run)))

    def _add(self, step: Step, seconds: float) -> None:
        self._plan.steps.append(replace(step, seconds=START_SECONDS + seconds * self._size.speed))

    def _add_data(self) -> None:
        data, size = self._paths.data, self._size
        shown = self._paths.shown(data)
        make = Step(
            'data', 'make a synthetic nuScenes',
            lambda: self._tool('make_synthetic_nuscenes.py', shown, '--preset', size.preset, '--version', VERSION),
            0, (self._paths.package / 'synthetic', self._paths.tools / 'make_synthetic_nuscenes.py'),
            fresh=data, makes=(data / VERSION,),
        )  # fmt: skip
        infos = Step(
            'infos', 'write its information files',
            lambda: self._tool('create_data.py', 'nuscenes', '--root-path', shown, '--version', VERSION),
            0, (self._paths.package / 'datasets' / 'infos', self._paths.tools / 'create_data.py'), ('data',),
            makes=tuple(data / f'nuscenes_infos_{split}.pkl' for split in ('train', 'val')),
        )  # fmt: skip
        self._add(make, 65)
        self._add(infos, 12)

    def _add_training(self, row: str, seed: int, run: str) -> None:
        work_dir = self._paths.work_dir(run)

        def command() -> list[str]:
            config = self._paths.shown(self._config(row))
            flags = ['--work-dir', self._paths.shown(work_dir), '--seed', str(seed)]
            return self._tool('train.py', config, *flags, '--cfg-options', *self._options(row, training=True))

        needs = ('infos', 'train-teacher') if ROWS[row].needs_teacher else ('infos',)
        inputs = (*self._model_code, *config_files(self._config(row)))
        title = f'train: {ROWS[row].title}' + ('' if len(self._seeds) == 1 or ROWS[row].once else f', seed {seed}')
        step = Step(f'train-{run}', title, command, 0, inputs, needs, work_dir, (work_dir / 'last_checkpoint',))
        self._add(step, ROWS[row].train_seconds)

    def _add_test(self, row: str, run: str) -> None:
        work_dir = self._paths.work_dir(run)

        def command() -> list[str]:
            arguments = [self._paths.shown(self._config(row)), self._checkpoint(run)]
            arguments += ['--work-dir', self._paths.shown(work_dir)]
            return self._tool('test.py', *arguments, '--cfg-options', *self._options(row, training=False))

        title = f'test: {run.replace("_seed", ", seed ")}'
        self._add(Step(f'test-{run}', title, command, 0, (), (f'train-{run}',)), 18)

    def _add_picture(self, row: str, run: str) -> None:
        """Pages of one model; the other side of the pair stands beside it, so that the maps can be compared."""
        out = self._paths.out / 'pictures' / row
        beside = 'distilled' if row == 'teacher' else 'teacher'
        beside_run = next(name for other, _, name in self._plan.runs if other == beside)
        role = 'student' if row == 'teacher' else 'teacher'

        def command() -> list[str]:
            other = [self._paths.shown(self._config(beside)), self._checkpoint(beside_run)]
            arguments = [self._paths.shown(self._config(row)), self._checkpoint(run), f'--{role}', *other]
            arguments += ['--out', self._paths.shown(out), '--num', str(self._size.pictures)]
            arguments += ['--title', ROWS[row].title, '--data-root', self._paths.shown(self._paths.data) + '/']
            return self._tool('analysis_tools/visualize.py', *arguments)

        inputs = (self._paths.package / 'visualization', self._paths.tools / 'analysis_tools' / 'visualize.py')
        after = (f'train-{run}', f'train-{beside_run}')
        self._add(Step(f'picture-{row}', f'pictures: {ROWS[row].title}', command, 0, inputs, after, out, (out,)), 6)
