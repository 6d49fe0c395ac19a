"""Each weight is kept, renamed, permuted or dropped for a reason, and nothing is left over."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from bevdistill.checkpoints import KINDS
from bevdistill.checkpoints.official import (
    BEVFORMER_CLASSES,
    CLASSES,
    convert_weights,
    to_new_boxes,
    to_own_classes,
)

HEAD = 'pts_bbox_head.'


@pytest.mark.parametrize('kind', ['bevformer', 'object-dgcnn'])
def test_names_stay_and_predicting_layers_turn(official, predicting, kind: str) -> None:
    weights = official(kind)
    before = {name: value.clone() for name, value in weights.items()}
    result = convert_weights(weights, kind, BEVFORMER_CLASSES)
    assert list(result.weights) == list(weights) and not result.teacher
    for name, value in result.weights.items():
        if 'reg_branches' in name and predicting(name):
            want = to_new_boxes(before[name])
        elif 'cls_branches' in name and predicting(name):
            want = to_own_classes(before[name], BEVFORMER_CLASSES)
        elif name.endswith('code_weights'):
            want = before[name][[0, 1, 3, 2, 4, 5, 7, 6, 8, 9]]
        else:
            want = before[name]
        assert torch.equal(value, want), name
        assert torch.equal(weights[name], before[name]), 'the input must not change'
    permuted = {entry.source for entry in result.entries if entry.action == 'permuted'}
    assert permuted == {name for name in weights if predicting(name)}


@pytest.mark.parametrize('kind', ['bevdistill-student', 'bevdistill-teacher'])
def test_classes_of_own_order_stay(official, kind: str) -> None:
    weights = official(kind)
    result = convert_weights(weights, kind, CLASSES)
    for name in (HEAD + 'cls_branches.1.6.weight', HEAD + 'task_heads.0.heatmap.2.weight'):
        assert torch.equal(result.weights[name], weights[name])
    assert Counter(entry.reason for entry in result.entries if entry.action == 'permuted').keys() == {'boxes'}
    other = convert_weights(weights, kind, BEVFORMER_CLASSES)
    for name in (HEAD + 'cls_branches.1.6.weight', HEAD + 'task_heads.0.heatmap.2.bias'):
        assert torch.equal(other.weights[name], to_own_classes(weights[name], BEVFORMER_CLASSES))


def test_distiller(official) -> None:
    weights = official('distiller')
    result = convert_weights({f'module.{name}': value for name, value in weights.items()}, 'distiller', CLASSES)
    student = {name for name in weights if name.startswith('student.')}
    critics = {name for name in result.weights if name.startswith('losses.')}
    assert set(result.weights) == student | critics
    assert critics == {
        f'losses.contrast.{side}_critic.{part}'
        for side in ('student', 'teacher')
        for part in ('projections.0.weight', 'mlp.0.weight', 'mlp.1.running_mean')
    }
    for name, ours in (
        ('cl_head.img_projs.0.0.weight', 'student_critic.projections.0.weight'),
        ('cl_head.encoder_pts.1.running_mean', 'teacher_critic.mlp.1.running_mean'),
    ):
        assert torch.equal(result.weights[f'losses.contrast.{ours}'], weights[name])
    alone = convert_weights(
        {n.removeprefix('teacher.'): w for n, w in weights.items() if n.startswith('teacher.')},
        'bevdistill-teacher',
        CLASSES,
    )
    assert result.teacher.keys() == alone.weights.keys()
    assert all(torch.equal(result.teacher[name], value) for name, value in alone.weights.items())
    actions = Counter(entry.action for entry in result.entries)
    assert actions['dropped'] == len(result.teacher) and sum(actions.values()) == len(weights)
    turned = result.weights['student.pts_bbox_head.reg_branches.0.4.weight']
    assert torch.equal(turned, to_new_boxes(weights['student.pts_bbox_head.reg_branches.0.4.weight']))


def test_sparse_kernels_are_stored_as_mmcv_has_them(official) -> None:
    weights = official('bevdistill-teacher')
    name = 'pts_middle_encoder.conv_input.0.weight'
    out = 'pts_middle_encoder.conv_out.0.weight'
    turned = dict(weights)
    for kernel in (name, out):  # as spconv 2.x has them
        turned[kernel] = weights[kernel].permute(4, 0, 1, 2, 3)
    for given, reason in ((weights, ''), (turned, 'sparse kernels')):
        result = convert_weights(given, 'bevdistill-teacher', CLASSES)
        for kernel in (name, out):
            assert torch.equal(result.weights[kernel], weights[kernel])
            assert [entry.reason for entry in result.entries if entry.source == kernel] == [reason]


@pytest.mark.parametrize('kind', list(KINDS))
@pytest.mark.parametrize('other', list(KINDS))
def test_wrong_kind_is_named(official, kind: str, other: str) -> None:
    if kind == other:
        return
    with pytest.raises(ValueError, match=rf'not of kind {other}\. It has .* Give --kind {kind}$'):
        convert_weights(official(kind), other, CLASSES)


def test_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match=r'It has backbone, fc, and looks like none of the known kinds'):
        convert_weights({'backbone.x': torch.ones(1), 'fc.bias': torch.ones(1)}, 'bevformer', CLASSES)
    with pytest.raises(ValueError, match='It has no weights'):
        convert_weights({}, 'bevformer', CLASSES)


def test_missing_and_left_over_are_all_named(official) -> None:
    weights = official('bevformer')
    for name in [name for name in weights if 'img_neck' in name or 'encoder.layers' in name]:
        del weights[name]
    weights |= {'pts_bbox_head.extra.weight': torch.ones(1), 'grid_mask.x': torch.ones(1)}
    message = (
        r'(?s)2 parts missing: img_neck\.\.\*, pts_bbox_head\.transformer\.encoder\.layers.*'
        r'2 weights left over: pts_bbox_head\.extra\.weight, grid_mask\.x'
    )
    with pytest.raises(ValueError, match=message):
        convert_weights(weights, 'bevformer', CLASSES)
    weights = official('distiller')
    for name in [name for name in weights if name.startswith('cl_head.')]:
        del weights[name]
    with pytest.raises(ValueError, match=r'1 parts missing: cl_head\.\*'):
        convert_weights(weights, 'distiller', CLASSES)


def test_shapes_that_do_not_fit_are_all_named(official) -> None:
    weights = official('bevformer')
    weights[HEAD + 'reg_branches.0.4.bias'] = torch.zeros(8)
    weights[HEAD + 'cls_branches.1.6.weight'] = torch.zeros(3, 4)
    weights[HEAD + 'query_embedding.weight'] = 'text'
    with pytest.raises(ValueError, match=r'(?s)query_embedding.weight is no tensor.*one per slot.*one per class'):
        convert_weights(weights, 'bevformer', CLASSES)
