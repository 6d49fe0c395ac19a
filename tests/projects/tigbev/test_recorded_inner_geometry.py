"""The terms of the release (ADLab3Ds/TiG-BEV @ 0b85461), as recorded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from recordings import Arrays, assert_gradient, assert_loss, side, targets_of, tensors

import projects.tigbev  # noqa: F401
from bevdistill.structures import BEVOutputs, Targets
from projects.tigbev.regions import region_places

VARIANTS = ('main', 'border', 'oblong', 'identity', 'plain', 'straight', 'identity_straight')
STRAIGHT = ('straight', 'identity_straight')
"""The release's functions made to read places where they are: what is computed by default."""


@pytest.fixture
def recorded(golden) -> tuple[dict[str, Any], Arrays]:
    """Configuration and arrays."""
    meta, arrays = golden('methods/tigbev_inner_geometry')
    return meta['config'], arrays


def setting(config: dict[str, Any], variant: str) -> dict[str, Any]:
    """The configuration of a variant."""
    return config | config['variants'][variant]


def case(config: dict[str, Any], arrays: Arrays, variant: str) -> tuple[BEVOutputs, BEVOutputs, Targets, Any]:
    """Student, teacher, ground truth and the loss of a variant, all weights 1."""
    own = setting(config, variant)
    given = tensors(arrays, 'in.') | tensors(arrays, f'in.{variant}.')
    limits = (own['xbound'][0], own['ybound'][0], own['xbound'][1], own['ybound'][1])
    student = side(given['student'].requires_grad_(), limits)
    teacher = side(given['teacher'], limits)
    targets = targets_of(given['gt_boxes_modern'], own['boxes_per_sample'])
    embedded = 'identity' not in variant and variant != 'plain'
    shape = dict(student_channels=student.bev.shape[1], teacher_channels=teacher.bev.shape[1])
    loss = MODELS.build(dict(
        type='InnerGeometryLoss',
        keypoint_weight=1.0,
        channel_weight=1.0,
        samples=own['samples'],
        margin=max(own['enlarge_width'], 0.0),
        embedding=dict(type='LinearAdapter', **shape) if embedded else None,
        released_places=variant not in STRAIGHT,
    ))
    if embedded:
        weights = tensors(arrays, 'w.embed.')
        loss.embedding.linear.load_state_dict(dict(weight=weights['weight'].flatten(1), bias=weights['bias']))
    return student, teacher, targets, loss


@pytest.mark.parametrize('variant', VARIANTS)
def test_losses_and_gradients(recorded: tuple[dict[str, Any], Arrays], variant: str) -> None:
    student, teacher, targets, loss = case(*recorded, variant)
    want = tensors(recorded[1], f'out.{variant}.')
    got = loss(student, teacher, targets)
    for term in ('keypoint', 'channel'):
        assert_loss(got[f'loss_{term}'], want[f'loss_{term}'])
        learnt = dict(student=student.bev, **dict(loss.named_parameters()))
        value = got[f'loss_{term}']
        gradients = dict(
            zip(learnt, torch.autograd.grad(value, learnt.values(), retain_graph=True, allow_unused=True), strict=True)
        )
        assert_gradient(gradients.pop('student'), want[f'grad_student_{term}'])
        for name, gradient in gradients.items():
            if term == 'keypoint':
                assert gradient is None
            else:
                assert_gradient(gradient, want[f'grad_embed_{name.rsplit(".", 1)[-1]}'])


@pytest.mark.parametrize('variant', ['main', 'border', 'oblong', 'straight', 'plain'])
def test_places(recorded: tuple[dict[str, Any], Arrays], variant: str) -> None:
    """The release runs through the places of a box in another order, which the losses do not see."""
    own = setting(recorded[0], variant)
    student, _, targets, _ = case(*recorded, variant)
    want = tensors(recorded[1], f'out.{variant}.')['grid'].flatten(1, 2)
    released = variant not in STRAIGHT
    places = region_places(
        torch.cat(targets.boxes), student.grid, own['samples'], max(own['enlarge_width'], 0.0), released=released
    )
    got = student.grid.sampling_grid(places)
    distance = torch.cdist(got, want, compute_mode='donot_use_mm_for_euclid_dist')
    assert float(distance.amin(dim=1).max()) < 1e-5
    assert float(distance.amin(dim=2).max()) < 1e-5


def test_weights_are_the_releases(recorded: tuple[dict[str, Any], Arrays]) -> None:
    student, teacher, targets, loss = case(*recorded, 'main')
    want = tensors(recorded[1], 'out.main.')
    default = MODELS.build(dict(type='InnerGeometryLoss', embedding=None, released_places=True))
    default.embedding = loss.embedding
    for term, value in default(student, teacher, targets).items():
        assert_loss(value, want[f'{term}_weighted'])
