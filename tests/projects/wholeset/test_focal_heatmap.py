"""The response of all cells against its definition, in loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS

import projects.wholeset  # noqa: F401
from bevdistill.structures import BEVOutputs


def oracle(student: BEVOutputs, teacher: BEVOutputs, gamma: float, threshold: float) -> float:
    total = mass = 0.0
    own, wanted = student.heatmap.sigmoid().flatten().tolist(), teacher.heatmap.sigmoid().flatten().tolist()
    for p, target in zip(own, wanted, strict=True):
        total += abs(target - p) ** gamma * (-target * math.log(p) - (1 - target) * math.log(1 - p))
    for sample in teacher.logits[-1].sigmoid().tolist():
        for scores in sample:
            mass += max(scores) if max(scores) > threshold else 0.0
    return total / max(mass, 1.0)


@pytest.mark.parametrize(('gamma', 'threshold'), [(0.0, 0.0), (2.0, 0.1), (2.0, 0.6), (2.0, 1.0)])
def test_all_cells(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any], gamma: float, threshold: float
) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1)
    loss = MODELS.build(dict(type='FocalHeatmapLoss', gamma=gamma, threshold=threshold))
    value = loss(student, teacher, make_targets(3, 2))['loss']
    assert float(value) == pytest.approx(oracle(student, teacher, gamma, threshold), rel=1e-4)


def test_only_the_student_learns(make_outputs: Callable[..., Any], make_targets: Callable[..., Any]) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1)
    for outputs in (student, teacher):
        outputs.heatmap.requires_grad_()
    MODELS.build(dict(type='FocalHeatmapLoss'))(student, teacher, make_targets(0, 0))['loss'].backward()
    assert bool((student.heatmap.grad != 0).any())
    assert teacher.heatmap.grad is None


def test_gamma_below_0_is_refused() -> None:
    with pytest.raises(ValueError, match=r'gamma must not be negative, got -1'):
        MODELS.build(dict(type='FocalHeatmapLoss', gamma=-1.0))


def test_half_precision_stays_finite(make_outputs: Callable[..., Any], make_targets: Callable[..., Any]) -> None:
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value = MODELS.build(dict(type='FocalHeatmapLoss'))(make_outputs(), make_outputs(seed=1), make_targets(3, 2))
    assert bool(torch.isfinite(value['loss']))
