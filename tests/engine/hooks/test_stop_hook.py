"""A run that is asked to stop saves, says so, ends with its status, and goes on to the same bits."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from mmdet3d.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from toy_run import toy_config

from bevdistill.checkpoints.find import latest_checkpoint
from bevdistill.engine.launch import run_training
from bevdistill.engine.stopping import SIGNALS, STOPPED, RunStopped, stop_on_signals


@HOOKS.register_module(force=True)
class SendSignal(Hook):
    """Sends this process a signal when a method of hooks is called for the so-manieth time."""

    def __init__(self, where: str, count: int, number: int = signal.SIGTERM, rank: int = 0) -> None:
        def send(*args: Any, **kwargs: Any) -> None:
            self.left -= 1
            if not self.left and int(os.environ.get('RANK', 0)) == rank:
                os.kill(os.getpid(), number)

        self.left = count
        setattr(self, where, send)


def training(folder: Path, by_iter: bool, hooks: Any = (), **changes: Any) -> Path:
    """Train with a seed, resumed where there is something to resume; returns the work dir."""
    cfg = toy_config(folder, by_iter, **changes)
    cfg.custom_hooks = [dict(type='SendSignal', **hook) for hook in hooks]
    cfg.resume = True
    run_training(cfg)
    return Path(cfg.work_dir)


def state(work_dir: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(str(latest_checkpoint(work_dir)), weights_only=True)
    return content


def assert_same(one: Path, two: Path) -> None:
    a, b = state(one), state(two)
    assert all(torch.equal(a['state_dict'][name], value) for name, value in b['state_dict'].items())
    assert repr(a['optimizer']) == repr(b['optimizer'])
    assert repr(a['param_schedulers']) == repr(b['param_schedulers'])


@pytest.mark.parametrize('by_iter', [False, True])
@pytest.mark.parametrize(
    ('where', 'count'),
    [('before_train_iter', 6), ('after_train_iter', 8), ('before_train_epoch', 2), ('before_val_iter', 2)],
)
def test_stopped_and_resumed_run_equals_an_undisturbed_one(tmp_path, by_iter: bool, where: str, count: int) -> None:
    for name in ('whole', 'cut'):
        (tmp_path / name).mkdir()
    whole = training(tmp_path / 'whole', by_iter)
    if by_iter and where == 'before_train_epoch':
        count = 1
    with pytest.raises(RunStopped, match=r'by SIGTERM after iteration \d+; .*\.pth is whole.*--resume') as ended:
        training(tmp_path / 'cut', by_iter, [dict(where=where, count=count)])
    assert ended.value.code == STOPPED
    cut = training(tmp_path / 'cut', by_iter)
    assert_same(cut, whole)
    if not by_iter:
        assert {file.name for file in cut.glob('*.pth')} == {file.name for file in whole.glob('*.pth')}


def test_all_signals_and_handlers_are_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    for number in SIGNALS:
        folder = tmp_path / number.name
        folder.mkdir()
        with pytest.raises(RunStopped, match=f'stopped by {number.name} after iteration 1;'):
            training(folder, True, [dict(where='before_train_iter', count=2, number=int(number))])
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_accumulated_gradients_are_stepped_first(tmp_path: Path) -> None:
    with pytest.raises(RunStopped, match='after iteration 6;'):
        training(
            tmp_path, True, [dict(where='before_train_iter', count=5)], **{'optim_wrapper.accumulative_counts': 3}
        )


def test_a_second_interrupt_does_not_wait() -> None:
    with stop_on_signals() as request:
        request.training = True
        os.kill(os.getpid(), signal.SIGINT)
        assert request.name == 'SIGINT'
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_before_the_first_iteration_there_is_nothing_to_save() -> None:
    with pytest.raises(RunStopped, match='by SIGUSR1 while nothing was to be saved') as ended, stop_on_signals():
        os.kill(os.getpid(), signal.SIGUSR1)
    assert ended.value.code == STOPPED


def run_rank(rank: int, cfg: Config, hooks: Any) -> None:
    """One of two ranks; its exit status is that of the run."""
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    torch.set_num_threads(1)
    cfg.custom_hooks = [dict(type='SendSignal', **hook) for hook in hooks]
    run_training(cfg)


def test_two_ranks_stop_after_the_same_iteration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = toy_config(tmp_path, True, launcher='pytorch', resume=True)
    for port, hooks in ((29731, [dict(where='before_train_iter', count=3, rank=1)]), (29732, [])):
        for name, value in dict(WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)).items():
            monkeypatch.setenv(name, value)
        ranks = [mp.get_context('fork').Process(target=run_rank, args=(rank, cfg, hooks)) for rank in range(2)]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join(90)
        assert [process.exitcode for process in ranks] == ([STOPPED] * 2 if hooks else [0, 0])
        names = {file.name for file in (tmp_path / 'run').glob('*.pth')}
        assert names == ({'iter_4.pth'} if hooks else {'iter_4.pth', 'iter_6.pth', 'iter_12.pth'})
