"""The three terms of the release (qcraftai/distill-bev @ 3e8f6a4), as recorded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from recordings import Arrays, assert_gradient, assert_loss, side, targets_of, tensors
from torch import nn

import projects.distillbev  # noqa: F401
from bevdistill.structures import BEVOutputs, Targets
from projects.distillbev.attention import spatial_attention
from projects.distillbev.regions import region_weights

TERMS = dict(loss_foreground='fg', loss_background='bg', loss_attention='spatial')
NAMES = dict(loss_foreground='loss_foreground', loss_background='loss_background', loss_attention='loss_spatial')
"""Of our terms in the recording: of gradients, of losses."""


@pytest.fixture
def recorded(golden) -> tuple[dict[str, Any], Arrays]:
    """Configuration and arrays."""
    meta, arrays = golden('methods/distillbev_fgd')
    return meta['config'], arrays


def case(
    config: dict[str, Any], arrays: Arrays, variant: str, **weights: float
) -> tuple[BEVOutputs, BEVOutputs, Targets, Any]:
    """Student, teacher, ground truth and the loss of a variant."""
    given = tensors(arrays, 'in.') | tensors(arrays, f'in.{variant}.')
    x_min, y_min, _, x_max, y_max, _ = config['pc_range']
    student, teacher = (side(given[name], (x_min, y_min, x_max, y_max)) for name in ('student', 'teacher'))
    student.bev.requires_grad_()
    shape = dict(student_channels=student.bev.shape[1], teacher_channels=teacher.bev.shape[1])
    adapter = None if variant == 'identity' else dict(type='ConvAdapter', **shape)
    loss = MODELS.build(dict(type='DistillBEVLoss', adapter=adapter, **weights))
    if adapter is None:
        nn.init.dirac_(loss.mean_adapter.weight)
        nn.init.zeros_(loss.mean_adapter.bias)
    else:
        loss.adapter.conv.load_state_dict(tensors(arrays, 'w.adapter.'))
        loss.mean_adapter.load_state_dict(tensors(arrays, 'w.spatial.'))
    return student, teacher, targets_of(given['gt_boxes_modern'], config['variants'][variant]['boxes_per_sample']), loss


@pytest.mark.parametrize('variant', ['main', 'one_empty', 'overlap', 'identity'])
def test_losses_and_gradients(recorded: tuple[dict[str, Any], Arrays], variant: str) -> None:
    ones = dict(foreground_weight=1.0, background_weight=1.0, attention_weight=1.0)
    student, teacher, targets, loss = case(*recorded, variant, **ones)
    want = tensors(recorded[1], f'out.{variant}.')
    got = loss(student, teacher, targets)
    for term, name in NAMES.items():
        assert_loss(got[term], want[name])
        if f'grad_student_{TERMS[term]}' in want:
            (gradient,) = torch.autograd.grad(got[term], student.bev, retain_graph=True)
            assert_gradient(gradient, want[f'grad_student_{TERMS[term]}'])
    if 'grad_adapter_weight' in want:
        sum(got.values()).backward()
        assert_gradient(loss.adapter.conv.weight.grad, want['grad_adapter_weight'])
        assert_gradient(loss.mean_adapter.weight.grad, want['grad_spatial_weight'])
        assert_gradient(loss.mean_adapter.bias.grad, want['grad_spatial_bias'])


@pytest.mark.parametrize('variant', ['main', 'one_empty', 'overlap', 'identity'])
def test_regions(recorded: tuple[dict[str, Any], Arrays], variant: str) -> None:
    student, _, targets, _ = case(*recorded, variant)
    want = tensors(recorded[1], f'out.{variant}.')
    inside = want['mask'][:, 0]
    foreground, background = region_weights(targets, student.grid)
    assert torch.equal((foreground > 0).float(), inside)
    torch.testing.assert_close(foreground, inside * torch.maximum(want['fg_scale'], want['bg_scale'])[:, 0])
    torch.testing.assert_close(background, (1 - inside) * want['bg_scale'][:, 0])


def test_attention(recorded: tuple[dict[str, Any], Arrays]) -> None:
    _, teacher, _, loss = case(*recorded, 'main')
    want = torch.from_numpy(recorded[1]['out.main.attention'])
    torch.testing.assert_close(spatial_attention(teacher.bev, loss.temperature), want, rtol=1e-4, atol=1e-5)


def test_weights_are_those_of_the_releases_script(recorded: tuple[dict[str, Any], Arrays]) -> None:
    student, teacher, targets, loss = case(*recorded, 'main')
    for term, value in loss(student, teacher, targets).items():
        assert_loss(value, torch.from_numpy(recorded[1][f'out.main.{NAMES[term]}_weighted']))
