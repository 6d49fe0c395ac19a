"""The box cost."""

from __future__ import annotations

import torch
from mmdet3d.registry import TASK_UTILS
from mmengine.structures import InstanceData


def test_equals_loops():
    cost = TASK_UTILS.build(dict(type='BoxCodeL1Cost', weight=0.25, dims=6))
    predicted, target = torch.randn(3, 10), torch.randn(2, 10)
    got = cost(InstanceData(codes=predicted), InstanceData(codes=target))
    for q in range(3):
        for t in range(2):
            want = 0.25 * sum(abs(predicted[q, d] - target[t, d]) for d in range(6))
            torch.testing.assert_close(got[q, t], want)
    assert cost(InstanceData(codes=predicted), InstanceData(codes=target[:0])).shape == (3, 0)
