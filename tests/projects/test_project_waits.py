"""No loss of the projects makes the host wait for the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from host_syncs import count_host_syncs
from mmdet3d.registry import MODELS

import projects.distillbev
import projects.pkd
import projects.tigbev
import projects.unidistill
import projects.uvtr
import projects.wholeset  # noqa: F401
from bevdistill.structures import BEVOutputs, Targets

LOSSES = [
    dict(type='DistillBEVLoss'),
    dict(type='PearsonBEVLoss'),
    dict(type='InnerGeometryLoss', samples=4),
    dict(type='UniDistillFeatureLoss'),
    dict(type='UniDistillRelationLoss'),
    dict(type='UniDistillResponseLoss'),
    dict(type='SampledPartialL2'),
    dict(type='FocalHeatmapLoss'),
]


@pytest.mark.parametrize('config', LOSSES, ids=lambda config: str(config['type']))
def test_each_loss(
    config: dict[str, Any], make_outputs: Callable[..., BEVOutputs], make_targets: Callable[..., Targets]
) -> None:
    loss = MODELS.build(config).train()
    student, teacher, targets = make_outputs(grad=True), make_outputs(seed=1), make_targets(3, 2)
    targets = replace(targets, host_sizes=targets.sizes_on_host())

    def step() -> None:
        values = loss(student, teacher, targets)
        torch.stack([value for name, value in values.items() if 'loss' in name]).sum().backward()

    step()
    with count_host_syncs() as syncs:
        step()
    assert syncs.number == 0, str(syncs)
