"""Set2Set's config against its definition: matchings tried one by one, matched pairs compared in loops."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config

from bevdistill.structures import BEVOutputs, encode_boxes

REPO = Path(__file__).resolve().parents[3]
CONFIG = REPO / 'projects' / 'set2set' / 'configs' / '_base_' / 'losses.py'
LAYERS, QUERIES, TOP = 3, 5, 2


def entropy(logits: torch.Tensor, soft: torch.Tensor) -> float:
    """Binary cross entropy summed over classes."""
    total = 0.0
    for x, t in zip(logits.tolist(), soft.tolist(), strict=True):
        p = 1 / (1 + math.exp(-x))
        total -= t * math.log(p) + (1 - t) * math.log(1 - p)
    return total


def distance(code: torch.Tensor, target: torch.Tensor, velocity: float) -> float:
    """L1 of box codes; velocity counts as much as is said."""
    difference = (code - target).abs().tolist()
    return sum(difference[:8]) + velocity * sum(difference[8:])


def oracle(student: BEVOutputs, teacher: BEVOutputs, layer: int) -> tuple[float, float]:
    """Class and box loss of a layer: the cheapest of all matchings, then the mean over its pairs."""
    cls, box, pairs = 0.0, 0.0, 0
    for b in range(student.batch_size):
        soft = teacher.logits[-1, b].sigmoid()
        codes = encode_boxes(teacher.boxes)[b]
        best = sorted(range(QUERIES), key=lambda q: -float(soft[q].max()))[:TOP]

        def cost(q: int, t: int, b: int = b, soft: Any = soft, codes: Any = codes) -> float:
            score = entropy(student.logits[layer, b, q], soft[t])
            return score + 0.25 * distance(student.codes[layer, b, q], codes[t], velocity=0.0)

        matching = min(
            itertools.permutations(range(QUERIES), TOP),
            key=lambda queries: sum(cost(q, t) for q, t in zip(queries, best, strict=True)),
        )
        for q, t in zip(matching, best, strict=True):
            cls += entropy(student.logits[layer, b, q], soft[t])
            box += 0.25 * distance(student.codes[layer, b, q], codes[t], velocity=0.2)
            pairs += 1
    return cls / pairs, box / pairs


@pytest.mark.parametrize('counts', [(3, 2), (0, 0)], ids=str)
def test_matched_pairs_of_every_layer(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any], counts: tuple[int, int]
) -> None:
    config = Config.fromfile(CONFIG).set2set_losses.to_dict()['sets']
    assert config.pop('weight') == 1
    config['pairing']['max_boxes'] = TOP
    student, teacher = make_outputs(layers=LAYERS, queries=QUERIES), make_outputs(layers=1, queries=QUERIES, seed=1)
    values = MODELS.build(config)(student, teacher, make_targets(*counts))
    for layer in range(LAYERS):
        prefix = '' if layer == LAYERS - 1 else f'd{layer}.'
        cls, box = oracle(student, teacher, layer)
        assert float(values[f'{prefix}loss_cls']) == pytest.approx(cls, rel=1e-4)
        assert float(values[f'{prefix}loss_box']) == pytest.approx(box, rel=1e-4)
    assert len([term for term in values if 'loss' in term]) == 2 * LAYERS
    assert float(values['pairs']) == TOP


def test_queries_without_a_teacher_box_are_not_taught(
    make_outputs: Callable[..., Any], make_targets: Callable[..., Any]
) -> None:
    config = Config.fromfile(CONFIG).set2set_losses.to_dict()['sets']
    del config['weight']
    config['pairing']['max_boxes'] = TOP
    student, teacher = make_outputs(queries=QUERIES, grad=True), make_outputs(queries=QUERIES, seed=1)
    values = MODELS.build(config)(student, teacher, make_targets(1, 1))
    sum(value for term, value in values.items() if 'loss' in term).backward()
    for gradient in (student.logits.grad, student.codes.grad):
        taught = gradient.abs().sum(dim=-1) > 0
        assert taught.sum(dim=-1).tolist() == [[TOP, TOP]] * 3
