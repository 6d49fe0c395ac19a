"""FitNet's config is the squared error of whole maps, against loops; its regressor where channels differ."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from torch import nn

REPO = Path(__file__).resolve().parents[3]
CONFIG = REPO / 'projects' / 'fitnet' / 'configs' / '_base_' / 'losses.py'


def build(**arguments: Any) -> tuple[nn.Module, float]:
    """The loss of the config with its weight."""
    config = Config.fromfile(CONFIG).fitnet_losses.to_dict()['hint'] | arguments
    weight = config.pop('weight')
    return MODELS.build(config), weight


@pytest.mark.parametrize('counts', [(3, 2), (0, 0)], ids=str)
def test_every_cell_counts_alike(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any], counts: tuple[int, int]
) -> None:
    student, teacher = make_outputs(rows=5, cols=7), make_outputs(rows=5, cols=7, seed=1)
    total = 0.0
    for b in range(2):
        for row in range(5):
            for col in range(7):
                for channel in range(4):
                    error = float(student.bev[b, channel, row, col]) - float(teacher.bev[b, channel, row, col])
                    total += error * error
    loss, weight = build()
    value = loss(student, teacher, make_targets(*counts))['loss'] * weight
    assert float(value) == pytest.approx(0.01 * total / (2 * 5 * 7), rel=1e-5)


def test_regressor_maps_the_student_to_the_teachers_channels(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any]
) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1, channels=7)
    loss, _ = build(adapter=dict(type='ConvAdapter', student_channels=4, teacher_channels=7))
    kernel_74, bias_7 = loss.adapter.conv.weight[:, :, 0, 0], loss.adapter.conv.bias
    total = torch.zeros(())
    for b in range(2):
        for row in range(6):
            for col in range(8):
                guided = kernel_74 @ student.bev[b, :, row, col] + bias_7
                total = total + (guided - teacher.bev[b, :, row, col]).square().sum()
    value = loss(student, teacher, make_targets(0, 0))['loss']
    torch.testing.assert_close(value, total / (2 * 6 * 8))
    value.backward()
    assert all(float(weight.grad.abs().sum()) > 0 for weight in loss.parameters())
    assert float(student.bev.grad.abs().sum()) > 0
