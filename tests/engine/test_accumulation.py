"""Gradient accumulation: when it is the larger batch, by how much it is not, and where a run can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from torch import Tensor, nn
from toy_run import toy_config, train
from twins import build, model_config, raw_batch

pytestmark = pytest.mark.usefixtures('one_thread')


def student(folder: Path, frozen_norms: bool) -> nn.Module:
    """The CPU-sized student without its heatmap, whose loss has a normaliser of its own (peaks, not objects)."""
    config = model_config('student', folder)
    config['pts_bbox_head']['aux_heatmap'] = None
    model = build(config)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and frozen_norms:
            module.eval()
    return model


def moved(model: nn.Module, boxes: tuple[int, ...], parts: list[list[int]]) -> Tensor:
    """How far one step of gradient descent moves all weights, with these samples in each part of the batch."""
    start = {name: value.detach().clone() for name, value in model.named_parameters()}
    wrapper = dict(optimizer=dict(type='SGD', lr=1.0), accumulative_counts=len(parts))
    optim = build_optim_wrapper(model, ConfigDict(wrapper))
    for part in parts:
        model.train_step(raw_batch(boxes, part), optim)
    found = torch.cat([(value.detach() - start[name]).flatten() for name, value in model.named_parameters()])
    model.load_state_dict(model.state_dict() | start)
    return found


def gap(got: Tensor, want: Tensor) -> float:
    return float((got - want).norm() / want.norm())


def test_equal_to_the_larger_batch_where_all_parts_have_equally_many_objects(tmp_path: Path) -> None:
    model = student(tmp_path, frozen_norms=True)
    whole, halves = (moved(model, (3, 3), parts) for parts in ([[0, 1]], [[0], [1]]))
    print(f'{gap(halves, whole):.1e}')
    assert gap(halves, whole) < 1e-4


def test_otherwise_each_part_counts_the_same_and_not_each_object(tmp_path: Path) -> None:
    """The larger batch divides by all objects, accumulation each part by its own."""
    model = student(tmp_path, frozen_norms=True)
    whole, halves, first, second = (
        moved(model, (4, 1), parts) for parts in ([[0, 1]], [[0], [1]], [[0]], [[1]])
    )
    assert gap((first + second) / 2, halves) < 1e-4
    assert gap((4 * first + second) / 5, whole) < 1e-4
    assert gap(halves, whole) > 1e-2


def test_batch_norms_in_training_see_the_part_alone(tmp_path: Path) -> None:
    model = student(tmp_path, frozen_norms=False)
    whole, halves = (moved(model, (3, 3), parts) for parts in ([[0, 1]], [[0], [1]]))
    assert gap(halves, whole) > 1e-3


def run(folder: Path, count: int, resume: bool = False) -> Any:
    """Twelve iterations of the toy, with a checkpoint after the sixth."""
    folder.mkdir(exist_ok=True)
    changes: dict[str, Any] = {'optim_wrapper.accumulative_counts': count}
    if resume:
        changes |= dict(load_from=str(folder / 'run' / 'iter_6.pth'), resume=True)
    return train(toy_config(folder, by_iter=True, **changes))


def same(first: Any, second: Any) -> bool:
    weights = second.model.state_dict()
    return all(torch.equal(weights[name], value) for name, value in first.model.state_dict().items())


def test_a_run_resumed_between_two_steps_equals_an_undisturbed_one(tmp_path: Path) -> None:
    whole = run(tmp_path, 3)
    assert same(whole, run(tmp_path, 3, resume=True))


def test_within_a_step_the_gradients_before_the_checkpoint_are_lost_and_the_log_says_so(tmp_path: Path) -> None:
    """A checkpoint after 6 iterations has 2 of the 4 parts of the second step behind it."""
    whole = run(tmp_path, 4)
    assert not same(whole, run(tmp_path, 4, resume=True))
    log = sorted((tmp_path / 'run').glob('*/*.log'))[-1].read_text()
    assert 'Resumed iteration number is not divisible by' in log
    assert 'the gradient of some iterations is lost' in log
