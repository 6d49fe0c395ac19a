from __future__ import annotations

import math

import pytest
import torch
from mmdet3d.registry import TASK_UTILS
from mmengine.structures import InstanceData

import bevdistill.detection  # noqa: F401


def test_matches_loops() -> None:
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
