from __future__ import annotations

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS

from bevdistill.detection import HungarianMatcher
from bevdistill.losses import GroundTruthPairing, TeacherBoxPairing
from bevdistill.losses.pairing import invert_assignment
from bevdistill.structures import decode_boxes, encode_boxes

EVERY = slice(None)


def test_selection_takes_the_best_scores(make_outputs) -> None:
    teacher = make_outputs(queries=7)
    boxes = TeacherBoxPairing(max_boxes=3).select(teacher)
    for b in range(2):
        scores = [max(1 / (1 + float(torch.exp(-v))) for v in row) for row in teacher.logits[-1, b]]
        best = sorted(range(7), key=lambda q: -scores[q])[:3]
        assert boxes.teacher_index[b].tolist() == best
        for m, q in enumerate(best):
            torch.testing.assert_close(boxes.boxes[b, m], decode_boxes(teacher.codes[-1, b, q]))
            assert float(boxes.score[b, m]) == pytest.approx(scores[q], rel=1e-5)
            torch.testing.assert_close(boxes.scores[b, m], teacher.logits[-1, b, q].sigmoid())
    assert bool(boxes.valid.all())


def test_codes_have_unit_headings(make_outputs) -> None:
    teacher = make_outputs()
    teacher.codes[..., 6:8] *= 5
    codes = TeacherBoxPairing().select(teacher).codes
    torch.testing.assert_close(codes[..., 6].square() + codes[..., 7].square(), torch.ones(2, 9))
    assert not torch.allclose(teacher.codes[-1].sort(dim=1).values, codes.sort(dim=1).values)


@pytest.mark.parametrize('threshold', [0.0, 0.6])
def test_matching_is_the_cheapest(make_outputs, make_targets, threshold: float) -> None:
    student, teacher = make_outputs(queries=5), make_outputs(seed=1, queries=4, layers=4)
    pairing = TeacherBoxPairing(max_boxes=3, score_threshold=threshold)
    found = pairing(student, teacher, make_targets(0, 0), EVERY)
    boxes = found.teacher_boxes
    assert found.student_index.shape == found.matched.shape == (3, 2, 3)
    for layer in range(3):
        for b in range(2):
            kept = [m for m in range(3) if float(boxes.score[b, m]) > threshold]
            assert found.matched[layer, b].tolist() == [m in kept for m in range(3)]

            def cost(q: int, m: int, layer: int = layer, b: int = b) -> float:
                x, s = student.logits[layer, b, q], boxes.scores[b, m]
                entropy = float((F.softplus(-x) * s + F.softplus(x) * (1 - s)).sum())
                distance = float((student.codes[layer, b, q, :8] - boxes.codes[b, m, :8]).abs().sum())
                return entropy + 0.25 * distance

            best = min(
                permutations(range(5), len(kept)),
                key=lambda queries: sum(cost(q, m) for q, m in zip(queries, kept, strict=True)),
            )
            assert [int(found.student_index[layer, b, m]) for m in kept] == list(best)


def test_more_teacher_boxes_than_queries(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(queries=2), make_outputs(seed=1, queries=6)
    found = TeacherBoxPairing(max_boxes=50)(student, teacher, make_targets(0, 0), EVERY)
    assert found.matched.sum(dim=2).tolist() == [[2, 2]] * 3
    for layer in range(3):
        for b in range(2):
            assert sorted(found.student_index[layer, b][found.matched[layer, b]].tolist()) == [0, 1]


def test_threshold_above_all_scores_leaves_no_pair(make_outputs, make_targets) -> None:
    found = TeacherBoxPairing(score_threshold=1.0)(make_outputs(), make_outputs(), make_targets(0, 0), slice(-1, None))
    assert found.matched.shape[0] == 1
    assert not bool(found.matched.any())


def test_ground_truth_pairs(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 1)
    found = GroundTruthPairing()(student, teacher, targets, EVERY)
    matcher = HungarianMatcher()
    of_student = matcher.match(student.logits, student.codes, targets)
    of_teacher = matcher.match(teacher.logits[-1:], teacher.codes[-1:], targets)
    assert found.matched[0].tolist() == [[True] * 3, [True, False, False]]
    for layer in range(3):
        for b, count in enumerate((3, 1)):
            for m in range(count):
                assert int(of_student[layer, b, found.student_index[layer, b, m]]) == m
                assert int(of_teacher[0, b, found.teacher_boxes.teacher_index[b, m]]) == m


def test_ground_truth_pairs_without_objects(make_outputs, make_targets) -> None:
    found = GroundTruthPairing()(make_outputs(), make_outputs(), make_targets(0, 0), EVERY)
    assert found.matched.shape == (3, 2, 1)
    assert not bool(found.matched.any())


def test_inverting_an_assignment() -> None:
    query, found = invert_assignment(torch.tensor([[[-1, 2, 0, -1]]]), 4)
    assert query.tolist() == [[[2, 0, 1, 0]]]
    assert found.tolist() == [[[True, False, True, False]]]


def test_nothing_carries_a_gradient(make_outputs, make_targets) -> None:
    teacher = make_outputs(grad=True)
    boxes = TeacherBoxPairing()(make_outputs(grad=True), teacher, make_targets(0, 0), EVERY).teacher_boxes
    assert not any(part.requires_grad for part in (boxes.boxes, boxes.codes, boxes.scores))


def test_messages() -> None:
    with pytest.raises(ValueError, match='max_boxes must be at least 1, got 0'):
        MODELS.build(dict(type='TeacherBoxPairing', max_boxes=0))
    assert MODELS.build(dict(type='TeacherBoxPairing', max_boxes=1)).teacher_queries == 1


def test_codes_survive_the_round_trip(make_outputs) -> None:
    codes = make_outputs().codes
    torch.testing.assert_close(encode_boxes(decode_boxes(codes)), codes, rtol=1e-4, atol=1e-5)


def test_a_score_at_the_threshold_is_not_above_it(make_outputs) -> None:
    teacher = make_outputs(queries=3)
    teacher.logits[-1] = torch.tensor([0.0, -1.0, -1.0])
    teacher.logits[-1, 0, 1, 2] = 0.1
    assert TeacherBoxPairing(score_threshold=0.5).select(teacher).valid.sum(dim=1).tolist() == [1, 0]


def test_configured_costs_and_matcher_are_used() -> None:
    released = TeacherBoxPairing()
    assert (released.cls_cost.weight, released.reg_cost.weight) == (1.0, 0.25)
    pairing = TeacherBoxPairing(cls_cost=dict(type='SoftClassCost', weight=3.0), reg_cost=dict(type='BoxCodeL1Cost'))
    assert (pairing.cls_cost.weight, pairing.reg_cost.weight) == (3.0, 1.0)
    matcher = dict(type='HungarianMatcher', reg_cost=dict(type='BoxCodeL1Cost', weight=5.0))
    assert GroundTruthPairing(matcher).matcher.reg_cost.weight == 5.0


@pytest.mark.parametrize(('of_student', 'of_teacher'), [(2, 9), (9, 2)])
def test_ground_truth_pairs_need_a_query_on_both_sides(make_outputs, make_targets, of_student, of_teacher) -> None:
    student, teacher = make_outputs(queries=of_student), make_outputs(queries=of_teacher, seed=1)
    assert GroundTruthPairing()(student, teacher, make_targets(3, 3), EVERY).matched.sum(dim=2).tolist() == [[2, 2]] * 3
