"""What is measured of a step, against loops and numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close
from twins import build, model_config, raw_batch

from bevdistill.distillers.diagnosis import (
    effective_numbers,
    gradient_norms,
    linear_cka,
    map_agreement,
    matched_distances,
    score_gaps,
)
from bevdistill.losses import Pairing, TeacherBoxes
from bevdistill.structures import BEVOutputs, Targets, encode_boxes


def slow_hsic(first: torch.Tensor, second: torch.Tensor) -> float:
    """Of the N x N matrices of inner products, centred by H = I - 1/N, entry by entry: tr(K H L H)."""
    count = len(first)
    kernels = [[[float(a @ b) for b in side] for a in side] for side in (first, second)]
    centred = []
    for kernel in kernels:
        rows = [sum(row) / count for row in kernel]
        mean = sum(rows) / count
        centred.append([[kernel[i][j] - rows[i] - rows[j] + mean for j in range(count)] for i in range(count)])
    return sum(centred[0][i][j] * centred[1][i][j] for i in range(count) for j in range(count))


def test_cka_is_that_of_the_kernels() -> None:
    first, second = torch.randn(7, 3), torch.randn(7, 5)
    want = slow_hsic(first, second) / math.sqrt(slow_hsic(first, first) * slow_hsic(second, second))
    assert float(linear_cka(first, second)) == pytest.approx(want, rel=1e-5)
    rotation = torch.linalg.qr(torch.randn(3, 3))[0]
    assert float(linear_cka(first, 4 * first @ rotation + 7)) == pytest.approx(1)
    assert linear_cka(first, torch.ones(7, 2)).isnan()


def test_agreement_of_maps(make_outputs) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1, channels=6, rows=12, cols=16)
    halved = torch.nn.functional.avg_pool2d(teacher.bev, 2)  # What bilinear sampling at half the size is.
    cells = [[side[b, :, y, x] for b in range(2) for y in range(6) for x in range(8)] for side in (student.bev, halved)]
    assert_close(map_agreement(student, teacher), linear_cka(*map(torch.stack, cells)))
    some = map_agreement(student, student, most=20)
    assert float(some) == pytest.approx(1)
    assert abs(float(map_agreement(student, teacher, most=60)) - float(map_agreement(student, teacher))) < 0.15


def with_boxes(outputs: BEVOutputs, centres: list[list[tuple[float, float]]], scores: list[list[float]]) -> BEVOutputs:
    """Boxes of class 0 at these places, with these scores, in the last layer."""
    boxes = torch.tensor([[[x, y, 0.0, 4.0, 2.0, 1.5, 0.0, 0.0, 0.0] for x, y in sample] for sample in centres])
    logits = torch.full((*boxes.shape[:2], outputs.num_classes), -20.0)
    logits[..., 0] = torch.logit(torch.tensor(scores))
    layers = (*outputs.codes[:-1, :, : boxes.shape[1]], encode_boxes(boxes))
    return replace(
        outputs,
        states=outputs.states[:, :, : boxes.shape[1]],
        references=outputs.references[:, :, : boxes.shape[1]],
        codes=torch.stack(layers),
        logits=torch.stack((*outputs.logits[:-1, :, : boxes.shape[1]], logits)),
    )


def test_distance_of_matched_boxes(make_outputs) -> None:
    student = with_boxes(make_outputs(), [[(0, 0), (3, 4)], [(1, 1), (0, 2)]], [[0.5, 0.5]] * 2)
    teacher = with_boxes(make_outputs(), [[(0, 0), (0, 1)], [(1, 1), (5, 5)]], [[0.5, 0.5]] * 2)
    boxes = TeacherBoxes.gather(teacher, torch.tensor([[0, 1], [1, 0]]), torch.ones(2, 2, dtype=torch.bool))
    pairing = Pairing(boxes, torch.tensor([[[1, 0], [0, 0]]]), torch.tensor([[[True, True], [False, True]]]))
    total, count = matched_distances(student, pairing)
    assert (float(total), int(count)) == (pytest.approx(5 + 1 + 0), 3)


def test_effective_numbers() -> None:
    weights = torch.tensor([[1.0, 1.0, 0.5, 9.0], [0.0, 0.0, 0.0, 0.0], [0.3, 0.3, 0.3, 0.3]])
    matched = torch.tensor([[True, True, True, False], [True] * 4, [True] * 4])
    total, samples = effective_numbers(weights, matched)
    assert (float(total), int(samples)) == (pytest.approx(2.5**2 / 2.25 + 4), 2)


def test_score_gap(make_outputs) -> None:
    # First sample: right, twice the same object, too far, below the threshold; second: no object.
    places = [[(0, 0), (0, 1), (0, 2.5), (6, 0)], [(0, 0), (1, 1), (2, 2), (3, 3)]]
    outputs = with_boxes(make_outputs(), places, [[0.6, 0.9, 0.5, 0.05], [0.2, 0.05, 0.05, 0.05]])
    objects = torch.tensor([[0.0, 0, 0, 4, 2, 1.5, 0, 0, 0], [6.0, 0, 0, 4, 2, 1.5, 0, 0, 0], [0, 2.5, 0] + [1.0] * 6])
    targets = Targets((objects, objects[:0]), (torch.tensor([0, 0, 1]), torch.zeros(0, dtype=torch.long)))
    total, count = score_gaps(outputs, targets, [0, 1], 0.1)
    assert (float(total), int(count)) == (pytest.approx(0.6 + 0.9 + 0.5 + 0.2 - 1), 4)
    total, count = score_gaps(outputs, targets, [1], 0.1)
    assert (float(total), int(count)) == (pytest.approx(0.2), 1)
    assert [float(value) for value in score_gaps(outputs, targets, [], 0.1)] == [0, 0]


def test_gradient_norms_are_those_of_each_term_alone() -> None:
    torch.manual_seed(0)
    bev = torch.randn(2, 3, 4, 5, requires_grad=True)
    weight = torch.randn(3, requires_grad=True)
    mixed = torch.einsum('bchw,c->bhw', bev, weight)
    losses = {
        'd0.loss_cls': mixed.sum(),
        'loss_cls': mixed.square().sum(),
        'distill.sparse.d1.loss_box': [bev.sum(), bev[0].sum()],
        'distill.sparse.pairs': mixed.mean(),
        'loss_elsewhere': weight.sum(),
        'loss_constant': torch.tensor(3.0),
    }
    norms = gradient_norms(losses, bev, scale=64.0)
    first = torch.einsum('c,bhw->bchw', weight, 1 + 2 * mixed).norm()
    second = math.sqrt(60 * 4 + 60 * 1)
    want = {'loss_cls': float(first), 'distill.sparse.loss_box': second, 'loss_elsewhere': 0.0, 'loss_constant': 0.0}
    assert {name: float(value) for name, value in norms.items()} == pytest.approx(want, rel=1e-5)
    assert bev.grad is None and weight.grad is None
    losses['loss_cls'].backward()  # The graph is still there.


def test_decoder_reads_the_map_that_is_offered(tmp_path: Path) -> None:
    """Else gradients on the map lack those of the detection losses."""
    model = build(model_config('student', tmp_path))
    data = model.data_preprocessor(raw_batch((2,), size=(32, 64)), training=True)
    outputs = model.forward_outputs(**{'inputs': data['inputs'], 'samples': data['data_samples']})
    norms = gradient_norms(model.loss_from_outputs(outputs, data['data_samples']), outputs.bev)
    assert min(norms.values()) > 0
