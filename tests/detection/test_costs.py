"""Matching costs of boxes and of soft classes, against loops."""

from __future__ import annotations

import math

import pytest
import torch
from mmdet3d.registry import TASK_UTILS
from mmengine.structures import InstanceData

import bevdistill.detection  # noqa: F401


def test_box_cost_equals_loops():
    cost = TASK_UTILS.build(dict(type='BoxCodeL1Cost', weight=0.25, dims=6))
    predicted, target = torch.randn(3, 10), torch.randn(2, 10)
    got = cost(InstanceData(codes=predicted), InstanceData(codes=target))
    for q in range(3):
        for t in range(2):
            want = 0.25 * sum(abs(predicted[q, d] - target[t, d]) for d in range(6))
            torch.testing.assert_close(got[q, t], want)
    assert cost(InstanceData(codes=predicted), InstanceData(codes=target[:0])).shape == (3, 0)


def test_soft_class_cost_equals_loops() -> None:
    logits, soft = torch.randn(5, 4) * 5, torch.rand(3, 4)
    cost = TASK_UTILS.build(dict(type='SoftClassCost', weight=2.0))
    got = cost(InstanceData(scores=logits), InstanceData(soft_labels=soft))
    for n in range(5):
        for m in range(3):
            want = 0.0
            for c in range(4):
                x, s = float(logits[n, c]), float(soft[m, c])
                want += math.log1p(math.exp(-x)) * s + math.log1p(math.exp(x)) * (1 - s)
            assert float(got[n, m]) == pytest.approx(2 * want, rel=1e-4)


def test_no_teacher_boxes() -> None:
    cost = TASK_UTILS.build(dict(type='SoftClassCost'))
    assert cost(InstanceData(scores=torch.randn(5, 4)), InstanceData(soft_labels=torch.zeros(0, 4))).shape == (5, 0)
