"""A loss that is not a number stops the run before the step."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch import nn
from toy_run import toy_config, train

from bevdistill.engine.hooks.finite_loss_hook import FiniteLossHook, not_finite, sample_names


class Remember(Hook):
    """Keeps the weights and samples as they were when the iteration began."""

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.runner, self.weights = runner, copy.deepcopy(dict(runner.model.named_parameters()))
        self.tokens = [sample.token for sample in data_batch['data_samples']]


def test_run_stops_and_names_term_iteration_and_samples(tmp_path: Path) -> None:
    watch = Remember()
    message = r'iteration 3 \(epoch 1, rank 0\).*loss_bbox = nan.*loss_cls'
    with pytest.raises(FloatingPointError, match=message) as error:
        train(toy_config(tmp_path, **{'model.break_at': 3}), watch)
    assert f'Samples: {", ".join(watch.tokens)}.' in str(error.value)
    for name, parameter in watch.runner.model.named_parameters():
        assert torch.equal(parameter, watch.weights[name]), f'{name} took the step'
    assert str(error.value) in (Path(watch.runner.log_dir) / f'{watch.runner.timestamp}.log').read_text()


def test_model_is_left_as_it_was(tmp_path: Path) -> None:
    runner = train(toy_config(tmp_path, **{'train_cfg.max_epochs': 1}))
    assert 'parse_losses' not in vars(runner.model)
    assert not runner.model._forward_hooks


def test_other_passes_than_the_training_loss_are_not_checked() -> None:
    model, hook = Constant(torch.nan), FiniteLossHook()
    hook.before_train(SimpleNamespace(model=model, iter=4, epoch=0, logger=MMLogger.get_current_instance()))
    model(mode='predict')
    with pytest.raises(FloatingPointError, match=r'iteration 5 \(epoch 1, rank 0\).*loss_a = nan'):
        model(mode='loss')
    hook.before_train(SimpleNamespace(model=model))
    assert len(model._forward_hooks) == 1, 'a second training of the same hook does not check twice'
    hook.after_train(SimpleNamespace(model=model))
    model(mode='loss')


class Constant(nn.Module):
    """Returns one number as its loss in every mode."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, mode: str) -> dict[str, torch.Tensor]:
        return dict(loss_a=torch.tensor(self.value))


def test_only_trained_terms_count() -> None:
    bad = torch.tensor([1.0, float('inf')])
    losses = dict(loss_a=torch.ones(2), loss_b=[torch.ones(1), bad], accuracy=bad, loss_c=bad)
    assert not_finite(losses) == ['loss_b', 'loss_c']
    assert not_finite(dict(accuracy=bad)) == []
    assert not_finite({}) == []


def test_samples_without_tokens() -> None:
    assert sample_names(None) == []
    assert sample_names(dict(data_samples=[object()])) == ['unnamed']
