from __future__ import annotations

import math

import pytest
import torch
from mmdet3d.registry import MODELS


def build(mask: str = 'SoftForeground', **arguments):
    return MODELS.build(dict(type='HeatmapDistillLoss', mask=dict(type=mask), **arguments))


def test_matches_loops(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(2, 1)
    loss = build()
    weights = loss.region.mask(student, teacher, targets)
    total = 0.0
    for b in range(2):
        for r in range(6):
            for c in range(8):
                entropy = 0.0
                for k in range(3):
                    p = 1 / (1 + math.exp(-float(student.heatmap[b, k, r, c])))
                    t = 1 / (1 + math.exp(-float(teacher.heatmap[b, k, r, c])))
                    entropy -= t * math.log(p) + (1 - t) * math.log(1 - p)
                total += float(weights[b, r, c]) * entropy / 3
    value = loss(student, teacher, targets)['loss']
    assert float(value) == pytest.approx(total / float(weights.sum()), rel=1e-5)


def test_the_mask_moves_the_value(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(2, 1)
    everywhere, masked = (build(mask)(student, teacher, targets)['loss'] for mask in ('AllCells', 'SoftForeground'))
    assert abs(float(everywhere - masked)) > 1e-3


def test_without_objects_zero_with_a_graph(make_outputs, make_targets) -> None:
    student = make_outputs(grad=True)
    value = build()(student, make_outputs(seed=1), make_targets(0, 0))['loss']
    assert float(value) == 0
    value.backward()
    assert student.heatmap.grad is not None


def test_gradient_reaches_the_student_only(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1, grad=True)
    build()(student, teacher, make_targets(2, 1))['loss'].backward()
    assert float(student.heatmap.grad.abs().sum()) > 0
    assert teacher.heatmap.grad is None


def test_batch_weighs_samples_by_their_foreground(make_outputs, make_targets, single, sample_of) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(4, 1)
    loss = build()
    mass = loss.region.mask(student, teacher, targets).sum(dim=(1, 2))
    apart = [loss(single(student, b), single(teacher, b), sample_of(targets, b))['loss'] for b in range(2)]
    want = (apart[0] * mass[0] + apart[1] * mass[1]) / mass.sum()
    torch.testing.assert_close(loss(student, teacher, targets)['loss'], want)


def test_released_double_sigmoid(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(0, 0)
    twice, target = student.heatmap.sigmoid().sigmoid(), teacher.heatmap.sigmoid()
    want = -(target * twice.log() + (1 - target) * (1 - twice).log()).mean()
    value = build('AllCells', released_double_sigmoid=True)(student, teacher, targets)['loss']
    torch.testing.assert_close(value, want)


def test_the_divisor_has_a_floor(make_outputs, make_targets) -> None:
    sizes = dict(batch=1, rows=1, cols=1)
    student, teacher = make_outputs(**sizes), make_outputs(seed=1, **sizes)
    student.heatmap.fill_(-20.0)
    # The cross entropy of a logit of -20 is 20 times the target.
    want = torch.tensor(-20.0).sigmoid() * 20 * teacher.heatmap.sigmoid().mean() / 1e-6
    value = build('PredictedForeground')(student, teacher, make_targets(0))['loss']
    torch.testing.assert_close(value, want, rtol=1e-4, atol=0)
