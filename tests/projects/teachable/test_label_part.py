"""Labels as a map, and imitation of what they explain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS

import projects.teachable  # noqa: F401
from bevdistill.structures import Targets, encode_boxes
from projects.teachable.label_part import CODE_UNIT, draw_labels, explained_share

CLASSES = 3
WHERE = dict(type='SoftForeground', sigma=1.0)


def label_loss(**options: Any) -> Any:
    config = dict(type='LabelPartLoss', num_classes=CLASSES, teacher_channels=4, where=WHERE)
    return MODELS.build(config | options)


def test_codes_are_those_of_the_nearest_box_from_each_cell(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any]
) -> None:
    grid, targets = make_outputs().grid, make_targets(3, 2)
    drawn = draw_labels(targets, grid, CLASSES)
    centres = grid.cell_centres()
    assert drawn.shape == (2, CLASSES + 10, grid.rows, grid.cols)
    for sample, boxes in enumerate(targets.boxes):
        codes = encode_boxes(boxes)
        for row in range(grid.rows):
            for col in range(grid.cols):
                cell = centres[row, col]
                nearest = min(range(len(boxes)), key=lambda i: float((boxes[i, :2] - cell).norm()))
                wanted = codes[nearest].clone()
                wanted[:2] -= cell
                shown = drawn[sample, :CLASSES, row, col].max()
                torch.testing.assert_close(drawn[sample, CLASSES:, row, col], shown * wanted / CODE_UNIT)


def test_a_sample_without_objects_is_empty(make_outputs: Callable[..., Any], make_targets: Callable[..., Any]) -> None:
    grid = make_outputs().grid
    assert not draw_labels(make_targets(0, 0), grid, CLASSES).any()
    both = make_targets(3, 2)
    first = Targets((both.boxes[0], both.boxes[1][:0]), (both.labels[0], both.labels[1][:0]))
    drawn = draw_labels(first, grid, CLASSES)
    assert bool(drawn[0].any())
    assert not drawn[1].any()
    torch.testing.assert_close(drawn[0], draw_labels(both, grid, CLASSES)[0])


def test_unknown_velocities_are_drawn_as_0(make_outputs: Callable[..., Any], make_targets: Callable[..., Any]) -> None:
    targets = make_targets(3, 2)
    unknown = torch.tensor([1.0] * 7 + [float('nan')] * 2)
    boxes = tuple(boxes * unknown for boxes in targets.boxes)
    drawn = draw_labels(Targets(boxes, targets.labels), make_outputs().grid, CLASSES)
    assert bool(drawn.isfinite().all())
    assert not drawn[:, -2:].any()
    torch.testing.assert_close(drawn[:, :-2], draw_labels(targets, make_outputs().grid, CLASSES)[:, :-2])


@pytest.mark.parametrize('options', [dict(), dict(channels='sum'), dict(normaliser='cells')], ids=str)
def test_student_and_encoder_each_against_its_own_target(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any], options: dict[str, Any]
) -> None:
    """Both terms are dense losses: of the student against the encoder's map, of the encoder's against the teacher's."""
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = label_loss(**options)
    foreseen = loss.encoder(draw_labels(targets, student.grid, CLASSES)).detach()
    dense = MODELS.build(dict(type='DenseBEVLoss', where=WHERE) | options)
    found = loss(student, teacher, targets)
    middle = replace(teacher, bev=foreseen)
    torch.testing.assert_close(found['loss'], dense(student, middle, targets)['loss'])
    torch.testing.assert_close(found['loss_encoder'], dense(middle, teacher, targets)['loss'])


def test_who_learns_what(make_outputs: Callable[..., Any], make_targets: Callable[..., Any]) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1, grad=True)
    loss = label_loss()
    entries = loss(student, teacher, make_targets(3, 2))
    entries['loss'].backward()
    assert bool((student.bev.grad != 0).any())
    assert all(weight.grad is None for weight in loss.parameters())
    student.bev.grad = None
    entries['loss_encoder'].backward()
    assert student.bev.grad is None
    assert all(bool((weight.grad != 0).any()) for weight in loss.parameters())
    assert teacher.bev.grad is None


def test_the_encoder_learns_what_labels_explain(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any]
) -> None:
    """A teacher's map that follows from the labels is explained; noise is not."""
    outputs, targets = make_outputs(), make_targets(3, 2)
    drawn = draw_labels(targets, outputs.grid, CLASSES)
    shares = {}
    for name, noise in (('labels', 0.0), ('noise', 1.0)):
        loss = label_loss(hidden=16, where=dict(type='AllCells'))
        optimizer = torch.optim.Adam(loss.parameters(), lr=0.03)
        for _ in range(30):
            optimizer.zero_grad()
            known = drawn[:, :4] * 3 + noise * torch.randn_like(outputs.bev)
            entries = loss(outputs, replace(outputs, bev=known), targets)
            entries['loss_encoder'].backward()
            optimizer.step()
        shares[name] = float(entries['explained'])
    assert shares['labels'] > 0.7
    assert shares['noise'] < shares['labels'] - 0.3


def test_share_of_variance() -> None:
    teacher = torch.tensor([[[1.0, 3.0, 100.0]]])
    weight = torch.tensor([[1.0, 1.0, 0.0]])
    assert float(explained_share((teacher - teacher).square(), teacher, weight)) == 1
    assert float(explained_share((teacher - 2).square(), teacher, weight)) == pytest.approx(0)


def test_without_objects_it_is_0(make_outputs: Callable[..., Any], make_targets: Callable[..., Any]) -> None:
    found = label_loss()(make_outputs(), make_outputs(seed=1), make_targets(0, 0))
    assert float(found['loss']) == float(found['loss_encoder']) == 0
    assert bool(found['explained'].isfinite())
