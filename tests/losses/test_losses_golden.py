"""Recorded losses of maps of the original BEVDistill release."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from golden_losses import TOLERANCE, centres_as_codes, outputs_of, targets_of, tensors
from mmdet3d.registry import MODELS
from torch import Tensor, nn

import bevdistill.losses  # noqa: F401
from bevdistill.losses import SoftForeground


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


def test_dense_over_all_cells_at_full_size(golden) -> None:
    _, arrays = golden('distill_bev_fit_loss')
    given = tensors(arrays, 'in.full.')
    loss = MODELS.build(dict(type='DenseBEVLoss', mask=dict(type='AllCells'), channels='sum'))
    student, teacher = outputs_of(given['student_bev_feat']), outputs_of(given['teacher_bev_feat'])
    value = loss(student, teacher, targets_of(given['gt_boxes']))['loss']
    torch.testing.assert_close(value, torch.from_numpy(arrays['out.full.none.loss']), **TOLERANCE)
