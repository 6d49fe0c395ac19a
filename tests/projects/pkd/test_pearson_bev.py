from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS

import projects.pkd  # noqa: F401


def build(**arguments):
    return MODELS.build(dict(type='PearsonBEVLoss', **arguments))


def standardised(values: list[float]) -> list[float]:
    mean = sum(values) / len(values)
    std = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    return [(value - mean) / std for value in values]


def test_matches_loops(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1)
    errors = []
    for b in range(2):
        for c in range(4):
            own = standardised([float(student.bev[b, c, row, col]) for row in range(6) for col in range(8)])
            given = standardised([float(teacher.bev[b, c, row, col]) for row in range(6) for col in range(8)])
            errors += [(s - t) ** 2 for s, t in zip(own, given, strict=True)]
    value = build()(student, teacher, make_targets(1, 1))['loss']
    assert float(value) == pytest.approx(0.5 * sum(errors) / len(errors), rel=1e-4)


def test_is_one_minus_the_correlation(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1)
    pairs = torch.stack((student.bev, teacher.bev), dim=2).flatten(3).flatten(0, 1)
    correlation = torch.stack([torch.corrcoef(pair)[0, 1] for pair in pairs])
    want = (1 - correlation).mean()
    torch.testing.assert_close(build()(student, teacher, make_targets(0, 0))['loss'], want, atol=1e-5, rtol=1e-4)


def test_does_not_see_scale_and_offset_of_channels(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(1, 1)
    before = build()(student, teacher, targets)['loss']
    teacher.bev.mul_(torch.tensor([3.0, 0.1, 7.0, 1.0]).view(4, 1, 1)).add_(5.0)
    torch.testing.assert_close(build()(student, teacher, targets)['loss'], before, atol=1e-4, rtol=1e-3)


def test_equal_maps_give_zero_and_opposite_maps_two(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(), make_targets(1, 1)
    assert float(build()(student, teacher, targets)['loss']) == 0
    teacher.bev.neg_()
    assert float(build()(student, teacher, targets)['loss']) == pytest.approx(2, abs=1e-4)


def test_channels_without_a_pattern(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(batch=1), make_outputs(batch=1, seed=1)
    student.bev[:, 0] = 3.0
    student.bev.requires_grad_()
    teacher.bev[:, :2] = 0.0
    value = build()(student, teacher, make_targets(1))['loss']
    value.backward()
    assert bool(student.bev.grad.isfinite().all())
    # A student's channel without partner has nothing to learn, up to rounding; the others do.
    assert float(student.bev.grad[:, :2].abs().max()) < 1e-4 * float(student.bev.grad[:, 2:].abs().max())


def test_batch_is_the_mean_of_its_samples(make_outputs, make_targets, single, sample_of) -> None:
    student, teacher, targets = make_outputs(batch=3), make_outputs(batch=3, seed=1), make_targets(4, 0, 1)
    apart = [build()(single(student, b), single(teacher, b), sample_of(targets, b))['loss'] for b in range(3)]
    torch.testing.assert_close(build()(student, teacher, targets)['loss'], sum(apart) / 3)


def test_gradient_reaches_the_student_only(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1, grad=True)
    build()(student, teacher, make_targets(0, 0))['loss'].backward()
    assert float(student.bev.grad.abs().sum()) > 0
    assert teacher.bev.grad is None


def test_teacher_of_another_size_is_resized(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1, rows=9, cols=13), make_targets(1, 1)
    small = make_outputs(seed=1)
    small.bev.copy_(F.interpolate(teacher.bev, size=(6, 8), mode='bilinear', align_corners=False))
    torch.testing.assert_close(build()(student, teacher, targets)['loss'], build()(student, small, targets)['loss'])


def test_channels_must_agree_or_have_an_adapter(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1, channels=7), make_targets(1, 1)
    with pytest.raises(ValueError, match=r"student bev has 4 channels and the teacher's 7.*ConvAdapter"):
        build()(student, teacher, targets)
    loss = build(adapter=dict(type='ConvAdapter', student_channels=4, teacher_channels=7))
    loss(student, teacher, targets)['loss'].backward()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in loss.parameters())


def test_other_tap(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(1, 1)
    loss = build(tap='heatmap_features')
    assert loss.wants == ('student.heatmap_features', 'teacher.heatmap_features')
    assert build().wants == ('student.bev', 'teacher.bev')
    assert abs(float(loss(student, teacher, targets)['loss'] - build()(student, teacher, targets)['loss'])) > 1e-4
    with pytest.raises(ValueError, match="tap must be 'bev' or 'heatmap_features', got 'states'"):
        build(tap='states')
