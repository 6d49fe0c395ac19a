from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS

from bevdistill.losses.alignment import resize_map
from bevdistill.structures import Targets


def build(norm: str | None = None, student_channels: int = 4, teacher_channels: int = 4, **arguments: Any):
    critic = dict(type='MLPCritic', channels=5, projections=1, depth=2, norm=norm)
    return MODELS.build(
        dict(
            type='BEVContrastLoss',
            student_critic=dict(critic, in_channels=student_channels),
            teacher_critic=dict(critic, in_channels=teacher_channels),
            **arguments,
        )
    )


def empty(size: int) -> Targets:
    return Targets((torch.zeros(0, 9),) * size, (torch.zeros(0, dtype=torch.long),) * size)


def cell_value(map_CHW: torch.Tensor, x: float, y: float) -> torch.Tensor:
    """Bilinear value at metres on the 6 x 8 grid of 2 m cells."""
    value, col, row = torch.zeros(len(map_CHW)), (x + 8) / 2 - 0.5, (y + 6) / 2 - 0.5
    for r in (math.floor(row), math.floor(row) + 1):
        for c in (math.floor(col), math.floor(col) + 1):
            if 0 <= r < 6 and 0 <= c < 8:
                value += map_CHW[:, r, c] * (1 - abs(row - r)) * (1 - abs(col - c))
    return value


@pytest.mark.parametrize('anchor', ['student', 'teacher'])
@pytest.mark.parametrize('negatives', ['sample', 'batch'])
def test_matches_loops(make_outputs, anchor: str, negatives: str) -> None:
    student, teacher = make_outputs(queries=4), make_outputs(seed=1)
    loss = build(anchor=anchor, negatives=negatives, temperature=0.4)
    rows: list[list[tuple[torch.Tensor, torch.Tensor]]] = [[], []]
    for b in range(2):
        for layer in range(3):
            for x, y in student.codes[layer, b, :, :2].tolist():
                s = loss.student_critic(cell_value(student.bev[b], x, y)[None])[0]
                t = loss.teacher_critic(cell_value(teacher.bev[b], x, y)[None])[0]
                rows[b].append((s / s.norm(), t / t.norm()))
    sets = rows if negatives == 'sample' else [rows[0] + rows[1]]
    per_set = []
    for pairs in sets:
        losses = []
        for i, (s, t) in enumerate(pairs):
            scores = [
                math.exp(float(s @ other[1] if anchor == 'student' else t @ other[0]) / 0.4) for other in pairs
            ]
            losses.append(-math.log(scores[i] / sum(scores)))
        per_set.append(sum(losses) / len(losses))
    value = loss(student, teacher, empty(2))['loss']
    assert float(value) == pytest.approx(sum(per_set) / len(per_set), rel=1e-4)


def test_the_release_resizes_heatmap_features_first(make_outputs) -> None:
    student, teacher = make_outputs(), make_outputs(rows=12, cols=16, seed=1)
    channels = student.heatmap_features.shape[1]
    loss = build(tap='heatmap_features', released_resize=True, student_channels=channels, teacher_channels=channels)
    resized = resize_map(teacher.heatmap_features, teacher.grid, student.grid)
    value = loss(student, teacher, empty(2))['loss']
    loss.released_resize = False
    small = replace(student, heatmap_features=resized)
    torch.testing.assert_close(value, loss(student, small, empty(2))['loss'])
    assert abs(float(value) - float(loss(student, teacher, empty(2))['loss'])) > 1e-4
    with pytest.raises(ValueError, match="released_resize needs tap='heatmap_features', got 'bev'"):
        build(released_resize=True)


@pytest.mark.parametrize('norm', ['BN', 'LN'])
def test_batch_is_the_mean_of_its_samples(make_outputs, single, norm: str) -> None:
    student, teacher, loss = make_outputs(), make_outputs(seed=1), build(norm)
    apart = [loss(single(student, b), single(teacher, b), empty(1))['loss'] for b in range(2)]
    torch.testing.assert_close(loss(student, teacher, empty(2))['loss'], (apart[0] + apart[1]) / 2)


def test_gradients(make_outputs) -> None:
    student, teacher, loss = make_outputs(grad=True), make_outputs(seed=1, grad=True), build()
    loss(student, teacher, empty(2))['loss'].backward()
    assert float(student.bev.grad.abs().sum()) > 0
    assert student.codes.grad is None
    assert teacher.bev.grad is None
    assert all(parameter.grad is not None for parameter in loss.parameters())


def test_sizes_and_channels_may_differ(make_outputs) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1, rows=12, cols=16, channels=7, queries=3, layers=3)
    loss = build(teacher_channels=7, layers='last')
    value = loss(student, teacher, empty(2))['loss']
    loss.layers = 'all'
    torch.testing.assert_close(value, loss(replace(student, codes=student.codes[2:].repeat(3, 1, 1, 1)[:1],
        states=student.states[2:], logits=student.logits[2:], references=student.references[2:],
    ), teacher, empty(2))['loss'])


def test_options(make_outputs) -> None:
    assert build(tap='heatmap_features').wants == (
        'student.heatmap_features',
        'teacher.heatmap_features',
        'student.codes',
    )
    for arguments, message in (
        (dict(tap='states'), "tap must be 'bev' or 'heatmap_features', got 'states'"),
        (dict(layers='first'), "layers must be 'all' or 'last', got 'first'"),
        (dict(negatives='world'), "negatives must be 'sample' or 'batch', got 'world'"),
    ):
        with pytest.raises(ValueError, match=message):
            build(**arguments)


def test_batch_norms_of_both_critics_are_over_ranks_where_negatives_are() -> None:
    for negatives in ('sample', 'batch'):
        loss = build(norm='BN', negatives=negatives)
        for critic in (loss.student_critic, loss.teacher_critic):
            assert [norm.over_ranks for norm in critic.modules() if hasattr(norm, 'over_ranks')] == [
                negatives == 'batch'
            ]


def test_maps_of_other_ground_are_read_each_on_its_own(make_outputs) -> None:
    student, loss = make_outputs(), build()
    teacher = make_outputs(seed=1, rows=8, cols=12, limits=(-12.0, -8.0, -5.0, 12.0, 8.0, 3.0))
    inner = replace(make_outputs(), bev=teacher.bev[:, :, 1:7, 2:10])
    # Two metres a cell in both: the middle of the wider map is the other's ground, but for what lies at its border.
    student = replace(student, codes=student.codes * torch.tensor([0.8, 0.8] + [1.0] * 8))
    torch.testing.assert_close(loss(student, teacher, empty(2))['loss'], loss(student, inner, empty(2))['loss'])
