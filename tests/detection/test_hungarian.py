"""Costs and assignment."""

from __future__ import annotations

import itertools

import pytest
import torch
from host_syncs import count_host_syncs
from mmengine.structures import InstanceData

from bevdistill.detection import UNMATCHED, BoxCodeL1Cost, HungarianMatcher, solve_assignments, solve_together
from bevdistill.structures import Targets, encode_boxes


def some_targets(*counts: int) -> Targets:
    boxes = [torch.cat((torch.randn(n, 3) * 10, torch.rand(n, 3) + 1, torch.randn(n, 3)), dim=1) for n in counts]
    return Targets(tuple(boxes), tuple(torch.randint(0, 3, (n,)) for n in counts))


def test_cheapest_by_trying_all():
    cost = torch.rand(2, 4, 3)
    assigned = solve_assignments([cost])
    for layer in range(2):
        best = min(
            itertools.permutations(range(4), 3), key=lambda p: float(sum(cost[layer, q, t] for t, q in enumerate(p)))
        )
        want = torch.full((4,), UNMATCHED)
        for target, query in enumerate(best):
            want[query] = target
        assert torch.equal(assigned[layer, 0], want)


def test_sizes_of_every_kind():
    costs = [torch.rand(2, 5, n) for n in (0, 1, 9)]
    assigned = solve_assignments(costs)
    assert assigned.shape == (2, 3, 5)
    assert (assigned != UNMATCHED).sum(-1).tolist() == [[0, 1, 5]] * 2
    for b, cost in enumerate(costs):
        assert torch.equal(solve_assignments([cost])[:, 0], assigned[:, b])


def test_several_batches_in_one_transfer():
    groups = [[torch.rand(2, 4, n) for n in (3, 0)], [torch.rand(1, 6, n) for n in (2, 9, 1)]]
    with count_host_syncs() as syncs:
        found = solve_together(groups)
    assert syncs.number == 1, str(syncs)
    for assigned, costs in zip(found, groups, strict=True):
        assert torch.equal(assigned, solve_assignments(costs))


def test_broken_costs_are_matched_last():
    cost = torch.tensor([[[float('nan'), float('inf')], [1.0, 2.0], [3.0, 5.0]]])
    assert solve_assignments([cost])[0, 0].tolist() == [UNMATCHED, 1, 0]
    cost = torch.tensor([[[1.0, 2.0], [3.0, float('-inf')], [3.0, -5.0]]])
    assert solve_assignments([cost])[0, 0].tolist() == [0, 1, UNMATCHED]


def test_matcher_equals_loops():
    logits, codes, targets = torch.randn(2, 2, 6, 3), torch.randn(2, 2, 6, 10), some_targets(4, 2)
    assigned = HungarianMatcher().match(logits, codes, targets)
    for layer in range(2):
        for b in range(2):
            count = len(targets.boxes[b])
            cost = torch.zeros(1, 6, count)
            for q in range(6):
                for t in range(count):
                    p = logits[layer, b, q, targets.labels[b][t]].sigmoid()
                    focal = -(p + 1e-12).log() * 0.25 * (1 - p) ** 2 + (1 - p + 1e-12).log() * 0.75 * p**2
                    box = (codes[layer, b, q, :8] - encode_boxes(targets.boxes[b])[t, :8]).abs().sum()
                    cost[0, q, t] = 2 * focal + 0.25 * box
            assert torch.equal(assigned[layer, b], solve_assignments([cost])[0, 0])


def test_velocity_does_not_match():
    codes = torch.zeros(1, 10)
    other = torch.zeros(1, 10)
    other[:, 8:] = float('nan')
    cost = BoxCodeL1Cost(weight=0.5)(InstanceData(codes=codes), InstanceData(codes=other + 1))
    assert cost.tolist() == [[4.0]]


def test_messages():
    with pytest.raises(ValueError, match='at least one sample'):
        solve_assignments([])
    with pytest.raises(ValueError, match='agree in layers and queries'):
        solve_assignments([torch.rand(1, 2, 3), torch.rand(1, 3, 3)])
    with pytest.raises(ValueError, match='2 samples were predicted but targets hold 1'):
        HungarianMatcher().match(torch.randn(1, 2, 3, 3), torch.randn(1, 2, 3, 10), some_targets(1))


def test_costs_by_default_are_those_of_bevformer() -> None:
    matcher = HungarianMatcher()
    assert (matcher.cls_cost.weight, matcher.reg_cost.weight) == (2.0, 0.25)
    matcher = HungarianMatcher(dict(type='SoftClassCost', weight=3.0), dict(type='BoxCodeL1Cost', weight=4.0))
    assert (matcher.cls_cost.weight, matcher.reg_cost.weight) == (3.0, 4.0)
