"""Recorded losses of predictions and their pairs of the original BEVDistill release."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from golden_losses import TOLERANCE, centres_as_codes, modern_boxes, modern_codes, outputs_of, targets_of, tensors
from mmdet3d.registry import MODELS

import bevdistill.losses  # noqa: F401
from bevdistill.losses import SoftClassTerm, TeacherBoxPairing
from bevdistill.losses.foreground import predicted_centres
from bevdistill.losses.instance_pairs import InstancePairs
from bevdistill.losses.pairing import Pairing
from bevdistill.losses.quality import Weights
from bevdistill.structures import BEVOutputs, encode_boxes


def instance_config(released_squared: bool, weighted: bool, max_boxes: int = 12) -> dict[str, Any]:
    quality = dict(type='ScoreQuality', released_squared=released_squared) if weighted else dict(type='UniformQuality')
    return dict(
        type='InstanceDistillLoss',
        pairing=dict(type='TeacherBoxPairing', max_boxes=max_boxes),
        quality=quality,
        terms=dict(
            box=dict(type='BoxCodeTerm', weight=0.25, layers='all'),
            cls=dict(type='SoftClassTerm', layers='all', weighted=False, released_unmatched=True),
        ),
    )


def prediction_case(arrays: dict[str, np.ndarray]) -> tuple[BEVOutputs, BEVOutputs]:
    given = tensors(arrays, 'in.')
    logits, codes = given['all_cls_scores'].requires_grad_(), given['all_bbox_preds'].requires_grad_()
    layers, _, queries, _ = logits.shape
    bev = torch.zeros(1, 2, 4, 4)
    student = outputs_of(
        bev,
        logits=logits,
        codes=modern_codes(codes),
        states=torch.zeros(layers, 1, queries, 2),
        references=torch.zeros(layers, 1, queries, 3),
    )
    boxes = len(given['teacher_boxes'])
    teacher = outputs_of(
        bev,
        logits=given['teacher_scores'].logit()[None, None],
        codes=encode_boxes(modern_boxes(given['teacher_boxes']))[None, None],
        states=torch.zeros(1, 1, boxes, 2),
        references=torch.zeros(1, 1, boxes, 3),
    )
    return student, teacher


@pytest.mark.parametrize(('variant', 'weighted'), [('rew', True), ('norew', False)])
def test_prediction_losses(golden, variant: str, weighted: bool) -> None:
    _, arrays = golden('distill_pred_losses')
    student, teacher = prediction_case(arrays)
    loss = MODELS.build(instance_config(released_squared=True, weighted=weighted))
    values = loss(student, teacher, targets_of(torch.zeros(0, 9)))
    want = tensors(arrays, f'out.{variant}.')
    for ours, theirs in (('loss_box', 'loss_bbox_distill'), ('loss_cls', 'loss_cls_distill')):
        for layer in ('', 'd0.'):
            torch.testing.assert_close(values[layer + ours], want[layer + theirs].squeeze(), **TOLERANCE)


def test_prediction_gradients(golden) -> None:
    _, arrays = golden('distill_pred_losses')
    student, teacher = prediction_case(arrays)
    values = MODELS.build(instance_config(True, True))(student, teacher, targets_of(torch.zeros(0, 9)))
    total = sum(value for name, value in values.items() if 'loss' in name)
    (grad_codes,) = torch.autograd.grad(total, [student.codes], retain_graph=True)
    torch.testing.assert_close(grad_codes, modern_codes(torch.from_numpy(arrays['out.rew.grad_box'])), **TOLERANCE)
    (grad_logits,) = torch.autograd.grad(total, [student.logits])
    torch.testing.assert_close(grad_logits, torch.from_numpy(arrays['out.rew.grad_cls']), **TOLERANCE)


def test_pairs_of_the_original(golden) -> None:
    _, arrays = golden('distill_pred_losses')
    student, teacher = prediction_case(arrays)
    pairing = TeacherBoxPairing(max_boxes=12)(student, teacher, targets_of(torch.zeros(0, 9)), slice(None))
    assert bool(pairing.matched.all())
    for layer in range(2):
        assigned = torch.from_numpy(arrays[f'out.assigned_teacher_{layer}'])
        for box, query in zip(pairing.teacher_boxes.teacher_index[0], pairing.student_index[layer, 0], strict=True):
            assert assigned[query] == box


def test_predicted_centres_are_metres(golden) -> None:
    _, arrays = golden('distill_bev_fit_loss')
    points = torch.from_numpy(arrays['in.sampling_points'])
    student = outputs_of(torch.zeros(1, 2, 4, 4), **centres_as_codes(points))
    back = student.grid.sampling_grid(predicted_centres(student))
    torch.testing.assert_close(back, points.transpose(0, 1).flatten(1, 2), rtol=1e-5, atol=1e-5)


def test_prediction_gradients_without_scores(golden) -> None:
    _, arrays = golden('distill_pred_losses')
    student, teacher = prediction_case(arrays)
    loss = MODELS.build(instance_config(released_squared=True, weighted=False))
    values = loss(student, teacher, targets_of(torch.zeros(0, 9)))
    total = sum(value for name, value in values.items() if 'loss' in name)
    grad_codes, grad_logits = torch.autograd.grad(total, [student.codes, student.logits])
    torch.testing.assert_close(grad_codes, modern_codes(torch.from_numpy(arrays['out.norew.grad_box'])), **TOLERANCE)
    torch.testing.assert_close(grad_logits, torch.from_numpy(arrays['out.norew.grad_cls']), **TOLERANCE)


def test_release_has_the_box_term_only(golden) -> None:
    _, arrays = golden('distill_pred_losses')
    student, teacher = prediction_case(arrays)
    config = instance_config(released_squared=True, weighted=True)
    config['terms']['cls']['weight'] = 0.0
    values = MODELS.build(config)(student, teacher, targets_of(torch.zeros(0, 9)))
    want = tensors(arrays, 'out.release.')
    for layer in ('', 'd0.'):
        torch.testing.assert_close(values[f'{layer}loss_box'], want[f'{layer}loss_bbox_distill'], **TOLERANCE)
        assert f'{layer}loss_cls' not in values
        assert want[f'{layer}loss_cls_distill'] == 0


def test_pairs_restricted_to_the_students_own_matches(golden) -> None:
    """An option of the release that none of its configs turns on: pairs whose query has no ground truth count nothing.

    The box term still divides by the scores of all pairs; the class term is a mean over the pairs that are left.
    """
    _, arrays = golden('distill_pred_losses')
    student, teacher = prediction_case(arrays)
    loss = MODELS.build(instance_config(released_squared=True, weighted=True))
    pairing = loss.pairing(student, teacher, targets_of(torch.zeros(0, 9)), slice(None))
    scores = loss.quality(pairing.teacher_boxes, targets_of(torch.zeros(0, 9)))
    mine = torch.stack([torch.from_numpy(arrays[f'in.student_assign.bbox_weights_{layer}'])[:, 0] for layer in (0, 1)])
    kept = mine[:, None].gather(-1, pairing.student_index) > 0
    boxes = InstancePairs(student, teacher, pairing, Weights(scores.numerator * kept, scores.denominator), slice(None))
    left = Pairing(pairing.teacher_boxes, pairing.student_index, pairing.matched & kept)
    classes = InstancePairs(student, teacher, left, scores, slice(None))
    box = 0.25 * loss.terms['box'](boxes)
    cls = SoftClassTerm(weighted=False)(classes)
    for index, layer in enumerate(('d0.', '')):
        want = tensors(arrays, f'out.student_assign.{layer}')
        torch.testing.assert_close(box[index], want['loss_bbox_distill'], **TOLERANCE)
        torch.testing.assert_close(cls[index], want['loss_cls_distill'], **TOLERANCE)


def test_teacher_boxes_of_the_original(golden) -> None:
    """The teacher's best queries by class score, with all their scores."""
    _, arrays = golden('teacher_head_forward')
    want = tensors(arrays, 'out.')
    logits, codes = want['all_cls_scores'], modern_codes(want['all_bbox_preds'])
    empty = torch.zeros(*logits.shape[:3], 4)
    teacher = outputs_of(torch.zeros(1, 2, 4, 4), logits=logits, codes=codes, states=empty, references=empty[..., :2])
    boxes = TeacherBoxPairing(max_boxes=10).select(teacher)
    torch.testing.assert_close(boxes.scores[0], want['distill_scores'], **TOLERANCE)
    expected = modern_boxes(want['distill_boxes'])
    columns = [0, 1, 2, 3, 4, 5, 7, 8]
    torch.testing.assert_close(boxes.boxes[0][:, columns], expected[:, columns], **TOLERANCE)
    torch.testing.assert_close((boxes.boxes[0][:, 6] - expected[:, 6]).cos(), torch.ones(10))
