"""The response of all queries against its definition: matchings tried one by one, queries and classes in loops."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS

import projects.wholeset  # noqa: F401
from bevdistill.structures import BEVOutputs, encode_boxes

LAYERS, QUERIES, TOP = 3, 5, 2


def config(**changes: Any) -> dict[str, Any]:
    return dict(
        type='InstanceDistillLoss',
        pairing=dict(type='TeacherBoxPairing', max_boxes=TOP, score_threshold=changes.pop('score_threshold', 0.0)),
        quality=dict(type='ScoreQuality'),
        terms=dict(cls=dict(type='FocalResponseTerm', layers='all', **changes.pop('term', {}))),
        **changes,
    )


def entropy(p: float, wanted: float) -> float:
    return -wanted * math.log(p) - (1 - wanted) * math.log(1 - p)


def matching(student: BEVOutputs, teacher: BEVOutputs, layer: int, b: int) -> dict[int, int]:
    """Student query to teacher query: the cheapest of all matchings of the best teacher boxes."""
    soft, codes = teacher.logits[-1, b].sigmoid(), encode_boxes(teacher.boxes)[b]
    best = sorted(range(QUERIES), key=lambda t: -float(soft[t].max()))[:TOP]

    def cost(q: int, t: int) -> float:
        own = student.logits[layer, b, q].sigmoid().tolist()
        score = sum(entropy(p, wanted) for p, wanted in zip(own, soft[t].tolist(), strict=True))
        return score + 0.25 * float((student.codes[layer, b, q] - codes[t]).abs()[:8].sum())

    queries = min(
        itertools.permutations(range(QUERIES), TOP),
        key=lambda found: sum(cost(q, t) for q, t in zip(found, best, strict=True)),
    )
    return dict(zip(queries, best, strict=True))


def oracle(student: BEVOutputs, teacher: BEVOutputs, layer: int, gamma: float, average: str) -> float:
    totals, masses = [], []
    for b in range(student.batch_size):
        partner, total, mass = matching(student, teacher, layer, b), 0.0, 0.0
        for q in range(QUERIES):
            own = student.logits[layer, b, q].sigmoid().tolist()
            wanted = teacher.logits[-1, b, partner[q]].sigmoid().tolist() if q in partner else [0.0] * len(own)
            mass += max(wanted)
            for p, target in zip(own, wanted, strict=True):
                total += abs(target - p) ** gamma * entropy(p, target)
        totals.append(total)
        masses.append(mass)
    if average == 'batch':
        return sum(totals) / max(sum(masses), 1.0)
    return sum(t / max(m, 1.0) for t, m in zip(totals, masses, strict=True)) / len(totals)


@pytest.mark.parametrize('average', ['batch', 'sample'])
@pytest.mark.parametrize('gamma', [0.0, 2.0])
def test_all_queries_of_every_layer(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any], gamma: float, average: str
) -> None:
    student, teacher = make_outputs(layers=LAYERS, queries=QUERIES), make_outputs(layers=1, queries=QUERIES, seed=1)
    loss = MODELS.build(config(term=dict(gamma=gamma), average=average))
    values = loss(student, teacher, make_targets(3, 2))
    for layer in range(LAYERS):
        prefix = '' if layer == LAYERS - 1 else f'd{layer}.'
        expected = oracle(student, teacher, layer, gamma, average)
        assert float(values[f'{prefix}loss_cls']) == pytest.approx(expected, rel=1e-4)


def test_without_teacher_boxes_all_is_background(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any]
) -> None:
    student, teacher = make_outputs(layers=LAYERS, queries=QUERIES), make_outputs(layers=1, queries=QUERIES, seed=1)
    teacher.logits[:] = -20.0
    student.logits.requires_grad_()
    values = MODELS.build(config(score_threshold=0.1))(student, teacher, make_targets(0, 0))
    own = student.logits[-1].sigmoid()
    assert float(values['loss_cls']) == pytest.approx(float((own**2 * -(1 - own).log()).sum()), rel=1e-4)
    values['loss_cls'].backward()
    assert bool((student.logits.grad[-1] > 0).all()), 'each score is pushed down'


def test_a_student_that_agrees_is_left_alone(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any]
) -> None:
    teacher = make_outputs(layers=1, queries=TOP)
    teacher.logits.requires_grad_(False)
    values = MODELS.build(config())(teacher, teacher, make_targets(1, 1))
    assert float(values['loss_cls']) == pytest.approx(0, abs=1e-6)


def test_gamma_below_0_is_refused() -> None:
    with pytest.raises(ValueError, match=r'gamma must not be negative, got -1'):
        MODELS.build(config(term=dict(gamma=-1.0)))


def test_half_precision_stays_finite(make_outputs: Callable[..., Any], make_targets: Callable[..., Any]) -> None:
    student, teacher = make_outputs(layers=LAYERS, queries=QUERIES), make_outputs(layers=1, queries=QUERIES, seed=1)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        values = MODELS.build(config())(student, teacher, make_targets(3, 2))
    assert bool(torch.isfinite(values['loss_cls']))
