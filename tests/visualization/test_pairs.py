from typing import Any

import numpy as np
import torch
from mmdet3d.registry import MODELS

from bevdistill.structures import BEVOutputs, Targets, encode_boxes
from bevdistill.visualization.figures import new_figure
from bevdistill.visualization.pairs import MatchedPairs, draw_pairs

from .helpers import GRID

LOSS: dict[str, Any] = dict(
    type='InstanceDistillLoss',
    pairing=dict(type='TeacherBoxPairing', max_boxes=2),
    quality=dict(type='ScoreQuality'),
    terms=dict(box=dict(type='BoxCodeTerm')),
)


def outputs(places: list[tuple[float, float]], scores: list[float]) -> BEVOutputs:
    boxes = torch.tensor([[[x, y, 0.0, 4.0, 2.0, 1.5, 0.0, 0.0, 0.0] for x, y in places]])
    logits = torch.logit(torch.tensor(scores)).view(1, 1, -1, 1)
    codes, states = encode_boxes(boxes)[None], torch.zeros(1, 1, len(places), 4)
    return BEVOutputs(GRID, torch.zeros(1, 4, GRID.rows, GRID.cols), states, logits, codes, states[..., :3])


def test_pairs_are_those_of_the_loss() -> None:
    student = outputs([(9, 9), (0, 1), (5, 4)], [0.5, 0.5, 0.5])
    teacher = outputs([(5, 5), (0, 0), (-9, -9)], [0.9, 0.6, 0.1])
    nothing = Targets((torch.zeros(0, 9),), (torch.zeros(0).long(),))
    pairs = MatchedPairs.of(MODELS.build(LOSS), student, teacher, nothing)
    np.testing.assert_allclose(pairs.teacher, [[5, 5], [0, 0]], atol=1e-5)
    np.testing.assert_allclose(pairs.student, [[5, 4], [0, 1]], atol=1e-5)
    np.testing.assert_allclose(pairs.weights, [0.9, 0.6], atol=1e-5)


def test_more_weight_is_brighter_and_none_is_left_out() -> None:
    axes = new_figure(2, 2).add_subplot()
    draw_pairs(axes, GRID, MatchedPairs(np.zeros((3, 2)), np.ones((3, 2)), np.array([0.2, 0.8, 0.0])))
    lines, rings, dots = axes.collections
    assert axes.get_title() == 'matched pairs (2 of 3 count)'
    assert lines.get_array().tolist() == [0.2, 0.8]
    np.testing.assert_allclose(lines.get_segments()[0], [[0, 0], [1, 1]])
    low, high = rings.get_edgecolors()[:, :3].sum(axis=1)
    assert low < high
    assert len(dots.get_offsets()) == 2
    empty = new_figure(2, 2).add_subplot()
    draw_pairs(empty, GRID, MatchedPairs(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0)))
    assert empty.get_title() == 'matched pairs (0 of 0 count)'
