"""Recorded losses of the original BEVDistill release."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

import bevdistill.losses  # noqa: F401
from bevdistill.losses import SoftClassTerm, SoftForeground, TeacherBoxPairing
from bevdistill.losses.foreground import predicted_centres
from bevdistill.losses.instance_pairs import InstancePairs
from bevdistill.losses.pairing import Pairing
from bevdistill.losses.quality import Weights
from bevdistill.structures import BEVGrid, BEVOutputs, Targets, encode_boxes

RANGE = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)
TOLERANCE = dict(rtol=1e-4, atol=1e-4)


def tensors(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: torch.from_numpy(array) for name, array in arrays.items() if name.startswith(prefix)}


def modern_boxes(old_bottom: Tensor) -> Tensor:
    """x, y, z_bottom, w, l, h, yaw_old, v of mmdet3d 0.17 to the present convention with gravity centres."""
    x, y, z, w, length, h, yaw, vx, vy = old_bottom.unbind(-1)
    return torch.stack((x, y, z + h / 2, length, w, h, -yaw - torch.pi / 2, vx, vy), dim=-1)


def modern_codes(old: Tensor) -> Tensor:
    """Box codes of 0.17 to the present convention: swap the sizes, sin' = -cos, cos' = -sin."""
    cx, cy, log_w, log_l, cz, log_h, sin, cos, vx, vy = old.unbind(-1)
    return torch.stack((cx, cy, log_l, log_w, cz, log_h, -cos, -sin, vx, vy), dim=-1)


def outputs_of(bev: Tensor, **fields: Any) -> BEVOutputs:
    """Outputs of one sample with made-up queries where the case has none."""
    rows, cols = bev.shape[-2:]
    defaults: dict[str, Any] = dict(
        states=torch.zeros(1, 1, 2, 4),
        logits=torch.zeros(1, 1, 2, 10),
        codes=torch.zeros(1, 1, 2, 10),
        references=torch.zeros(1, 1, 2, 3),
    )
    return BEVOutputs(grid=BEVGrid(RANGE, rows, cols), bev=bev, **{**defaults, **fields})


def targets_of(old_boxes: Tensor) -> Targets:
    return Targets((modern_boxes(old_boxes),), (torch.zeros(len(old_boxes), dtype=torch.long),))


def centres_as_codes(sampling_points: Tensor) -> dict[str, Tensor]:
    """Query fields whose predicted centres are the given points of [-1, 1]."""
    layers, batch, queries, _ = sampling_points.shape
    codes = torch.zeros(layers, batch, queries, 10)
    codes[..., :2] = BEVGrid(RANGE, 1, 1).denormalise((sampling_points + 1) / 2)
    return dict(
        codes=codes,
        states=torch.zeros(layers, batch, queries, 4),
        logits=torch.zeros(layers, batch, queries, 10),
        references=torch.zeros(layers, batch, queries, 3),
    )


@pytest.mark.parametrize('prefix', ['', 'full.'])
def test_dense_with_soft_foreground(golden, prefix: str) -> None:
    _, arrays = golden('distill_bev_fit_loss')
    given, want = tensors(arrays, f'in.{prefix}'), tensors(arrays, f'out.{prefix}')
    student_map = given['student_bev_feat'].requires_grad_()
    student, teacher = outputs_of(student_map), outputs_of(given['teacher_bev_feat'])
    targets = targets_of(given['gt_boxes'])
    mask = SoftForeground().mask(student, teacher, targets)
    torch.testing.assert_close(mask, want['gt.fg_map'], rtol=1e-5, atol=1e-6)
    loss = MODELS.build(dict(type='DenseBEVLoss', mask=dict(type='SoftForeground'), channels='sum'))
    value = loss(student, teacher, targets)['loss']
    torch.testing.assert_close(value, want['gt.loss'], **TOLERANCE)
    if 'gt.grad_student' in want:
        value.backward()
        torch.testing.assert_close(student_map.grad, want['gt.grad_student'], **TOLERANCE)


def test_dense_without_objects_is_zero_where_the_original_is_nan(golden) -> None:
    _, arrays = golden('distill_bev_fit_loss')
    given = tensors(arrays, 'in.')
    assert np.isnan(arrays['out.gt_empty.loss'])
    loss = MODELS.build(dict(type='DenseBEVLoss', mask=dict(type='SoftForeground'), channels='sum'))
    student, teacher = outputs_of(given['student_bev_feat']), outputs_of(given['teacher_bev_feat'])
    assert loss(student, teacher, targets_of(given['gt_boxes'][:0]))['loss'] == 0


@pytest.mark.parametrize(
    ('mask', 'channels', 'output'),
    [
        (dict(type='PredictedForeground'), 'sum', 'pred.loss'),
        (dict(type='AllCells'), 'sum', 'none.loss'),
        (dict(type='QuerySampledForeground'), 'mean', 'point.loss'),
    ],
)
def test_dense_with_other_foregrounds(golden, mask: dict[str, Any], channels: str, output: str) -> None:
    _, arrays = golden('distill_bev_fit_loss')
    given, want = tensors(arrays, 'in.'), tensors(arrays, 'out.')
    fields = centres_as_codes(given['sampling_points'])
    student = outputs_of(given['student_bev_feat'], heatmap=given['fg_pred_logits'], **fields)
    teacher = outputs_of(given['teacher_bev_feat'])
    loss = MODELS.build(dict(type='DenseBEVLoss', mask=mask, channels=channels))
    value = loss(student, teacher, targets_of(given['gt_boxes']))['loss']
    torch.testing.assert_close(value, want[output], **TOLERANCE)
    if mask['type'] == 'PredictedForeground':
        map_BHW = loss.region.mask(student, teacher, targets_of(given['gt_boxes']))
        torch.testing.assert_close(map_BHW, want['pred.fg_map'], **TOLERANCE)


def test_heatmap_distillation(golden) -> None:
    _, arrays = golden('distill_bev_fit_loss')
    given = tensors(arrays, 'in.')
    student = outputs_of(given['student_bev_feat'], heatmap=given['fg_pred_logits'])
    teacher = outputs_of(given['teacher_bev_feat'], heatmap=given['teacher_heatmap_logits'])
    loss = MODELS.build(dict(type='HeatmapDistillLoss', mask=dict(type='AllCells')))
    value = loss(student, teacher, targets_of(given['gt_boxes']))['loss']
    torch.testing.assert_close(value, torch.from_numpy(arrays['out.heatmap_kl_loss']), **TOLERANCE)


def load_contrast_head(loss: nn.Module, weights: dict[str, Tensor]) -> None:
    """Released names ``img_projs.0.0``, ``encoder_img.{0,1,3}`` to our critics."""
    for critic, projection, encoder in (
        (loss.student_critic, 'img_projs.0.0.', 'encoder_img.'),
        (loss.teacher_critic, 'pts_projs.0.0.', 'encoder_pts.'),
    ):
        state = {}
        for name, weight in weights.items():
            if name.startswith(projection):
                state[f'projections.0.{name[len(projection):]}'] = weight
            elif name.startswith(encoder):
                state[f'mlp.{name[len(encoder):]}'] = weight
        critic.load_state_dict(state, strict=True)


def contrast_config(student_channels: int, teacher_channels: int, channels: int) -> dict[str, Any]:
    critic = dict(type='MLPCritic', channels=channels, projections=1, depth=2, norm='BN')
    return dict(
        type='BEVContrastLoss',
        student_critic=dict(critic, in_channels=student_channels),
        teacher_critic=dict(critic, in_channels=teacher_channels),
    )


@pytest.mark.parametrize('mode', ['eval', 'train'])
def test_contrast_head(golden, mode: str) -> None:
    _, arrays = golden('distill_moco_head')
    given, want = tensors(arrays, 'in.'), tensors(arrays, f'out.{mode}.')
    weights = {name: w for name, w in tensors(arrays, 'w.').items() if not name.startswith('relation.')}
    loss = MODELS.build(contrast_config(24, 20, 16))
    load_contrast_head(loss, weights)
    loss.train(mode == 'train')
    # The rows become a map of one row of cells, read exactly at the cells' centres.
    rows = len(given['img_feats'])
    student_rows, teacher_rows = given['img_feats'].requires_grad_(), given['pts_feats'].requires_grad_()
    x = (torch.arange(rows) + 0.5) / rows * 2 - 1
    points = torch.stack((x, torch.zeros(rows)), dim=-1)[None, None]
    student = outputs_of(student_rows.T[None, :, None], **centres_as_codes(points))
    teacher = outputs_of(teacher_rows.T[None, :, None])
    value = 0.2 * loss(student, teacher, targets_of(torch.zeros(0, 9)))['loss']
    torch.testing.assert_close(value, want['loss'], **TOLERANCE)
    if mode == 'train':
        value.backward()
        torch.testing.assert_close(student_rows.grad, want['grad_img'], **TOLERANCE)
        assert teacher_rows.grad is None
        for critic, name in ((loss.student_critic, 'encoder_img'), (loss.teacher_critic, 'encoder_pts')):
            for buffer in ('running_mean', 'running_var', 'num_batches_tracked'):
                torch.testing.assert_close(getattr(critic.mlp[1], buffer), want[f'after.{name}.1.{buffer}'])


def test_contrast_through_sampling(golden) -> None:
    _, arrays = golden('distill_moco_head')
    given = tensors(arrays, 'in.relation.')
    loss = MODELS.build(contrast_config(24, 24, 16))
    load_contrast_head(loss, tensors(arrays, 'w.relation.'))
    student = outputs_of(given['student_bev_feat'], **centres_as_codes(given['sampling_points']))
    value = 0.2 * loss(student, outputs_of(given['teacher_bev_feat']), targets_of(torch.zeros(0, 9)))['loss']
    torch.testing.assert_close(value, torch.from_numpy(arrays['out.relation.loss']), **TOLERANCE)


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


def test_dense_over_all_cells_at_full_size(golden) -> None:
    _, arrays = golden('distill_bev_fit_loss')
    given = tensors(arrays, 'in.full.')
    loss = MODELS.build(dict(type='DenseBEVLoss', mask=dict(type='AllCells'), channels='sum'))
    student, teacher = outputs_of(given['student_bev_feat']), outputs_of(given['teacher_bev_feat'])
    value = loss(student, teacher, targets_of(given['gt_boxes']))['loss']
    torch.testing.assert_close(value, torch.from_numpy(arrays['out.full.none.loss']), **TOLERANCE)


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
