"""A bad input, the command that meets it, and the folder of good inputs that it is made in."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cache_runs
import own_data
import small_student
import tiny_runs
import torch
import yaml
from faults.forks import forked
from faults.jobs import SMALL, STUDENT
from made_up_work_dirs import work_dir
from mmengine.config import Config

from bevdistill.cli.main import main
from bevdistill.datasets.infos import create_nuscenes_infos
from bevdistill.synthetic import make_dataset

TRAIN = ['train', 'student.py', '--work-dir', 'fresh']
TEST = ['test', 'student.py', 'student.pth', '--work-dir', 'tested']
CHECK, DEEP = ['data', 'check', 'data'], ['data', 'check', 'data', '--deep']
CREATE = ['data', 'create', 'nuscenes', '--root-path', 'data', '--version', 'v1.0-mini', '--out-dir', 'out']
IMPORT = ['data', 'import', 'own']
CACHE = ['cache', 'distilled.py', 'teacher.pth', '--out', 'new', '--workers', '0', '--batch-size', '1']
CACHED = [
    'train', 'distilled.py', '--work-dir', 'fresh', '--cfg-options', 'model.teacher_cache=cache',
    'model.teacher_checkpoint=teacher.pth',
]  # fmt: skip
PREDICT = [
    'predict', 'tiny.py', 'distiller.pth', '--images', 'drive', '--calibration', 'drive/drive.jsonl', '--out', 'found',
    '--no-pictures',
]  # fmt: skip
SCORE, COMPARE = ['score', 'data', 'results_nusc.json'], ['compare', 'manifest.json']
GOOD = [CHECK, DEEP, IMPORT, CREATE, PREDICT, TRAIN, TEST, CACHE, CACHED]
"""Commands that end well where nothing is wrong."""
SHARED = ('.bin', '.jpg', '.png')
REPO = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Case:
    """A bad input.

    Args:
        kind: What is wrong, by which cases are counted.
        what: How it is wrong.
        words: The command line, as a person would type it.
        spoil: Makes the input bad, in a copy of the good folder.
        harmless: Why it may be taken, where it may.
    """

    kind: str
    what: str
    words: list[str]
    spoil: Callable[[], Any] = lambda: None
    harmless: str = ''


def put(file: Path, content: bytes) -> None:
    """Replace a file; it may be a link that other folders share."""
    file.unlink(missing_ok=True)
    file.write_bytes(content)


def copy_of(good: Path, folder: Path) -> None:
    """Copy the good folder; sensor files, which are most of it, are links."""

    def copy(source: str, target: str) -> None:
        (os.link if source.endswith(SHARED) else shutil.copy2)(source, target)

    shutil.copytree(good, folder, copy_function=copy)


@contextmanager
def good_inputs(name: str) -> Iterator[Path]:
    """Make the good inputs in the folder ``good`` of a new folder, which goes at the end."""
    place = Path(tempfile.mkdtemp(prefix=f'{name}-'))
    good = place / 'good'
    good.mkdir()
    try:
        made = forked(lambda: (os.chdir(good), make_good(good))[1], place / 'log')
        if made.status:
            raise RuntimeError(f'no good inputs: {made.said[-3000:]}')
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def make_good(place: Path) -> None:
    """Make data, configs, checkpoints, a cache, a study and results in the current folder."""
    warnings.filterwarnings('ignore')
    data, here = Path('data'), Path('.')
    make_dataset(data, SMALL, 'v1.0-mini', seed=0, workers=1, progress=False)
    create_nuscenes_infos(data, 'v1.0-mini', data)
    distilled = cache_runs.distilled(Path('teacher.pth'), (data, here), Path('fresh'), iterations=1)
    student = tiny_runs.tiny_config(STUDENT, 1, data, here, Path('fresh'), {'default_hooks.checkpoint.interval': 1})
    for name, cfg in (('student', student), ('distilled', distilled), ('teacher', Config.fromfile(tiny_runs.TEACHER))):
        cfg.pop('work_dir', None)
        cfg.dump(f'{name}.py')
    cache_runs.save_teacher(Path('teacher.pth'), distilled.model.teacher)
    for words in (['train', 'student.py', '--work-dir', 'run'], [*CACHE[:4], 'cache', *CACHE[5:]]):
        if main(words):
            raise RuntimeError(f'{words} fails')
    shutil.copy('run/iter_1.pth', 'student.pth')
    own_data.write_samples(Path('own'), [own_data.made_up_sample(Path('own'), index) for index in range(2)])
    make_drive()
    make_results()


def make_drive() -> None:
    """A small student and a drive in the layout of one's own data, for `predict`."""

    class Folders:
        def mktemp(self, name: str) -> Path:
            Path(name).mkdir()
            return Path(name)

    small_student.drive.__wrapped__(Folders())
    small_student.student_files.__wrapped__(Folders())
    Path('student/tiny.py').rename('tiny.py')
    Path('student/distiller.pth').rename('distiller.pth')


def make_results() -> None:
    """Predictions, work dirs, a manifest and a study."""
    if main([*TEST, '--keep-predictions']):
        raise RuntimeError('the test fails')
    content = json.loads(next(Path('tested').rglob('results_nusc.json')).read_text())
    content['results'] = {token: found[:2] for token, found in content['results'].items()}
    Path('results_nusc.json').write_text(json.dumps(content))
    for name in 'ab':
        work_dir(Path('runs'), name, 0.3)
    shutil.copy(REPO / 'docs/results/benchmark_first_manifest.json', 'manifest.json')
    rows = [dict(name=name, config=str(Path('student.py').absolute())) for name in ('one', 'two')]
    Path('study.yml').write_text(yaml.safe_dump(dict(data='data', seeds=[0, 1], rows=rows, metrics=['NDS'])))
    for name in ('tested', 'fresh'):
        shutil.rmtree(name, ignore_errors=True)
    torch.set_num_threads(1)
