from __future__ import annotations

import math

import pytest
import torch
from mmdet3d.registry import MODELS

import projects.tigbev  # noqa: F401
from bevdistill.losses import sample_places
from bevdistill.structures import BEVGrid
from projects.tigbev.regions import region_places

TERMS = ('loss_keypoint', 'loss_channel')


def build(**arguments):
    return MODELS.build(dict(type='InnerGeometryLoss', **(dict(samples=4) | arguments)))


def loop_gram(vectors: list[list[float]]) -> list[list[float]]:
    rows = [[sum(x * y for x, y in zip(a, b, strict=True)) for b in vectors] for a in vectors]
    lengths = [math.sqrt(sum(value * value for value in row)) for row in rows]
    return [[value / length if length else 0.0 for value in row] for row, length in zip(rows, lengths, strict=True)]


def loop_error(student: list[list[float]], teacher: list[list[float]]) -> float:
    own, given = loop_gram(student), loop_gram(teacher)
    errors = [(s - t) ** 2 for a, b in zip(own, given, strict=True) for s, t in zip(a, b, strict=True)]
    return sum(errors) / len(own)


def read(side, targets) -> torch.Tensor:
    """Features at 4 x 4 places of each box and 1.6 m around it, (N, P, C)."""
    return sample_places(side.bev, side.grid, [region_places(boxes, side.grid, 4) for boxes in targets.boxes])


def test_matches_loops(make_outputs, make_targets) -> None:
    """Grids of different size, which the release cannot have."""
    student, teacher, targets = make_outputs(), make_outputs(seed=1, rows=9, cols=13), make_targets(3, 2)
    own, given = read(student, targets), read(teacher, targets)
    keypoint = [loop_error(s.tolist(), t.tolist()) for s, t in zip(own, given, strict=True)]
    channel = [loop_error(s.T.tolist(), t.T.tolist()) for s, t in zip(own, given, strict=True)]
    got = build()(student, teacher, targets)
    assert set(got) == set(TERMS)
    assert float(got['loss_keypoint']) == pytest.approx(100 * sum(keypoint) / 5, rel=1e-4)
    assert float(got['loss_channel']) == pytest.approx(10 * sum(channel) / 5, rel=1e-4)


def test_does_not_see_the_scale(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(), make_targets(3, 2)
    teacher.bev.mul_(20.0)
    for value in build()(student, teacher, targets).values():
        assert float(value) == pytest.approx(0, abs=1e-6)


def corners(**enlargement: float) -> list[tuple[float, float]]:
    """Corners of the lattice over a box of 4 m x 2 m that looks along +y, about its centre."""
    box = torch.tensor([[10.0, -5.0, 0.0, 4.0, 2.0, 1.5, math.pi / 2, 0.0, 0.0]])
    places = region_places(box, BEVGrid((-20.0, -20.0, -5.0, 20.0, 20.0, 3.0), 10, 10), 2, **enlargement)
    return [(round(x - 10, 3), round(y + 5, 3)) for x, y in places[0].tolist()]


def test_the_enlarged_box() -> None:
    assert corners() == [(2.6, -3.6), (2.6, 3.6), (-2.6, -3.6), (-2.6, 3.6)]
    assert corners(margin=0.0) == [(1.0, -2.0), (1.0, 2.0), (-1.0, -2.0), (-1.0, 2.0)]
    assert corners(margin=0.5, scale=1.5) == [(2.0, -3.5), (2.0, 3.5), (-2.0, -3.5), (-2.0, 3.5)]


def test_the_losses_read_the_enlarged_box(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(batch=1, rows=24, cols=32), make_outputs(batch=1, rows=24, cols=32)
    targets = make_targets(1)
    targets.boxes[0][0] = torch.tensor([1.0, -1.0, 0.0, 4.0, 2.0, 1.5, 0.5, 0.0, 0.0])
    # A change 2.9 m in front of the centre of a car of 4 m: beyond its front, within 1.6 m of it.
    place = torch.tensor([1.0 + 2.9 * math.cos(0.5), -1.0 + 2.9 * math.sin(0.5)])
    col, row = student.grid.to_cells(place).floor().long().tolist()
    teacher.bev[0, :, row, col] += 5.0
    near, far = (build(samples=24, margin=margin)(student, teacher, targets) for margin in (0.0, 1.6))
    assert float(near['loss_keypoint']) == pytest.approx(0, abs=1e-6)
    assert float(far['loss_keypoint']) > 0.01


def test_every_box_of_a_batch_counts_the_same(make_outputs, make_targets, single, sample_of) -> None:
    student, teacher, targets = make_outputs(batch=3), make_outputs(batch=3, seed=1), make_targets(4, 0, 1)
    apart = [build()(single(student, b), single(teacher, b), sample_of(targets, b)) for b in range(3)]
    got = build()(student, teacher, targets)
    for term in TERMS:
        assert float(apart[1][term]) == 0
        torch.testing.assert_close(got[term], (apart[0][term] * 4 + apart[2][term]) / 5)


def test_no_objects_give_zero_with_a_graph(make_outputs, make_targets) -> None:
    student = make_outputs(grad=True)
    total = sum(build()(student, make_outputs(seed=1), make_targets(0, 0)).values())
    assert float(total) == 0
    total.backward()
    assert student.bev.grad is not None


def test_objects_outside_of_the_map_add_nothing(make_outputs, make_targets) -> None:
    student, targets = make_outputs(grad=True), make_targets(1, 1)
    for boxes in targets.boxes:
        boxes[:, 0] += 100.0
    total = sum(build()(student, make_outputs(seed=1), targets).values())
    total.backward()
    assert float(total) == 0
    assert bool(student.bev.grad.isfinite().all())


def test_gradient_reaches_the_student_only(make_outputs, make_targets) -> None:
    for term in TERMS:
        student, teacher = make_outputs(grad=True), make_outputs(seed=1, grad=True)
        build()(student, teacher, make_targets(3, 2))[term].backward()
        assert float(student.bev.grad.abs().sum()) > 0
        assert teacher.bev.grad is None


def test_channels_may_differ_without_their_relations_or_with_an_embedding(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1, channels=7), make_targets(1, 1)
    with pytest.raises(ValueError, match=r"student bev has 4 channels and the teacher's 7.*LinearAdapter.*_weight=0"):
        build()(student, teacher, targets)
    assert set(build(channel_weight=0)(student, teacher, targets)) == {'loss_keypoint'}
    assert set(build(keypoint_weight=0)(student, student, targets)) == {'loss_channel'}
    with pytest.raises(ValueError, match='keypoint_weight or channel_weight'):
        build(keypoint_weight=0, channel_weight=0)
    embedding = dict(type='LinearAdapter', student_channels=4, teacher_channels=7)
    loss = build(embedding=embedding)
    loss(student, teacher, targets)['loss_channel'].backward()
    assert all(float(weight.grad.abs().sum()) > 0 for weight in loss.parameters())
    # A parameter that no term trains would stop a distributed run.
    assert not list(build(embedding=embedding, channel_weight=0).parameters())
