"""A resumed run equals an uninterrupted one, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from toy_run import toy_config, train

from bevdistill.checkpoints.find import latest_checkpoint


def everything(runner: Runner) -> dict[str, Any]:
    """Weights, optimizer state, learning rates and logged losses of a finished run."""
    hub = runner.message_hub
    return dict(
        weights=runner.model.state_dict(),
        optimizer=runner.optim_wrapper.state_dict(),
        rates=[scheduler.state_dict() for scheduler in runner.param_schedulers],
        losses=[hub.get_scalar(f'train/{name}').data[0].tolist() for name in ('loss', 'loss_cls', 'lr')],
        counters=(runner.epoch, runner.iter),
    )


def assert_equal(left: Any, right: Any, where: str = 'run') -> None:
    if isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left:
            assert_equal(left[key], right[key], f'{where}.{key}')
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), where
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            assert_equal(one, other, f'{where}.{index}')
    elif isinstance(left, torch.Tensor):
        assert torch.equal(left, right), where
    else:
        assert left == right, where


class PowerCutError(Exception):
    """What a power cut looks like from inside."""


class PowerCut(Hook):
    def __init__(self, at: int) -> None:
        self.at = at

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter == self.at:
            raise PowerCutError


def halves(folder: Path, by_iter: bool, workers: int) -> tuple[Runner, Runner]:
    """One run in one go, and one that dies after half and is resumed."""
    for name in ('whole', 'halves'):
        (folder / name).mkdir()
    whole = train(toy_config(folder / 'whole', by_iter, workers))
    with pytest.raises(PowerCutError):
        train(toy_config(folder / 'halves', by_iter, workers), PowerCut(7 if by_iter else 9))
    second = toy_config(folder / 'halves', by_iter, workers)
    second.load_from, second.resume = latest_checkpoint(second.work_dir), True
    assert second.load_from.endswith('iter_6.pth' if by_iter else 'epoch_2.pth')
    return whole, train(second)


@pytest.mark.parametrize('by_iter', [False, True], ids=['epochs', 'iterations'])
@pytest.mark.parametrize('workers', [0, 2])
def test_resumed_run_equals_uninterrupted_run(tmp_path: Path, by_iter: bool, workers: int) -> None:
    whole, resumed = halves(tmp_path, by_iter, workers)
    assert_equal(everything(whole), everything(resumed))


def short(folder: Path, name: str, workers: int = 0, **changes: Any) -> dict[str, Any]:
    (folder / name).mkdir()
    return everything(train(toy_config(folder / name, workers=workers, **({'train_cfg.max_epochs': 2} | changes))))


def test_neither_workers_nor_validation_change_the_training(tmp_path: Path) -> None:
    plain = short(tmp_path, 'plain')
    assert_equal(plain, short(tmp_path, 'workers', workers=3))
    assert_equal(plain, short(tmp_path, 'rare', **{'train_cfg.val_interval': 2}))


def test_seeds_give_different_runs(tmp_path: Path) -> None:
    losses = [short(tmp_path, str(seed), **{'randomness.seed': seed})['losses'][0] for seed in (0, 1)]
    assert losses[0] != losses[1]


def test_resumed_iterations_load_nothing_that_was_seen(tmp_path: Path) -> None:
    train(toy_config(tmp_path, by_iter=True, **{'train_cfg.max_iters': 6}))
    cfg = toy_config(tmp_path, by_iter=True)
    cfg.load_from, cfg.resume = latest_checkpoint(cfg.work_dir), True
    runner = train(cfg)
    assert len(runner.train_dataloader.dataset.dataset.loaded) == 6 * 2
