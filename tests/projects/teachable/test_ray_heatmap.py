"""Distances along rays against their definition, in loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS

import projects.teachable  # noqa: F401
from bevdistill.structures import BEVOutputs
from projects.teachable.ray_heatmap import polar_places


def read(outputs: BEVOutputs, sample: int, kind: int, x: float, y: float) -> float:
    """Bilinear logit at a place, cells beyond the border as the nearest one; then its probability."""
    plane = outputs.heatmap[sample, kind].tolist()
    x_min, y_min, _, x_max, y_max, _ = outputs.grid.point_cloud_range
    rows, cols = outputs.grid.rows, outputs.grid.cols
    col = min(max((x - x_min) / (x_max - x_min) * cols - 0.5, 0), cols - 1)
    row = min(max((y - y_min) / (y_max - y_min) * rows - 0.5, 0), rows - 1)
    total = 0.0
    for i in (math.floor(row), math.floor(row) + 1):
        for j in (math.floor(col), math.floor(col) + 1):
            share = max(0.0, 1 - abs(row - i)) * max(0.0, 1 - abs(col - j))
            total += share * plane[min(i, rows - 1)][min(j, cols - 1)]
    return 1 / (1 + math.exp(-total))


def oracle(student: BEVOutputs, teacher: BEVOutputs, rays: int, step: float) -> float:
    x_min, y_min, _, x_max, y_max, _ = student.grid.point_cloud_range
    spacing = step * min(student.grid.cell_size)
    total = mass = 0.0
    for sample in range(student.batch_size):
        for kind in range(student.heatmap.shape[1]):
            for ray in range(rays):
                angle = (ray + 0.5) * 2 * math.pi / rays
                own, wanted = [], []
                for place in range(math.ceil(math.hypot(max(-x_min, x_max), max(-y_min, y_max)) / spacing)):
                    x, y = ((place + 0.5) * spacing * part for part in (math.cos(angle), math.sin(angle)))
                    if x_min <= x < x_max and y_min <= y < y_max:
                        own.append(read(student, sample, kind, x, y))
                        wanted.append(read(teacher, sample, kind, x, y))
                shares = [(t / sum(wanted), s / sum(own)) for t, s in zip(wanted, own, strict=True)]
                total += max(wanted) * sum(t * math.log(t / s) for t, s in shares)
                mass += max(wanted)
    return total / mass


@pytest.mark.parametrize(('rays', 'step'), [(12, 0.5), (7, 1.3)])
def test_all_rays(make_outputs: Callable[..., Any], make_targets: Callable[..., Any], rays: int, step: float) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1)
    loss = MODELS.build(dict(type='RayHeatmapLoss', rays=rays, step=step))
    value = loss(student, teacher, make_targets(3, 2))['loss']
    assert float(value) == pytest.approx(oracle(student, teacher, rays, step), rel=1e-4)


def test_how_sure_the_student_is_is_left_to_the_labels(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any]
) -> None:
    """Where probabilities are small, a factor on all of them moves no share."""
    teacher = make_outputs(seed=1)
    teacher = replace(teacher, heatmap=teacher.heatmap - 12)
    loss = MODELS.build(dict(type='RayHeatmapLoss'))
    assert float(loss(replace(teacher, heatmap=teacher.heatmap + 3), teacher, make_targets(1, 1))['loss']) < 1e-3
    assert float(loss(make_outputs(), teacher, make_targets(1, 1))['loss']) > 0.1


def test_an_object_at_another_distance_costs_and_one_in_place_does_not(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any]
) -> None:
    empty = make_outputs(batch=1, classes=1, rows=24, cols=32)
    maps = []
    for col in (24, 24, 29):
        plane = torch.full_like(empty.heatmap, -8.0)
        plane[0, 0, 12, col] = 3.0
        maps.append(replace(empty, heatmap=plane))
    loss = MODELS.build(dict(type='RayHeatmapLoss'))
    same, moved = (float(loss(own, maps[0], make_targets(1))['loss']) for own in maps[1:])
    assert same == pytest.approx(0, abs=1e-6)
    assert moved > 1


def test_only_the_student_learns(make_outputs: Callable[..., Any], make_targets: Callable[..., Any]) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1, grad=True)
    MODELS.build(dict(type='RayHeatmapLoss'))(student, teacher, make_targets(0, 0))['loss'].backward()
    assert bool(student.heatmap.grad.isfinite().all()) and bool((student.heatmap.grad != 0).any())
    assert teacher.heatmap.grad is None


def test_teacher_of_another_size(make_outputs: Callable[..., Any], make_targets: Callable[..., Any]) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1, rows=9, cols=5)
    value = MODELS.build(dict(type='RayHeatmapLoss', rays=12))(student, teacher, make_targets(1, 1))['loss']
    assert float(value) == pytest.approx(oracle(student, teacher, 12, 0.5), rel=1e-4)


def test_rays_reach_the_farthest_corner(make_outputs: Callable[..., Any]) -> None:
    place = polar_places(make_outputs().grid, 16, 0.5, torch.device('cpu'))
    assert place.shape == (16, 10, 2)
    assert float(place[0, -1].norm()) == pytest.approx(9.5, abs=1e-4)


@pytest.mark.parametrize('wrong', [dict(rays=0), dict(step=0.0), dict(step=-1.0)], ids=str)
def test_wrong_arguments(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match='rays and step must be positive, got'):
        MODELS.build(dict(type='RayHeatmapLoss', **wrong))


def test_half_precision_stays_finite(make_outputs: Callable[..., Any], make_targets: Callable[..., Any]) -> None:
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value = MODELS.build(dict(type='RayHeatmapLoss'))(make_outputs(), make_outputs(seed=1), make_targets(3, 2))
    assert bool(torch.isfinite(value['loss']))
