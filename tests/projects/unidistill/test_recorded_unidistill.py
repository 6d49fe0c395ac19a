"""The losses of the release (megvii-research/CVPR2023-UniDistill @ 32f02b4), as recorded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from recordings import Arrays, assert_gradient, assert_loss, side, targets_of, tensors
from torch import Tensor

import projects.unidistill  # noqa: F401
from bevdistill.detection.gaussian import gaussian_foreground
from bevdistill.structures import BEVOutputs, Targets

KEY_POINT_LOSSES = dict(feature='UniDistillFeatureLoss', relation='UniDistillRelationLoss')
CLASSES = 3


def ground(limits: list[float]) -> tuple[float, float, float, float]:
    """Range in x and y."""
    return limits[0], limits[1], limits[3], limits[4]


def targets_of_rows(boxes_BM9: Tensor, counts: list[int]) -> Targets:
    """The boxes without the rows that fill a sample up."""
    rows = torch.cat([boxes[:count] for boxes, count in zip(boxes_BM9, counts, strict=True)])
    return targets_of(rows, counts)


@pytest.mark.parametrize('name', KEY_POINT_LOSSES)
@pytest.mark.parametrize('variant', ['main', 'padded', 'one_empty'])
def test_key_points(golden, name: str, variant: str) -> None:
    """Key points where the objects are, and real boxes alone: ``straight`` and ``straight_real`` in the recording."""
    meta, arrays = golden(dict(feature='methods/unidistill_feature', relation='methods/unidistill_relation')[name])
    given, want = tensors(arrays, 'in.'), tensors(arrays, f'out.{variant}.')
    limits = ground(meta['config']['pc_range'])
    student, teacher = side(given['student'].requires_grad_(), limits), side(given['teacher'], limits)
    counts = meta['config']['variants'][variant]['boxes_per_sample']
    targets = targets_of_rows(given[f'{variant}.gt_boxes'], counts)
    value = MODELS.build(dict(type=KEY_POINT_LOSSES[name]))(student, teacher, targets)['loss']
    form = 'straight_real' if variant == 'one_empty' else 'straight'
    assert_loss(value, want[f'{form}_loss'])
    value.backward()
    assert_gradient(student.bev.grad, want[f'{form}_grad_student'])


@pytest.mark.parametrize('name', KEY_POINT_LOSSES)
def test_the_release_reads_mirrored_maps(golden, name: str) -> None:
    """What the release computes in truth: our loss of maps whose rows and columns are exchanged."""
    meta, arrays = golden(dict(feature='methods/unidistill_feature', relation='methods/unidistill_relation')[name])
    given, want = tensors(arrays, 'in.'), tensors(arrays, 'out.main.')
    limits = ground(meta['config']['pc_range'])
    own = given['student'].requires_grad_()
    student, teacher = (side(map_BCHW.transpose(2, 3), limits) for map_BCHW in (own, given['teacher']))
    targets = targets_of_rows(given['main.gt_boxes'], meta['config']['variants']['main']['boxes_per_sample'])
    value = MODELS.build(dict(type=KEY_POINT_LOSSES[name]))(student, teacher, targets)['loss']
    assert_loss(value, want['loss'])
    value.backward()
    assert_gradient(own.grad, want['grad_student'])


def response_case(meta: dict[str, Any], arrays: Arrays, variant: str) -> tuple[BEVOutputs, BEVOutputs, Targets]:
    """Class logits of both sides as their heatmaps."""
    own = meta['config'] | meta['config']['variants'][variant]
    given = tensors(arrays, 'in.') | tensors(arrays, f'in.{variant}.')
    student_BKHW, teacher_BKHW = (given[f'{name}_response'][:, :CLASSES] for name in ('student', 'teacher'))
    student, teacher = (
        side(
            logits_BKHW, ground(own['pc_range']), heatmap=logits_BKHW,
            logits=torch.zeros(1, len(logits_BKHW), 2, CLASSES),
        )
        for logits_BKHW in (student_BKHW.clone().requires_grad_(), teacher_BKHW)
    )  # fmt: skip
    return student, teacher, targets_of_rows(given['gt_boxes'], own['boxes_per_sample'])


@pytest.mark.parametrize('variant', ['main', 'padded', 'one_empty', 'oblong'])
def test_response(golden, variant: str) -> None:
    """Without the cell that the release adds where rows are padded: ``clean`` in the recording."""
    meta, arrays = golden('methods/unidistill_response')
    student, teacher, targets = response_case(meta, arrays, variant)
    want = tensors(arrays, f'out.{variant}.')
    form = 'clean_' if variant in ('padded', 'one_empty') else ''
    loss = MODELS.build(dict(type='UniDistillResponseLoss'))
    mask = gaussian_foreground(targets, student.grid, loss.min_overlap, loss.min_radius)
    assert torch.equal(mask > 0, want[f'{form}mask'] > 0)
    torch.testing.assert_close(mask, want[f'{form}mask'], rtol=1e-5, atol=1e-6)
    value = loss(student, teacher, targets)['loss']
    assert_loss(value, want[f'{form}loss_cls'])
    value.backward()
    assert_gradient(student.heatmap.grad, want[f'{form}grad_student_logits'])
