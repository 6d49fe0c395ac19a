"""mmengine's EMAHook: average and last weights in one checkpoint, resumed bit for bit, evaluated; no teacher in it."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import tiny_runs
import torch
from mmengine.hooks import EMAHook, Hook
from toy_run import build, toy_config, train

from bevdistill.engine.launch import run_testing

pytestmark = pytest.mark.usefixtures('one_thread')

EMA = dict(type='EMAHook', momentum=0.1)
CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'synthetic'


def checkpoint(path: Path) -> dict[str, Any]:
    return torch.load(path, map_location='cpu', weights_only=True)


class Follow(Hook):
    """Computes the average by its formula."""

    priority = 'VERY_LOW'

    def __init__(self, momentum: float) -> None:
        self.momentum, self.average = momentum, {}

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        for name, value in runner.model.named_parameters():
            old = self.average.setdefault(name, value.detach().clone())
            self.average[name] = old + self.momentum * (value.detach() - old)


def test_a_checkpoint_holds_the_average_and_the_last_weights(tmp_path: Path) -> None:
    by_formula = Follow(0.1)
    runner = train(toy_config(tmp_path, by_iter=True, custom_hooks=[EMA]), by_formula)
    saved = checkpoint(tmp_path / 'run' / 'iter_12.pth')
    last = saved['ema_state_dict']
    assert int(last['steps']) == 12
    for name, value in runner.model.named_parameters():
        assert torch.equal(last[f'module.{name}'], value)
        torch.testing.assert_close(saved['state_dict'][name], by_formula.average[name])
        assert not torch.equal(saved['state_dict'][name], value), name


@pytest.mark.parametrize('by_iter', [True, False])
def test_a_resumed_average_equals_an_undisturbed_one(tmp_path: Path, by_iter: bool) -> None:
    (tmp_path / 'whole').mkdir()
    (tmp_path / 'cut').mkdir()
    name, middle = ('iter_12.pth', 'iter_6.pth') if by_iter else ('epoch_4.pth', 'epoch_2.pth')
    train(toy_config(tmp_path / 'whole', by_iter, custom_hooks=[EMA]))
    train(toy_config(tmp_path / 'cut', by_iter, custom_hooks=[EMA]))
    start = tmp_path / 'cut' / 'run' / middle
    train(toy_config(tmp_path / 'cut', by_iter, custom_hooks=[EMA], load_from=str(start), resume=True))
    want, got = (checkpoint(tmp_path / run / 'run' / name) for run in ('whole', 'cut'))
    for part in ('state_dict', 'ema_state_dict'):
        assert got[part].keys() == want[part].keys()
        assert all(torch.equal(got[part][key], want[part][key]) for key in want[part]), part


def test_scores_are_those_of_the_average(tmp_path: Path) -> None:
    cfg = toy_config(tmp_path, by_iter=True, custom_hooks=[EMA])
    cfg.train_cfg.val_interval = 12
    scores: list[float] = []

    class Scores(Hook):
        def after_val_epoch(self, runner: Any, metrics: Any = None) -> None:
            scores.append(metrics['toy/mean'])

    runner = train(cfg, Scores())
    path = tmp_path / 'run' / 'iter_12.pth'
    last = dict(runner.model.state_dict())
    for name, value in checkpoint(path)['ema_state_dict'].items():
        if name.startswith('module.'):
            assert torch.equal(last[name.removeprefix('module.')], value), 'validation left other weights behind'
    # With the hook and without: the file's own weights are the average.
    for hooks in ([EMA], []):
        metrics = run_testing(toy_config(tmp_path, by_iter=True, custom_hooks=hooks), str(path))
        assert metrics['toy/mean'] == pytest.approx(scores[-1], rel=1e-6)
    runner = build(toy_config(tmp_path, by_iter=True))
    runner.model.load_state_dict(last)
    assert runner.test()['toy/mean'] != pytest.approx(scores[-1], rel=1e-3)


def test_an_average_of_a_distiller_has_no_teacher(
    synthetic_root: Path, synthetic_infos: Path, tmp_path: Path
) -> None:
    def config(name: str, work_dir: str, **changes: Any) -> Any:
        options = {'train_dataloader.batch_size': 1, **changes}
        return tiny_runs.tiny_config(
            CONFIGS / name, 2, synthetic_root, synthetic_infos, tmp_path / work_dir, options
        )

    cfg = config('object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py', 'teacher')
    cfg.custom_hooks = [EMA]
    tiny_runs.train(cfg)
    teacher = tmp_path / 'teacher' / 'iter_2.pth'
    cfg = config('bevdistill/bevdistill_r50_1x_nus-3d.py', 'run', **{'model.teacher_checkpoint': str(teacher)})
    cfg.custom_hooks = [EMA]
    recorder = tiny_runs.train(cfg)
    model = recorder.runner.model
    hook = next(hook for hook in recorder.runner.hooks if isinstance(hook, EMAHook))
    assert hook.ema_model.module.teacher is model.teacher
    # The teacher's own average taught.
    taught_by = model.teacher.detector.state_dict()
    assert all(torch.equal(taught_by[key], value) for key, value in checkpoint(teacher)['state_dict'].items())
    saved = checkpoint(tmp_path / 'run' / 'iter_2.pth')
    assert {key.split('.')[0] for key in saved['state_dict']} == {'student', 'losses'}
    assert {key.split('.')[1] for key in saved['ema_state_dict'] if key != 'steps'} == {'student', 'losses'}
    assert deepcopy(model).teacher is model.teacher
