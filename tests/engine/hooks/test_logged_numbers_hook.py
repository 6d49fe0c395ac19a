"""What an iteration logs comes to the host with the check of its losses, in one transfer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from host_syncs import HostSyncs, count_host_syncs
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from toy_run import toy_config, train

from bevdistill.engine.hooks import LoggedNumbersHook


class Outputs(Hook):
    """Keeps what other hooks are given."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.norms: list[float] = []

    def after_train_iter(self, runner: Runner, *args: Any, outputs: Any = None, **kwargs: Any) -> None:
        self.seen.append(dict(outputs))
        self.norms.append(float(runner.message_hub.get_scalar('train/grad_norm').current()))


def iterations(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> tuple[list[HostSyncs], Outputs]:
    """Waits of each iteration, hooks included, and its outputs."""
    counted: list[HostSyncs] = []
    run = IterBasedTrainLoop.run_iter

    def watched(self: Any, batch: Any) -> None:
        with count_host_syncs() as syncs:
            run(self, batch)
        counted.append(syncs)

    monkeypatch.setattr(IterBasedTrainLoop, 'run_iter', watched)
    outputs = Outputs()
    quiet = {'train_cfg.max_iters': 3, 'train_cfg.val_interval': 10, 'default_hooks.checkpoint.interval': 10}
    # AdamW counts its steps on the host, where reading a number is no wait but looks like one here.
    train(toy_config(folder, by_iter=True, **quiet, **{'optim_wrapper.optimizer.type': 'SGD'}, **changes), outputs)
    return counted, outputs


def test_an_iteration_waits_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted, outputs = iterations(tmp_path, monkeypatch)
    # The last iteration saves a checkpoint.
    for syncs in counted[:-1]:
        assert syncs.number == 1, str(syncs)
        assert 'finite_loss_hook.py' in str(syncs)
    for seen in outputs.seen:
        assert set(seen) == {'loss', 'loss_cls', 'loss_bbox', 'accuracy'}
        assert all(isinstance(value, float) for value in seen.values())
        assert seen['loss'] == pytest.approx(seen['loss_cls'] + seen['loss_bbox'])
    assert all(norm > 0 for norm in outputs.norms)


def test_same_numbers_as_without_the_hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    others = {f'default_hooks.{hook}.type': 'EmptyCacheHook' for hook in ('logged_numbers', 'finite_loss')}
    for place, changes in enumerate(({}, others)):
        folder = tmp_path / str(place)
        folder.mkdir()
        outputs = iterations(folder, monkeypatch, **changes)[1]
        found.append(([{name: float(value) for name, value in seen.items()} for seen in outputs.seen], outputs.norms))
    assert found[0] == found[1]


def test_without_the_check_it_fetches_by_itself() -> None:
    outputs = dict(loss=torch.tensor(1.5), accuracy=torch.tensor([0.25]), names=['a'], map=torch.zeros(2))
    runner: Any = SimpleNamespace(hooks=[])
    with count_host_syncs() as syncs:
        LoggedNumbersHook().after_train_iter(runner, 0, None, outputs)
        LoggedNumbersHook().after_train_iter(runner, 0, None, None)
    assert syncs.number == 1, str(syncs)
    assert (outputs['loss'], outputs['accuracy'], outputs['names']) == (1.5, 0.25, ['a'])
