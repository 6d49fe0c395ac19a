"""Features and relations at key points."""

from __future__ import annotations

import math

import pytest
import torch
from mmdet3d.registry import MODELS

import projects.unidistill  # noqa: F401
from bevdistill.structures import BEVOutputs, Targets

LOSSES = ['UniDistillFeatureLoss', 'UniDistillRelationLoss']


def build(name: str, **arguments):
    return MODELS.build(dict(type=name, **arguments))


def key_points(box: list[float]) -> list[tuple[float, float]]:
    """Four corners, the middles of the four edges, the centre."""
    x, y, _, length, width, _, yaw = box[:7]
    forward = (math.cos(yaw) * length / 2, math.sin(yaw) * length / 2)
    left = (-math.sin(yaw) * width / 2, math.cos(yaw) * width / 2)
    corners = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    edges = [(1, 0), (-1, 0), (0, 1), (0, -1)]
    return [(x + u * forward[0] + v * left[0], y + u * forward[1] + v * left[1]) for u, v in [*corners, *edges, (0, 0)]]


def read(outputs: BEVOutputs, sample: int, place: tuple[float, float]) -> list[float]:
    """Bilinear value of each channel at a place of the ground, zero outside."""
    rows, cols = outputs.bev.shape[2:]
    x, y = (place[0] + 8) / 16 * cols - 0.5, (place[1] + 6) / 12 * rows - 0.5
    values = [0.0] * outputs.bev.shape[1]
    for row in (math.floor(y), math.floor(y) + 1):
        for col in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < rows and 0 <= col < cols:
                share = (1 - abs(x - col)) * (1 - abs(y - row))
                values = [v + share * float(m) for v, m in zip(values, outputs.bev[sample, :, row, col], strict=True)]
    return values


def features(outputs: BEVOutputs, targets: Targets) -> list[list[list[float]]]:
    return [
        [read(outputs, sample, place) for place in key_points(box)]
        for sample, boxes in enumerate(targets.boxes)
        for box in boxes.tolist()
    ]


def test_feature_matches_loops(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1, rows=9, cols=13), make_targets(3, 2)
    boxes = []
    for own, given in zip(features(student, targets), features(teacher, targets), strict=True):
        errors = [abs(s - t) for a, b in zip(own, given, strict=True) for s, t in zip(a, b, strict=True)]
        boxes.append(sum(errors) / len(errors))
    assert len(boxes) == 5
    value = build('UniDistillFeatureLoss')(student, teacher, targets)['loss']
    assert float(value) == pytest.approx(sum(boxes) / 5, rel=1e-4)


def cosine(a: list[float], b: list[float]) -> float:
    length = math.sqrt(sum(v * v for v in a)) * math.sqrt(sum(v * v for v in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / length if length else 0.0


def test_relation_matches_loops(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1, channels=7), make_targets(3, 2)
    boxes = []
    for own, given in zip(features(student, targets), features(teacher, targets), strict=True):
        errors = [abs(cosine(own[p], own[q]) - cosine(given[p], given[q])) for p in range(9) for q in range(9)]
        boxes.append(sum(errors) / 81)
    value = build('UniDistillRelationLoss')(student, teacher, targets)['loss']
    assert float(value) == pytest.approx(sum(boxes) / 5, rel=1e-3)


def test_relation_does_not_see_the_scale(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = build('UniDistillRelationLoss')
    before = loss(student, teacher, targets)['loss']
    teacher.bev.mul_(20.0)
    torch.testing.assert_close(loss(student, teacher, targets)['loss'], before, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize('name', LOSSES)
def test_every_box_of_a_batch_counts_the_same(name: str, make_outputs, make_targets, single, sample_of) -> None:
    student, teacher, targets = make_outputs(batch=3), make_outputs(batch=3, seed=1), make_targets(4, 0, 1)
    loss = build(name)
    apart = [loss(single(student, b), single(teacher, b), sample_of(targets, b))['loss'] for b in range(3)]
    assert float(apart[1]) == 0
    torch.testing.assert_close(loss(student, teacher, targets)['loss'], (apart[0] * 4 + apart[2]) / 5)


@pytest.mark.parametrize('name', LOSSES)
def test_no_objects_give_zero_with_a_graph(name: str, make_outputs, make_targets) -> None:
    student = make_outputs(grad=True)
    loss = build(name, adapter=dict(type='ConvAdapter', student_channels=4, teacher_channels=4))
    value = loss(student, make_outputs(seed=1), make_targets(0, 0))['loss']
    assert float(value) == 0
    value.backward()
    assert student.bev.grad is not None
    assert all(parameter.grad is not None for parameter in loss.parameters())


@pytest.mark.parametrize('name', LOSSES)
def test_objects_outside_of_the_map_add_nothing(name: str, make_outputs, make_targets) -> None:
    student, targets = make_outputs(grad=True), make_targets(1, 1)
    for boxes in targets.boxes:
        boxes[:, 0] += 100.0
    value = build(name)(student, make_outputs(seed=1), targets)['loss']
    value.backward()
    assert float(value) == 0
    assert bool(student.bev.grad.isfinite().all())


@pytest.mark.parametrize('name', LOSSES)
def test_gradient_reaches_the_student_only(name: str, make_outputs, make_targets) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1, grad=True)
    build(name)(student, teacher, make_targets(3, 2))['loss'].backward()
    assert float(student.bev.grad.abs().sum()) > 0
    assert teacher.bev.grad is None


def test_channels_must_agree_or_have_an_adapter(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1, channels=7), make_targets(1, 1)
    with pytest.raises(ValueError, match=r"student bev has 4 channels and the teacher's 7.*ConvAdapter"):
        build('UniDistillFeatureLoss')(student, teacher, targets)
    adapter = dict(type='ConvAdapter', student_channels=4, teacher_channels=7)
    assert float(build('UniDistillFeatureLoss', adapter=adapter)(student, teacher, targets)['loss']) > 0


@pytest.mark.parametrize('name', LOSSES)
def test_other_tap(name: str, make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(2, 2)
    loss = build(name, tap='heatmap_features')
    assert loss.wants == ('student.heatmap_features', 'teacher.heatmap_features', 'targets')
    assert abs(float(loss(student, teacher, targets)['loss'] - build(name)(student, teacher, targets)['loss'])) > 1e-4
    with pytest.raises(ValueError, match="tap must be 'bev' or 'heatmap_features', got 'states'"):
        build(name, tap='states')
