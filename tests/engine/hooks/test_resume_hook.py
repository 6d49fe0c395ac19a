"""A resumed run follows the rates and schedules of its own config, or is refused with what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from toy_run import toy_config, train

from bevdistill.engine.hooks import resume_hook

pytestmark = pytest.mark.usefixtures('one_thread')

STOPPED = {'train_cfg.max_iters': 6, 'default_hooks.checkpoint.interval': 6}


class Rates(Hook):
    """Rate of the head in every iteration, with the iteration's number."""

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self.seen[runner.iter] = runner.optim_wrapper.param_groups[-1]['lr']


def rates(folder: Path, resume: bool = False, **changes: Any) -> dict[int, float]:
    cfg = toy_config(folder, by_iter=True, **{'train_cfg.val_interval': 100, **changes})
    if resume:
        cfg.resume, cfg.load_from = True, str(folder / 'run/iter_6.pth')
    recorder = Rates()
    train(cfg, recorder)
    return recorder.seen


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    rates(tmp_path, **STOPPED)
    return tmp_path


@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        ({'train_cfg.max_iters': 12}, 'CosineAnnealingLR T_max 6 -> 12'),
        ({'optim_wrapper.optimizer.lr': 1e-5, 'train_cfg.max_iters': 9}, r'lr 0.0002 -> 1e-05'),
        ({'optim_wrapper.optimizer.weight_decay': 0.5, 'train_cfg.max_iters': 8}, 'weight_decay 0.01 -> 0.5'),
    ],
)
def test_rates_are_those_of_the_config_from_its_beginning(
    stopped: Path, changes: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    resumed = rates(stopped, True, **changes)
    said = capsys.readouterr()
    assert told in f'{said.out}{said.err}'
    (stopped / 'whole').mkdir()
    whole = rates(stopped / 'whole', **changes)
    assert sorted(resumed) == list(range(6, changes['train_cfg.max_iters']))
    assert resumed == {iteration: whole[iteration] for iteration in resumed}


def test_other_batches_go_on_at_the_same_epoch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four iterations an epoch, then two: after two epochs rates are those that a run of such batches has there."""

    def run(folder: Path, epochs: int, batch: int, start: Path | None = None) -> dict[int, float]:
        folder.mkdir(exist_ok=True)
        cfg = toy_config(folder, **{'train_cfg.max_epochs': epochs, 'train_dataloader.batch_size': batch})
        cfg.resume, cfg.load_from = start is not None, start and str(start)
        recorder = Rates()
        train(cfg, recorder)
        return recorder.seen

    assert sorted(run(tmp_path, 2, 2)) == list(range(8))
    resumed = run(tmp_path / 'resumed', 4, 4, tmp_path / 'run/epoch_2.pth')
    said = capsys.readouterr()
    assert 'iterations of an epoch 4 -> 2. Rates' in f'{said.out}{said.err}'
    whole = run(tmp_path / 'whole', 4, 4)
    assert resumed == {iteration: whole[iteration] for iteration in range(4, 8)}


def test_another_number_of_processes_is_said(
    stopped: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run by iterations goes on at its iteration, in the data where a run of so many processes would be."""
    monkeypatch.setattr(resume_hook, 'get_world_size', lambda: 2)
    assert sorted(rates(stopped, True, **{'train_cfg.max_iters': 8, 'train_dataloader.batch_size': 3})) == [6, 7]
    said = ''.join(capsys.readouterr())
    assert 'is of 1 process with a batch of 2, this run has 2 processes with a batch of 3' in said
    assert 'takes 6 samples in place of 2' in said


def test_the_same_config_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = rates(tmp_path, **{'default_hooks.checkpoint.interval': 6, 'train_cfg.max_iters': 8})
    resumed = rates(tmp_path, True, **{'train_cfg.max_iters': 8})
    said = capsys.readouterr()
    assert not any(words in f'{said.out}{said.err}' for words in ('differs from the checkpoint', 'this run has'))
    assert resumed == {iteration: whole[iteration] for iteration in (6, 7)}


def test_a_group_of_each_parameter_goes_on_joined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in checkpoints of mmengine's constructor, which earlier releases called."""
    length = {'train_cfg.max_iters': 12, 'optim_wrapper.clip_grad': dict(max_norm=0.1)}
    whole = rates(tmp_path, **length, **{'optim_wrapper.constructor': 'DefaultOptimWrapperConstructor'})
    states = {number: torch.load(tmp_path / f'run/iter_{number}.pth', weights_only=True) for number in (6, 12)}
    assert rates(tmp_path, True, **length) == {iteration: whole[iteration] for iteration in range(6, 12)}
    assert 'differs from the checkpoint' not in ''.join(capsys.readouterr())
    resumed = torch.load(tmp_path / 'run/iter_12.pth', weights_only=True)
    assert all(torch.equal(value, resumed['state_dict'][name]) for name, value in states[12]['state_dict'].items())
    groups = [[len(group['params']) for group in state['optimizer']['param_groups']] for state in (states[6], resumed)]
    assert groups == [[1] * 6, [2, 4]]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'optim_wrapper.optimizer': dict(_delete_=True, type='SGD', lr=0.1)}, r'another kind .* only one has .*betas'),
        ({'optim_wrapper.paramwise_cfg': None}, r'the checkpoint has \d+ groups of \d+ parameters, this config'),
    ],
)
def test_what_cannot_go_on_is_refused(stopped: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rates(stopped, True, **changes)


def test_text_of_a_config_in_a_checkpoint_is_not_run(stopped: Path) -> None:
    file = stopped / 'run/iter_6.pth'
    checkpoint = torch.load(file, weights_only=True)
    checkpoint['meta']['config'] = f'open({str(stopped / "trace")!r}, "w").close()'
    torch.save(checkpoint, file)
    rates(stopped, True, **{'train_cfg.max_iters': 7})
    assert not (stopped / 'trace').exists()
