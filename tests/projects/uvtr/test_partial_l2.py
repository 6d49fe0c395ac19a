"""Features at predicted centres against loops over layers, samples, queries and channels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS

import projects.uvtr  # noqa: F401


def build(**arguments: Any):
    return MODELS.build(dict(type='SampledPartialL2', **arguments))


def read(map_CHW: torch.Tensor, x: float, y: float) -> list[float]:
    """Bilinear values at metres on a map of 16 m x 12 m around the origin, zero outside."""
    _, rows, cols = map_CHW.shape
    col, row = (x + 8) / 16 * cols - 0.5, (y + 6) / 12 * rows - 0.5
    values = torch.zeros(len(map_CHW))
    for r in (math.floor(row), math.floor(row) + 1):
        for c in (math.floor(col), math.floor(col) + 1):
            if 0 <= r < rows and 0 <= c < cols:
                values += map_CHW[:, r, c] * (1 - abs(row - r)) * (1 - abs(col - c))
    return values.tolist()


def oracle(student: Any, teacher: Any, layer: int) -> float:
    total, places = 0.0, 0
    for b in range(student.batch_size):
        for x, y in student.codes[layer, b, :, :2].tolist():
            for s, t in zip(read(student.bev[b], x, y), read(teacher.bev[b], x, y), strict=True):
                if s > t or t > 0:
                    total += (s - t) ** 2
            places += 1
    return total / places


@pytest.mark.parametrize('counts', [(3, 2), (0, 0)], ids=str)
def test_matches_loops(make_outputs: Any, make_targets: Callable[..., Any], counts: tuple[int, int]) -> None:
    student = make_outputs(layers=3, rows=5, cols=7)
    teacher = make_outputs(seed=1, rows=9, cols=12)
    # Some centres lie outside the map.
    student = replace(student, codes=student.codes * torch.tensor([1.3, 1.3] + [1.0] * 8))
    values = build()(student, teacher, make_targets(*counts))
    assert list(values) == ['d0.loss', 'd1.loss', 'loss']
    for layer, value in enumerate(values.values()):
        assert float(value) == pytest.approx(oracle(student, teacher, layer), rel=1e-4)


@pytest.mark.parametrize(
    ('own', 'wanted', 'error'),
    [(-3.0, -1.0, 0.0), (-1.0, -3.0, 4.0), (-1.0, 0.0, 0.0), (1.0, 0.0, 1.0), (-1.0, 2.0, 9.0), (3.0, 2.0, 1.0)],
)
def test_a_student_below_a_teacher_that_is_not_positive_is_right(
    make_outputs: Any, make_targets: Any, own: float, wanted: float, error: float
) -> None:
    student, teacher = make_outputs(), make_outputs()
    inside = torch.tensor([0.5, 0.5] + [1.0] * 8)
    student = replace(student, bev=torch.full_like(student.bev, own), codes=student.codes * inside)
    teacher = replace(teacher, bev=torch.full_like(teacher.bev, wanted))
    assert float(build()(student, teacher, make_targets(1, 1))['loss']) == pytest.approx(4 * error, rel=1e-5)


def test_centres_carry_no_gradient(make_outputs: Any, make_targets: Any) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1, grad=True)
    sum(build()(student, teacher, make_targets(2, 1)).values()).backward()
    assert float(student.bev.grad.abs().sum()) > 0
    assert student.codes.grad is None
    assert teacher.bev.grad is None


def test_batch_is_the_mean_of_its_samples(make_outputs: Any, make_targets: Any, single: Any) -> None:
    student, teacher, loss = make_outputs(), make_outputs(seed=1), build()
    apart = [loss(single(student, b), single(teacher, b), make_targets(1))['loss'] for b in range(2)]
    torch.testing.assert_close(loss(student, teacher, make_targets(1, 1))['loss'], (apart[0] + apart[1]) / 2)


def test_channels_must_agree_or_have_an_adapter(make_outputs: Any, make_targets: Any) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1, channels=7), make_targets(1, 1)
    with pytest.raises(ValueError, match=r"student bev has 4 channels and the teacher's 7.*ConvAdapter"):
        build()(student, teacher, targets)
    loss = build(adapter=dict(type='ConvAdapter', student_channels=4, teacher_channels=7))
    adapted = replace(student, bev=loss.adapter(student.bev).detach())
    assert float(loss(student, teacher, targets)['loss']) == pytest.approx(oracle(adapted, teacher, -1), rel=1e-4)
