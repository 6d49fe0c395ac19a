"""A loss that is not a number stops the run before the step."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from host_syncs import count_host_syncs
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from toy_run import toy_config, train

from bevdistill.engine.hooks.finite_loss_hook import FiniteLossHook, NotFiniteError, finite_flags, sample_names


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


def stub(model: nn.Module) -> SimpleNamespace:
    """As much of a runner as the hook asks for."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = SimpleNamespace(optimizer=optimizer)
    return SimpleNamespace(model=model, iter=4, epoch=0, logger=MMLogger.get_current_instance(), optim_wrapper=wrapper)


def test_other_passes_than_the_training_loss_are_not_checked() -> None:
    model, hook = Constant(torch.nan), FiniteLossHook()
    runner = stub(model)
    hook.before_train(runner)
    model(mode='predict')
    hook.after_train_iter(runner, 0)
    model(mode='loss')
    with pytest.raises(FloatingPointError, match=r'iteration 5 \(epoch 1, rank 0\).*loss_a = nan'):
        hook.after_train_iter(runner, 0)
    hook.before_train(runner)
    assert len(model._forward_hooks) == 1, 'a second training of the same hook does not check twice'
    hook.after_train(runner)
    assert not model._forward_hooks
    assert not runner.optim_wrapper.optimizer._optimizer_step_pre_hooks


@pytest.mark.parametrize(('kind', 'value'), [('gradient', torch.nan), ('gradient', torch.inf), ('weight', torch.nan)])
def test_a_step_with_a_broken_gradient_or_weight_is_not_taken(kind: str, value: float) -> None:
    model, hook = Constant(1.0), FiniteLossHook()
    runner = stub(model)
    hook.before_train(runner)
    model.scale.grad, model.empty.grad = torch.ones(2), torch.zeros(0)
    (model.scale.grad if kind == 'gradient' else model.scale.data)[1] = value
    before = model.scale.detach().clone()
    with pytest.raises(NotFiniteError, match=f'a {kind} is not finite: scale. .*No step'):
        runner.optim_wrapper.optimizer.step()
    assert torch.equal(model.scale, before) or kind == 'weight'


def test_a_step_waits_for_the_host_once() -> None:
    model, hook = Constant(1.0), FiniteLossHook()
    runner = stub(model)
    hook.before_train(runner)
    with count_host_syncs() as syncs:
        model(mode='loss')['loss_a'].backward()
        runner.optim_wrapper.optimizer.step()
        hook.after_train_iter(runner, 0)
    assert syncs.number == 1, str(syncs)


def test_broken_weights_are_not_saved(tmp_path: Path) -> None:
    class Break(Hook):
        def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
            if runner.iter == 9:
                runner.model.img_backbone.weight.data[0, 0] = torch.inf

    with pytest.raises(NotFiniteError, match=r'state_dict has NaN or infinite weights \(img_backbone.weight\)'):
        train(toy_config(tmp_path, by_iter=True, **{'default_hooks.checkpoint.interval': 5}), Break())
    assert [file.name for file in (tmp_path / 'run').glob('*.pth')] == ['iter_5.pth']


class Constant(BaseModel):
    """Returns one number as its loss in every mode."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value
        self.scale, self.empty = nn.Parameter(torch.ones(2)), nn.Parameter(torch.zeros(0))

    def forward(self, mode: str) -> dict[str, torch.Tensor]:
        return dict(loss_a=self.value * self.scale.sum())


def test_only_trained_terms_count() -> None:
    bad = torch.tensor([1.0, float('inf')])
    losses = dict(loss_a=torch.ones(2), loss_b=[torch.ones(1), bad], accuracy=bad, loss_c=bad)
    assert {name: [bool(flag) for flag in flags] for name, flags in finite_flags(losses).items()} == dict(
        loss_a=[True], loss_b=[True, False], loss_c=[False]
    )


def test_samples_without_tokens() -> None:
    assert sample_names(None) == []
    assert sample_names(dict(data_samples=[object()])) == ['unnamed']
