"""How often the host waits for the device in each loss, forward and backward: for matching, else never."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from host_syncs import count_host_syncs
from mmdet3d.registry import MODELS

from bevdistill.structures import BEVOutputs, Targets

CRITIC = dict(type='MLPCritic', in_channels=4, channels=5, norm='BN')
ROW_CRITIC = dict(CRITIC, norm='LN')
CRITICS = dict(student_critic=CRITIC, teacher_critic=CRITIC)
TERMS: dict[str, Any] = dict(
    boxes=dict(type='BoxCodeTerm', layers='all'),
    classes=dict(type='SoftClassTerm'),
    states=dict(type='StateL1Term'),
    contrast=dict(type='StateContrastTerm', student_critic=ROW_CRITIC, teacher_critic=ROW_CRITIC),
)


def instances(pairing: str, quality: str) -> dict[str, Any]:
    return dict(type='InstanceDistillLoss', pairing=dict(type=pairing), quality=dict(type=quality), terms=TERMS)


WAITS: list[tuple[dict[str, Any], int]] = [
    *((dict(type='DenseBEVLoss', where=where), 0) for where in (
        dict(type='AllCells'), dict(type='HardForeground'), dict(type='SoftForeground'),
        dict(type='SoftForeground', sigma=1.0), dict(type='PredictedForeground'), dict(type='QuerySampledForeground'),
    )),
    (dict(type='DenseBEVLoss', where=dict(type='AllCells'), teacher_scale=dict(type='TeacherScale', channels=4)), 0),
    (dict(type='BEVContrastLoss', **CRITICS), 0),
    (dict(type='BEVContrastLoss', **CRITICS, anchor='both', negatives='batch'), 0),
    (dict(type='HeatmapDistillLoss', where=dict(type='SoftForeground'), released_double_sigmoid=True), 0),
    (instances('TeacherBoxPairing', 'ScoreIoUQuality'), 1),
    (instances('TeacherBoxPairing', 'UniformQuality'), 1),
    (instances('GroundTruthPairing', 'ScoreQuality'), 1),
]  # fmt: skip


def known_on_host(targets: Targets) -> Targets:
    """Targets as they come from data samples, whose boxes were on the host."""
    return replace(targets, host_sizes=targets.sizes_on_host())


def waits(run: Callable[[], Any]) -> tuple[int, str]:
    """Of the second run: the first one moves constants to the device."""
    run()
    with count_host_syncs() as syncs:
        run()
    return syncs.number, str(syncs)


@pytest.mark.parametrize(('config', 'number'), WAITS)
def test_each_loss(
    config: dict[str, Any], number: int, make_outputs: Callable[..., BEVOutputs], make_targets: Callable[..., Targets]
) -> None:
    loss = MODELS.build(config).train()
    student, teacher, targets = make_outputs(grad=True), make_outputs(seed=1), known_on_host(make_targets(3, 2))

    def step() -> None:
        values = loss(student, teacher, targets)
        torch.stack([value for name, value in values.items() if 'loss' in name]).sum().backward()

    found = waits(step)
    assert found[0] == number, found[1]


def test_detection_losses(make_outputs: Callable[..., BEVOutputs], make_targets: Callable[..., Targets]) -> None:
    outputs, targets = make_outputs(grad=True), known_on_host(make_targets(3, 2))
    set_loss, heatmap_loss = MODELS.build(dict(type='SetLoss')), MODELS.build(dict(type='HeatmapLoss'))
    found = waits(lambda: sum(set_loss(outputs, targets).values()).backward())
    assert found[0] == 1, found[1]
    found = waits(lambda: heatmap_loss(outputs.heatmap, targets, outputs.grid).backward())
    assert found[0] == 0, found[1]


def test_sizes_that_only_the_device_knows_cost_a_wait(
    make_outputs: Callable[..., BEVOutputs], make_targets: Callable[..., Targets]
) -> None:
    loss = MODELS.build(dict(type='DenseBEVLoss', where=dict(type='SoftForeground')))
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    found = waits(lambda: loss(student, teacher, targets))
    assert found[0] == 1, found[1]
    assert 'targets.py' in found[1]
