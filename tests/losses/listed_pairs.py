"""Pairs of queries that are written down, for tests of the terms over them."""

from __future__ import annotations

import torch

from bevdistill.losses import InstancePairs, Pairing, TeacherBoxes, Weights


def pairs_of(make_outputs, weights: list[list[float]], average: str = 'batch', **sizes) -> InstancePairs:
    """Two samples of three teacher boxes; boxes 0 and 1 of the first and 2 of the second have a student query."""
    student, teacher = make_outputs(queries=4, **sizes), make_outputs(queries=5, seed=1, **sizes)
    boxes = TeacherBoxes.gather(
        teacher, torch.tensor([[4, 0, 2], [1, 3, 0]]), torch.tensor([[True, True, False], [False, True, True]])
    )
    index = torch.tensor([[3, 1, 0], [0, 0, 2]]).expand(3, -1, -1)
    matched = torch.tensor([[True, True, False], [False, False, True]]).expand(3, -1, -1)
    numerator = torch.tensor(weights)
    return InstancePairs(
        student, teacher, Pairing(boxes, index, matched), Weights(numerator, torch.ones_like(numerator)),
        slice(None), average,
    )


PAIRS = ((0, 3, 4, 0), (0, 1, 0, 1), (1, 2, 0, 2))
"""Sample, student query, teacher query, teacher box."""
ONES = [[1.0] * 3] * 2
UNEVEN = [[2.0, 0.5, 9.0], [9.0, 9.0, 3.0]]
