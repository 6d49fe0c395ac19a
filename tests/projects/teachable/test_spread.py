"""Imitation by what can be foreseen against its definition, in loops, and what it learns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from torch import nn

import projects.teachable  # noqa: F401
from bevdistill.structures import BEVOutputs

WHERE = dict(type='SoftForeground', sigma=1.0)


def spread_loss(**options: Any) -> Any:
    config = dict(type='SpreadDenseLoss', student_channels=4, teacher_channels=4, where=WHERE, channels='sum')
    return MODELS.build(config | options)


def oracle(loss: nn.Module, student: BEVOutputs, teacher: BEVOutputs, mask: torch.Tensor) -> tuple[float, float, float]:
    """The three entries, cell by cell and channel by channel."""
    kernel, bias = loss.log_variance.weight[:, :, 0, 0].tolist(), loss.log_variance.bias.tolist()
    batch, channels, rows, cols = student.bev.shape
    precisions, rest = [], []
    for b in range(batch):
        for i in range(rows):
            for j in range(cols):
                weight, own = float(mask[b, i, j]), student.bev[b, :, i, j].tolist()
                for c in range(channels):
                    v = sum(k * x for k, x in zip(kernel[c], own, strict=True)) + bias[c]
                    v = min(max(v, -loss.limit), loss.limit)
                    precisions.append(weight * math.exp(-v))
                    rest.append((weight, v, (own[c] - float(teacher.bev[b, c, i, j])) ** 2))
    mass = float(mask.sum())
    mean = sum(precisions) / channels / mass
    imitation = sum(p * e for p, (_, _, e) in zip(precisions, rest, strict=True)) / mean / mass
    spread = sum(w * (e * math.exp(-v) + v) for w, v, e in rest) / 2 / mass
    return imitation, spread, sum(w * v for w, v, _ in rest) / channels / mass


@pytest.mark.parametrize('limit', [5.0, 0.3])
def test_all_values(make_outputs: Callable[..., Any], make_targets: Callable[..., Any], limit: float) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = spread_loss(limit=limit)
    nn.init.normal_(loss.log_variance.weight, std=0.3)
    nn.init.normal_(loss.log_variance.bias, std=0.3)
    mask = MODELS.build(WHERE).mask(student, teacher, targets)
    found = loss(student, teacher, targets)
    wanted = oracle(loss, student, teacher, mask)
    for name, value in zip(('loss', 'loss_spread', 'spread'), wanted, strict=True):
        assert float(found[name]) == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize('options', [dict(), dict(channels='mean'), dict(normaliser='cells')], ids=str)
def test_begins_as_the_dense_loss(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any], options: dict[str, Any]
) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    dense = MODELS.build(dict(type='DenseBEVLoss', where=WHERE, channels='sum') | options)
    found = spread_loss(**options)(student, teacher, targets)
    torch.testing.assert_close(found['loss'], dense(student, teacher, targets)['loss'])


def test_learns_which_channels_cannot_be_foreseen(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any]
) -> None:
    """A channel of noise ends with a large variance and counts little."""
    shape, targets = dict(rows=24, cols=32), make_targets(3, 2)
    student, teacher = make_outputs(**shape), make_outputs(**shape, seed=1)
    known = student.bev + 0.1 * teacher.bev
    known[:, 0] = teacher.bev[:, 0]
    teacher = replace(teacher, bev=known)
    loss = spread_loss(where=dict(type='AllCells'))
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.2)
    for _ in range(30):
        optimizer.zero_grad()
        loss(student, teacher, targets)['loss_spread'].backward()
        optimizer.step()
    bias = loss.log_variance.bias.detach()
    assert float(bias[0]) == pytest.approx(math.log(2), abs=0.3)
    assert float(bias[1:].max()) < -3
    own = student.bev.clone().requires_grad_()
    loss(replace(student, bev=own), teacher, targets)['loss'].backward()
    assert float(own.grad[:, 0].abs().mean()) < float(own.grad[:, 1:].abs().mean())


def test_the_foresight_sends_the_student_nothing(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any]
) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1, grad=True)
    loss = spread_loss()
    entries = loss(student, teacher, make_targets(3, 2))
    entries['loss_spread'].backward(retain_graph=True)
    assert student.bev.grad is None
    assert bool((loss.log_variance.weight.grad != 0).any())
    loss.zero_grad()
    entries['loss'].backward()
    assert bool((student.bev.grad != 0).any())
    assert loss.log_variance.weight.grad is None
    assert teacher.bev.grad is None


def test_without_objects_it_is_0(make_outputs: Callable[..., Any], make_targets: Callable[..., Any]) -> None:
    found = spread_loss()(make_outputs(), make_outputs(seed=1), make_targets(0, 0))
    assert [float(value) for value in found.values()] == [0.0, 0.0, 0.0]
