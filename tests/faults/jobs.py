"""The commands that faults are made in, on data of seconds: what each does, leaves, and must not lose."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cache_runs
import mmengine.runner.runner
import tiny_runs
import torch
from faults.forks import forked
from mmengine.config import Config
from study_folder import StudyFolder
from toy_run import write_config

from bevdistill.checkpoints.damage import damage_of
from bevdistill.checkpoints.find import latest_checkpoint
from bevdistill.cli.main import main
from bevdistill.datasets.infos import create_nuscenes_infos
from bevdistill.synthetic import make_dataset
from bevdistill.synthetic.presets import PRESETS

STUDENT = cache_runs.CONFIGS / 'synthetic' / 'bevformer' / 'bevformer_r50_1x_nus-3d.py'
SMALL = replace(PRESETS['tiny'], train_scenes=2, val_scenes=1, train_keyframes=2, val_keyframes=2, sweep_slots=(3, 6))
TOY = """
train_cfg.update(max_iters=24)
default_hooks['checkpoint'].update(interval=2, max_keep_ckpts=1)
"""
"""A checkpoint every other iteration, of which one is kept; 24 iterations of milliseconds."""


@dataclass(frozen=True)
class Job:
    """A command in a folder of its own.

    Args:
        name: What it is called in the report.
        run: Runs it in a folder; returns its exit status.
        made: Digest of what it has made in a folder, the same for every run that was not disturbed.
    """

    name: str
    run: Callable[[Path], Any]
    made: Callable[[Path], str]


def progress_of(work_dir: Path) -> int:
    """Iterations of the newest checkpoint, all of which are whole.

    Raises:
        AssertionError: If one is not.
    """
    files = sorted(work_dir.glob('*.pth'))
    for file in files:
        assert damage_of(file) is None, f'{file} is no whole checkpoint'
    newest = latest_checkpoint(work_dir)
    return int(Path(newest).stem.rpartition('_')[2]) if newest else 0


def weights_digest(work_dir: Path) -> str:
    """Digest of all weights and of the optimizer's state in the newest checkpoint."""
    content = torch.load(str(latest_checkpoint(work_dir)), map_location='cpu', weights_only=True)
    return _digest(repr(_plain({key: content[key] for key in ('state_dict', 'optimizer')})).encode())


def train(config: Path, name: str) -> Job:
    """A training that goes on where it was."""

    def run(folder: Path) -> Any:
        return main(['train', str(config), '--work-dir', str(folder / 'run'), '--resume'])

    return Job(name, run, lambda folder: weights_digest(folder / 'run'))


def jobs(place: Path) -> dict[str, Job]:
    """Make data, a teacher and configs; returns the jobs by name."""
    data, infos, teacher = place / 'data', place / 'infos', place / 'teacher.pth'
    distilled = cache_runs.distilled(teacher, (data, infos), place / 'run', iterations=6)

    def prepare() -> None:
        make_dataset(data, SMALL, 'v1.0-mini', seed=0, workers=1, progress=False)
        infos.mkdir()
        create_nuscenes_infos(data, 'v1.0-mini', infos)
        cache_runs.save_teacher(teacher, distilled.model.teacher)

    # In a fork: threads that compiled kernels start are not to be there when others are forked.
    prepared = forked(prepare, place / 'log')
    if prepared.status:
        raise RuntimeError(f'no data: {prepared.said[-3000:]}')
    configs = {
        'student': tiny_runs.tiny_config(
            STUDENT, 6, data, infos, place / 'run', {'default_hooks.checkpoint.interval': 1}
        ),
        'distilled': distilled,
    }
    for name, cfg in configs.items():
        cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=1)
        cfg.dump(str(place / f'{name}.py'))
    # Asking compilers for their version takes half a second per run, formatting the config as much per checkpoint.
    mmengine.runner.runner.collect_env = dict
    Config.pretty_text = property(lambda cfg: repr(cfg.to_dict()))  # type: ignore[assignment]
    toy = write_config(place, by_iter=True, extra=TOY).rename(place / 'toy.py')
    found = [
        Job('synthetic', lambda folder: _synthetic(folder), lambda folder: tree_digest(folder / 'data')),
        Job('create', lambda folder: _create(data, folder), lambda folder: tree_digest(folder / 'infos')),
        Job('cache', lambda folder: _cache(place / 'distilled.py', teacher, folder), _cache_digest),
        train(toy, 'train, toy'),
        train(place / 'student.py', 'train, student'),
        train(place / 'distilled.py', 'train, distilled'),
        Job('test', lambda folder: _test(toy, folder), _test_digest),
        Job('study', lambda folder: _study(folder), _study_digest),
    ]
    return {job.name: job for job in found}


def tree_digest(folder: Path, leave_out: tuple[str, ...] = ()) -> str:
    """Digest of names and contents below a folder; a part of a file among them is a fault."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob('*') if path.is_file() and path.name not in leave_out):
        assert '.part' not in file.name, f'{file} was left'
        total.update(str(file.relative_to(folder)).encode())
        total.update(file.read_bytes())
    return total.hexdigest()


def _synthetic(folder: Path) -> int:
    if not (folder / 'data').exists():
        make_dataset(folder / 'data', SMALL, 'v1.0-mini', seed=0, workers=1, progress=False)
    return 0


def _create(data: Path, folder: Path) -> int:
    out = str(folder / 'infos')
    return main(['data', 'create', 'nuscenes', '--root-path', str(data), '--version', 'v1.0-mini', '--out-dir', out])


def _cache(config: Path, teacher: Path, folder: Path) -> int:
    options = ['--workers', '0', '--batch-size', '1']
    return main(['cache', str(config), str(teacher), '--out', str(folder / 'cache'), *options])


def _cache_digest(folder: Path) -> str:
    manifest = json.loads((folder / 'cache' / 'manifest.json').read_text())
    assert manifest.pop('complete'), 'the cache is not complete'
    manifest.pop('command')
    return _digest(json.dumps(manifest).encode(), tree_digest(folder / 'cache', ('manifest.json',)).encode())


def _test(config: Path, folder: Path) -> int:
    if not (folder / 'iter_24.pth').exists():  # Trained once, by the caller.
        shutil.copy(config.parent / 'trained.pth', folder / 'iter_24.pth')
    return main(['test', str(config), str(folder / 'iter_24.pth'), '--work-dir', str(folder / 'test')])


def _test_digest(folder: Path) -> str:
    files = sorted(file for file in (folder / 'test').glob('*/*.json') if file.name != 'tested.json')
    results = [json.loads(file.read_text()) for file in files]
    assert results, 'no metrics'
    return _digest(repr(results[-1]['toy/mean']).encode(), (folder / 'iter_24.pth').read_bytes())


def _study(folder: Path) -> int:
    # Its tools are stand-ins that train nothing: records, locks and the order of jobs are what is tried.
    return max(StudyFolder(folder / 'study').run_plain().values(), default=0)


def _study_digest(folder: Path) -> str:
    records = StudyFolder(folder / 'study').records()
    assert {record['state'] for record in records.values()} == {'done'}
    kept = [(name, record.get('metrics'), record.get('checkpoint', {}).get('file')) for name, record in records.items()]
    return _digest(repr(sorted(kept, key=lambda entry: entry[0])).encode())


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b'\0'.join(parts)).hexdigest()


def _plain(value: Any) -> Any:
    """Nested lists of names, numbers and digests of tensors."""
    if isinstance(value, torch.Tensor):
        return [str(value.dtype), tuple(value.shape), _digest(value.reshape(-1).view(torch.uint8).numpy().tobytes())]
    if isinstance(value, dict):
        return [[key, _plain(entry)] for key, entry in value.items()]
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
