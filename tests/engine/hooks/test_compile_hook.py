"""A compiled student computes what the plain one does, and its checkpoints have the same names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.logging import MMLogger
from torch import nn
from toy_run import toy_config, train
from twins import build, model_config, raw_batch

from bevdistill.engine.hooks.compile_hook import CompileHook

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(autouse=True)
def _nothing_stays_compiled() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def runner_of(model: nn.Module) -> Any:
    return SimpleNamespace(model=model, logger=MMLogger.get_current_instance())


def step(model: nn.Module) -> dict[str, torch.Tensor]:
    data = model.data_preprocessor(raw_batch((3,)), training=True)
    torch.manual_seed(1)
    losses = model(**data, mode='loss')
    model.parse_losses(losses)[0].backward()
    found = {name: value.grad for name, value in model.named_parameters()}
    return found | {f'loss {name}': value.detach() for name, value in losses.items()}


def test_same_losses_and_gradients(tmp_path: Path) -> None:
    """By the tracer and the differentiator of torch.compile, without its code generator."""
    config = model_config('student', tmp_path)
    # One stage: tracing takes its time for each operator.
    config['img_backbone'] |= dict(
        num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,), stage_with_dcn=(False,)
    )  # fmt: skip
    config['img_neck']['in_channels'] = [config['img_backbone']['base_channels']]
    plain, compiled = (build(config) for _ in range(2))
    want, names = step(plain), set(compiled.state_dict())
    parts = ('img_backbone', 'img_neck')
    CompileHook(parts, backend='aot_eager').before_train(runner_of(compiled))
    torch._dynamo.utils.counters.clear()
    got = step(compiled)
    assert torch._dynamo.utils.counters['stats']['unique_graphs'] == len(parts)
    assert not torch._dynamo.utils.counters['graph_break']
    assert set(compiled.state_dict()) == names
    assert got.keys() == want.keys()
    largest = max(float(value.abs().max()) for value in want.values())
    for name, value in want.items():
        torch.testing.assert_close(got[name], value, rtol=1e-3, atol=1e-5 * largest, msg=name)


def test_a_run_with_it_is_the_run_without(tmp_path: Path) -> None:
    runs = []
    for name, hooks in (('plain', []), ('compiled', [dict(type='CompileHook', parts=['head'], backend='eager')])):
        (tmp_path / name).mkdir()
        runs.append(train(toy_config(tmp_path / name, by_iter=True, custom_hooks=hooks)).model)
    assert runs[1].head._compiled_call_impl is not None
    weights = runs[1].state_dict()
    assert all(torch.equal(weights[name], value) for name, value in runs[0].state_dict().items())
    saved = torch.load(tmp_path / 'compiled' / 'run' / 'iter_12.pth', weights_only=True)['state_dict']
    assert saved.keys() == weights.keys()


def test_the_parts_of_a_distiller_are_those_of_its_student() -> None:
    model = nn.Module()
    model.student = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"Sequential has no parts \['img_backbone', 'img_neck'\]; it has \['0'\]"):
        CompileHook().before_train(runner_of(model))
    CompileHook(['0'], backend='eager').before_train(runner_of(model))
    assert model.student[0]._compiled_call_impl is not None
