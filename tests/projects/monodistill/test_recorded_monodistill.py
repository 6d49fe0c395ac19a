"""Losses on features of the release (monster-ghost/MonoDistill @ 26ca8da), as recorded for one level of features."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from recordings import assert_gradient, assert_loss, side, targets_of, tensors
from torch import Tensor, nn

import projects.monodistill  # noqa: F401
from bevdistill.structures import BEVOutputs, Targets

RELEASED_BATCH = 12
TERMS = dict(object=('object', 'backbone_loss_l1'), scene=('affinity', 'backbone_loss_affinity'))
"""Of ours: the recording's name, and that of its weight."""

Case = tuple[dict[str, Any], dict[str, Tensor], BEVOutputs, BEVOutputs, Targets]


@pytest.fixture
def single(golden) -> Case:
    """Configuration, outputs of the release, and its inputs; rectangles in pixels are boxes along the axes."""
    meta, arrays = golden('methods/monodistill_features')
    given, config = tensors(arrays, 'in.') | tensors(arrays, 'in.single.'), meta['config']
    rows, cols = config['image_rows_cols']
    student, teacher = (side(given[f'{name}0'], (0, 0, cols, rows)) for name in ('student', 'teacher'))
    student.bev.requires_grad_()
    counts = config['variants']['single']['boxes_per_sample']
    rectangles = torch.cat([boxes[:count] for boxes, count in zip(given['box2d'], counts, strict=True)])
    low, high = rectangles[:, :2], rectangles[:, 2:]
    boxes = torch.zeros(len(rectangles), 9)
    boxes[:, :2], boxes[:, 3:5], boxes[:, 5] = (low + high) / 2, high - low, 1.0
    return config, tensors(arrays, 'out.single.'), student, teacher, targets_of(boxes, counts)


def loss_of_adapted(**weights: float) -> Any:
    """The loss of a student's map that has been adapted before."""
    adapter = dict(type='AdaptationBlock', student_channels=4, teacher_channels=4)
    loss = MODELS.build(dict(type='MonoDistillFeatureLoss', adapter=adapter, **weights))
    loss.adapter = nn.Identity()
    return loss


def test_losses_and_gradients(single: Case) -> None:
    _, want, student, teacher, targets = single
    # The release divides by the batch size once more.
    loss = loss_of_adapted(object_weight=1 / len(student.bev), scene_weight=1 / len(student.bev))
    got = loss(student, teacher, targets)
    for term, (name, _) in TERMS.items():
        assert_loss(got[f'loss_{term}'], want[f'loss_{name}'])
        (gradient,) = torch.autograd.grad(got[f'loss_{term}'], student.bev, retain_graph=True)
        assert_gradient(gradient, want[f'grad_{name}0'])
    assert torch.equal(loss.object.region.mask(student, teacher, targets), want['mask0'])


def test_weights_are_those_of_the_releases_batch(single: Case) -> None:
    config, want, student, teacher, targets = single
    got = loss_of_adapted()(student, teacher, targets)
    for term, (name, weight) in TERMS.items():
        mean_over_batch = want[f'loss_{name}'] * len(student.bev)
        assert_loss(got[f'loss_{term}'], mean_over_batch * config['release_weights'][weight] / RELEASED_BATCH)
