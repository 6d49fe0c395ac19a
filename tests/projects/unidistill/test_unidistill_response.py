from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.models.utils import draw_heatmap_gaussian, gaussian_radius
from mmdet3d.registry import MODELS

import projects.unidistill  # noqa: F401


def build(**arguments):
    return MODELS.build(dict(type='UniDistillResponseLoss', **arguments))


def mask_of(boxes: torch.Tensor) -> torch.Tensor:
    """Gaussians of mmdet3d on 6 x 8 cells of 2 m."""
    mask = torch.zeros(6, 8)
    for box in boxes.tolist():
        radius = max(0, int(gaussian_radius((torch.tensor(box[4] / 2), torch.tensor(box[3] / 2)), 0.7)))
        centre = torch.tensor([math.floor((box[0] + 8) / 2), math.floor((box[1] + 6) / 2)])
        draw_heatmap_gaussian(mask, centre, radius)
    return mask


def test_matches_loops(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    total = mass = 0.0
    for b in range(2):
        mask = mask_of(targets.boxes[b])
        mass += float(mask.sum())
        for row in range(6):
            for col in range(8):
                own = max(1 / (1 + math.exp(-float(v))) for v in student.heatmap[b, :, row, col])
                given = max(1 / (1 + math.exp(-float(v) / 2)) for v in teacher.heatmap[b, :, row, col])
                total += float(mask[row, col]) * abs(own - given)
    value = build()(student, teacher, targets)['loss']
    assert float(value) == pytest.approx(total / mass, rel=1e-4)


def test_temperature_is_the_teachers_alone(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(), make_targets(3, 2)
    assert float(build(teacher_temperature=1.0)(student, teacher, targets)['loss']) == 0
    teacher.heatmap.mul_(2.0)
    assert float(build()(student, teacher, targets)['loss']) == pytest.approx(0, abs=1e-6)


def test_every_marked_cell_of_a_batch_counts_the_same(make_outputs, make_targets, single, sample_of) -> None:
    student, teacher, targets = make_outputs(batch=3), make_outputs(batch=3, seed=1), make_targets(4, 0, 1)
    apart = [build()(single(student, b), single(teacher, b), sample_of(targets, b))['loss'] for b in range(3)]
    assert float(apart[1]) == 0
    first, _, last = (float(mask_of(boxes).sum()) for boxes in targets.boxes)
    want = (apart[0] * first + apart[2] * last) / (first + last)
    torch.testing.assert_close(build()(student, teacher, targets)['loss'], want)


def test_probabilities_are_kept_from_zero_and_one(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(grad=True), make_outputs(), make_targets(3, 2)
    with torch.no_grad():
        student.heatmap.fill_(20.0)
        teacher.heatmap.fill_(-40.0)
    value = build()(student, teacher, targets)['loss']
    assert float(value) == pytest.approx(1 - 2e-4, rel=1e-5)
    value.backward()
    assert float(student.heatmap.grad.abs().sum()) == 0


def test_no_objects_give_zero_with_a_graph(make_outputs, make_targets) -> None:
    student = make_outputs(grad=True)
    value = build()(student, make_outputs(seed=1), make_targets(0, 0))['loss']
    assert float(value) == 0
    value.backward()
    assert student.heatmap.grad is not None


def test_gradient_reaches_the_student_only(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1, grad=True)
    build()(student, teacher, make_targets(3, 2))['loss'].backward()
    assert float(student.heatmap.grad.abs().sum()) > 0
    assert teacher.heatmap.grad is None


def test_teacher_of_another_size_is_resized(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1, rows=9, cols=13), make_targets(2, 1)
    small = make_outputs(seed=1)
    small.heatmap.copy_(F.interpolate(teacher.heatmap, size=(6, 8), mode='bilinear', align_corners=False))
    torch.testing.assert_close(build()(student, teacher, targets)['loss'], build()(student, small, targets)['loss'])


def test_wants_heatmaps_and_says_so(make_outputs, make_targets) -> None:
    assert build().wants == ('student.heatmap', 'teacher.heatmap', 'targets')
    with pytest.raises(ValueError, match="the student does not offer 'heatmap'"):
        build()(make_outputs(heatmap=False), make_outputs(), make_targets(1, 1))


def test_temperature_must_be_positive() -> None:
    with pytest.raises(ValueError, match='teacher_temperature must be positive, got 0'):
        build(teacher_temperature=0)
