"""The shipped schedules, stepped through."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import shipped_configs
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from torch import nn
from toy_run import REPO


def step_through(cfg: Config, epochs: int, length: int) -> list[list[dict[str, float]]]:
    """Learning rate and beta1 of each parameter group at every iteration, stepped as mmengine's runner does."""
    init_default_scope('mmdet3d')
    model = nn.ModuleDict(dict(img_backbone=nn.Linear(1, 1), head=nn.Linear(1, 1)))
    optim: OptimWrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    schedulers: list[Any] = []
    for entry in cfg.param_scheduler:
        entry = dict(entry)
        entry.setdefault('end', epochs if entry['by_epoch'] else epochs * length)
        schedulers.append(PARAM_SCHEDULERS.build(entry, default_args=dict(optimizer=optim, epoch_length=length)))
    seen = []
    for _ in range(epochs):
        for _ in range(length):
            seen.append([dict(lr=g['lr'], beta=g['betas'][0]) for g in optim.param_groups])
            for scheduler in schedulers:
                if not scheduler.by_epoch:
                    scheduler.step()
        for scheduler in schedulers:
            if scheduler.by_epoch:
                scheduler.step()
    return seen


def load(name: str, folder: Path, changes: str = '') -> Config:
    file = folder / 'child.py'
    file.write_text(f"_base_ = ['{REPO}/configs/_base_/schedules/{name}.py']\n{changes}")
    return Config.fromfile(str(file))


def test_cosine(tmp_path: Path) -> None:
    cfg = load('cosine-24e', tmp_path)
    groups = step_through(cfg, epochs=cfg.train_cfg.max_epochs, length=520)
    rates = [groups[i][-1]['lr'] for i in range(24 * 520)]
    assert rates[0] == pytest.approx(2e-4 / 3)
    assert rates[250] == pytest.approx(2e-4 * (1 + 2 * 250 / 499) / 3, rel=1e-2)
    assert rates[500] == rates[519] == pytest.approx(2e-4)
    for epoch in (1, 12, 23):
        expected = 2e-7 + (2e-4 - 2e-7) * (1 + math.cos(math.pi * epoch / 24)) / 2
        assert rates[520 * epoch] == rates[520 * epoch + 519] == pytest.approx(expected, rel=1e-6)
    backbone = [groups[i][0]['lr'] for i in range(24 * 520)]
    assert backbone == pytest.approx([rate * 0.1 for rate in rates])


def test_cosine_of_a_short_run_by_its_numbers(tmp_path: Path) -> None:
    changes = 'train_cfg = dict(max_epochs=2)\n_base_.param_scheduler[0].end = 10\n'
    cfg = load('cosine-24e', tmp_path, changes + '_base_.param_scheduler[1].convert_to_iter_based = True\n')
    assert cfg.train_cfg == dict(by_epoch=True, max_epochs=2, val_interval=6)
    rates = [group[-1]['lr'] for group in step_through(cfg, epochs=2, length=50)]
    assert rates[0] == pytest.approx(2e-4 / 3)
    assert max(rates) > 1.9e-4
    assert rates[50] == pytest.approx(1e-4, rel=0.05)
    assert rates[99] < 1e-6
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_cyclic(tmp_path: Path) -> None:
    cfg = load('cyclic-20e', tmp_path)
    seen = [groups[0] for groups in step_through(cfg, epochs=cfg.train_cfg.max_epochs, length=100)]
    rates, betas = [entry['lr'] for entry in seen], [entry['beta'] for entry in seen]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == pytest.approx(1e-3, rel=1e-3) and rates.index(max(rates)) == pytest.approx(800, abs=2)
    assert rates[-1] == pytest.approx(1e-8, rel=1.0)
    assert betas[0] == pytest.approx(0.9)
    assert min(betas) == pytest.approx(0.9 * 0.85 / 0.95, rel=1e-3)
    assert betas.index(min(betas)) == pytest.approx(800, abs=2)
    assert betas[-1] == pytest.approx(0.9, rel=1e-3)
    assert max(betas) <= 0.9 + 1e-6


def test_turning_point_within_an_epoch(tmp_path: Path) -> None:
    changes = 'train_cfg = dict(max_epochs=1)\n' + ''.join(
        f'_base_.param_scheduler[{i}].begin, _base_.param_scheduler[{i}].end = {span}\n'
        for i, span in enumerate(['0, 0.4', '0.4, 1', '0, 0.4', '0.4, 1'])
    )
    seen = [groups[0]['lr'] for groups in step_through(load('cyclic-20e', tmp_path, changes), epochs=1, length=100)]
    assert seen.index(max(seen)) == pytest.approx(40, abs=2)
    assert max(seen) == pytest.approx(1e-3, rel=1e-2)
    torch.testing.assert_close(torch.tensor(seen[0]), torch.tensor(1e-4))


TWINS = sorted(file for file in (REPO / 'configs' / 'synthetic').glob('*/*.py') if file.parent.name != '_base_')


@pytest.mark.parametrize('file', TWINS, ids=lambda file: f'{file.parent.name}/{file.stem}')
def test_the_rate_of_a_twin_is_for_one_process(file: Path) -> None:
    cfg = shipped_configs.load(file)
    assert cfg.auto_scale_lr == dict(enable=False, base_batch_size=cfg.train_dataloader.batch_size)
