"""Whole runs by the tools: training, resuming, several processes, the teacher cache, testing."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from bevdistill.engine.launch import load_config
from bevdistill.studies.work_dirs import METRICS, read_metrics

from ..models import drop_pretrained, random_teacher, set_up
from .block import Check
from .steps import KINDS, REPO

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def short_config(check: Check, kind: str, iterations: int, name: str = '') -> Path:
    """Write a config of a few iterations on the small data, batch 2, no worker processes."""
    cfg = load_config(REPO / KINDS[kind], {'train_cfg.max_iters': iterations, 'train_dataloader.batch_size': 2})
    drop_pretrained(cfg.model)
    for part in (*LOADERS, 'val_evaluator', 'test_evaluator'):
        point_at(cfg[part], check.data)
    for loader in LOADERS:
        cfg[loader].update(num_workers=0, persistent_workers=False)
    cfg.train_cfg.update(val_interval=1000, val_begin=1000)
    cfg.default_hooks.checkpoint.update(interval=2)
    if kind == 'distiller':
        set_up(1)
        torch.manual_seed(0)
        random_teacher(cfg, check.out / f'{name or kind}_teacher.pth')
    # As a Python file it would be sorted, and with it the stages of the pipelines.
    file = check.out / f'{name or kind}_{iterations}.json'
    cfg.dump(str(file))
    return file


def point_at(node: Any, root: Path) -> None:
    """Give every data set and metric of a config the small data."""
    for item in node if isinstance(node, list | tuple) else ():
        point_at(item, root)
    for key, value in node.items() if isinstance(node, dict) else ():
        if key == 'data_root':
            node[key] = f'{root}/'
        elif key == 'ann_file':
            node[key] = str(root / Path(value).name)
        point_at(value, root)


def call(check: Check, name: str, *words: object, cpu: bool = False) -> str:
    """Run a tool; returns an empty string, or the last line of what it said where it failed."""
    env = {**os.environ, 'MPLBACKEND': 'Agg'} | ({'CUDA_VISIBLE_DEVICES': ''} if cpu else {})
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=REPO, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    (check.out / f'{check.name}_{name}.log').write_text(done.stdout + done.stderr)
    said = (done.stderr or done.stdout).strip().splitlines()
    return '' if done.returncode == 0 else said[-1] if said else f'exit status {done.returncode}'


def report(check: Check, faults: dict[str, str], more: str = '', **found: Any) -> bool:
    """Keep which runs failed and how."""
    failed = {name: fault for name, fault in faults.items() if fault}
    shown = '; '.join(f'{name}: {fault}' for name, fault in failed.items())
    good = [name for name in faults if name not in failed]
    shown = f'; failed: {shown}' if failed else ''
    check.tell(f'{", ".join(good) or "nothing"} ran{more}{shown}', faults=faults, **found)
    return not failed


def train(check: Check) -> bool:
    """Train each kind of model by tools/train.py: a distiller in float16 with resume, history in bfloat16."""
    half = ['--amp'] if check.device == 'cuda' else ['--amp', 'bfloat16']
    plans = dict(teacher=[], student=[], temporal=['--amp', 'bfloat16'], distiller=half)
    files = {kind: short_config(check, kind, 2) for kind in plans}
    longer = short_config(check, 'distiller', 4)

    def run(kind: str) -> str:
        folder = check.out / f'run_{kind}'
        fault = call(check, kind, 'tools/train.py', files[kind], '--work-dir', folder, *plans[kind])
        if kind == 'distiller' and not fault:
            fault = call(check, 'resumed', 'tools/train.py', longer, '--work-dir', folder, '--resume', *plans[kind])
        wanted = folder / f'iter_{4 if kind == "distiller" else 2}.pth'
        return fault or ('' if wanted.is_file() else f'no {wanted.name}')

    with ThreadPoolExecutor(4 if check.device == 'cuda' else 1) as pool:
        faults = dict(zip(plans, pool.map(run, plans), strict=True))
    return report(check, faults, f', the distiller with {" ".join(half)} resumed')


def processes(check: Check) -> bool:
    """Train under torchrun: one process with NCCL, two with gloo that share the card."""
    file = short_config(check, 'student', 2, 'parallel')
    plans = dict(nccl=(1, 'nccl'), gloo=(2, 'gloo'))
    faults = {}
    for name, (number, backend) in plans.items():
        if check.device == 'cpu' and name == 'nccl':
            continue
        faults[f'{number} x {name}'] = call(
            check, name, '-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={number}', 'tools/train.py',
            file, '--launcher', 'pytorch', '--work-dir', check.out / f'run_{name}', '--cfg-options',
            f'env_cfg.dist_cfg.backend={backend}',
        )  # fmt: skip
    return report(check, faults, ' under torchrun')


def cache(check: Check) -> bool:
    """Write a teacher cache, train with it, and compare a test with memory with the CPU's metrics."""
    file = short_config(check, 'distiller', 2, 'cached')
    cfg = load_config(file)
    folder, teacher = check.out / 'teacher_cache', cfg.model.teacher_checkpoint
    faults = dict(writer=call(check, 'writer', 'tools/cache_teacher.py', file, teacher, '--out', folder))
    options = ('--cfg-options', f'model.teacher_cache={folder}')
    faults['cached training'] = call(
        check, 'training', 'tools/train.py', file, '--work-dir', check.out / 'run_cached', *options)
    temporal, weights = short_config(check, 'temporal', 2, 'tested'), check.out / 'temporal.pth'
    set_up(1)
    from ..models import build

    torch.save(dict(state_dict=build(load_config(temporal).model, 'cpu').state_dict()), weights)
    scores, unsaid = {}, ('--cfg-options', 'default_hooks.checkpoint_identity.ignore=[box_convention]')
    for place in dict.fromkeys((check.device, 'cpu')):
        work = check.out / f'run_test_{place}'
        faults[f'test on {place}'] = call(
            check, f'test_{place}', 'tools/test.py', temporal, weights, '--work-dir', work, *unsaid, cpu=place == 'cpu')
        found = {} if faults[f'test on {place}'] else read_metrics(work)[0]
        scores[place] = {name: found[name] for name in METRICS if name in found}
    first, second = scores[check.device], scores['cpu']
    apart = max((abs(first[name] - second.get(name, 0)) for name in first), default=1)
    good = report(check, faults, f'; metrics differ from the CPU\'s by {apart:.1e}', metrics=scores, difference=apart)
    return good and apart < 1e-2
