"""Means over matched pairs, and what is gathered for them: against loops and by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bevdistill.losses.instance_pairs import InstancePairs
from bevdistill.losses.pairing import Pairing, TeacherBoxes
from bevdistill.losses.quality import Weights
from bevdistill.structures import BEVOutputs

Make = Callable[..., BEVOutputs]
MATCHED = torch.tensor([[[1, 1, 0], [0, 0, 0]], [[1, 0, 0], [1, 1, 1]]]).bool()
"""Two layers, two samples, three boxes: the second sample has no pair in the first layer."""
STUDENT_INDEX = torch.tensor([[[8, 2, 0], [0, 0, 0]], [[5, 0, 0], [1, 7, 3]]])
NUMERATOR = torch.tensor([[0.5, 2.0, 9.0], [1.0, 0.0, 4.0]])
DENOMINATOR = torch.tensor([[1.0, 3.0, 9.0], [1.0, 2.0, 5.0]])
VALUES = torch.tensor([[[1.0, 2, 3], [4, 5, 6]], [[7.0, 8, 9], [10, 11, 12]]])


@pytest.fixture
def pairs(make_outputs: Make) -> Callable[[str], InstancePairs]:
    student, teacher = make_outputs(layers=3, seed=1, grad=True), make_outputs(layers=4, queries=6, seed=2, grad=True)
    chosen = torch.tensor([[4, 0, 0], [5, 1, 2]])

    def make(average: str) -> InstancePairs:
        boxes = TeacherBoxes.gather(teacher, chosen, torch.ones(2, 3).bool())
        pairing = Pairing(boxes, STUDENT_INDEX, MATCHED)
        return InstancePairs(student, teacher, pairing, Weights(NUMERATOR, DENOMINATOR), slice(-2, None), average)  # type: ignore[arg-type]

    return make


def in_loops(values: Tensor, numerator: Tensor, denominator: Tensor, average: str) -> list[float]:
    """Sums over pairs one by one, then over the batch at once or sample by sample."""
    found = []
    for layer in range(2):
        totals, weights = [0.0, 0.0], [0.0, 0.0]
        for sample in range(2):
            for box in range(3):
                if MATCHED[layer, sample, box]:
                    totals[sample] += float(values[layer, sample, box] * numerator[sample, box])
                    weights[sample] += float(denominator[sample, box])
        if average == 'batch':
            found.append(sum(totals) / sum(weights))
        else:
            found.append(sum(t / w if w else 0.0 for t, w in zip(totals, weights, strict=True)) / 2)
    return found


@pytest.mark.parametrize('average', ['batch', 'sample'])
@pytest.mark.parametrize('weighted', [True, False])
def test_means_over_pairs(average: str, weighted: bool, pairs: Callable[[str], InstancePairs]) -> None:
    given = (NUMERATOR, DENOMINATOR) if weighted else (torch.ones(2, 3),) * 2
    got = pairs(average).mean(VALUES, weighted)
    assert got.tolist() == pytest.approx(in_loops(VALUES, *given, average))


def test_a_mean_by_hand(pairs: Callable[[str], InstancePairs]) -> None:
    """First layer (0.5 * 1 + 2 * 2) / (1 + 3); second (0.5 * 7 + 10 + 0 + 4 * 12) / (1 + 1 + 2 + 5)."""
    assert pairs('batch').mean(VALUES).tolist() == pytest.approx([4.5 / 4, 61.5 / 9])


@pytest.mark.parametrize('average', ['batch', 'sample'])
def test_what_is_not_matched_may_be_anything(average: str, pairs: Callable[[str], InstancePairs]) -> None:
    values = torch.where(MATCHED, VALUES, torch.nan).requires_grad_()
    got = pairs(average).mean(values)
    torch.testing.assert_close(got, pairs(average).mean(VALUES))
    got.sum().backward()
    assert torch.isfinite(values.grad).all() and not values.grad[~MATCHED].any()


@pytest.mark.parametrize(('average', 'expected'), [
    ('batch', [6 / 2, 20 / 4]), ('sample', [6 / 2 / 2, (8 + 12 / 3) / 2]),
])  # fmt: skip
def test_totals_are_shared_among_pairs(
    average: str, expected: list[float], pairs: Callable[[str], InstancePairs]
) -> None:
    """Pairs 2 and 0 in the first layer, 1 and 3 in the second; a sample without a pair counts as one."""
    totals = torch.tensor([[6.0, 0.0], [8.0, 12.0]])
    assert pairs(average).per_pair(totals).tolist() == pytest.approx(expected)


def test_values_are_those_of_the_queries(pairs: Callable[[str], InstancePairs]) -> None:
    """The student's of each layer, with gradient; the teacher's last alone, without."""
    given = pairs('batch')
    for name in ('logits', 'codes', 'states'):
        found, source = getattr(given, f'student_{name}')(), getattr(given.student, name)
        for layer in range(2):
            for sample in range(2):
                for box in range(3):
                    query = int(STUDENT_INDEX[layer, sample, box])
                    assert torch.equal(found[layer, sample, box], source[layer + 1, sample, query])
        assert found.requires_grad
    states = given.teacher_states()
    assert not states.requires_grad and torch.equal(states[1, 0], given.teacher.states[-1, 1, 5])
    assert states.shape == (2, 3, 4)


def test_the_last_layer_alone(pairs: Callable[[str], InstancePairs]) -> None:
    given = pairs('sample')
    last = given.last()
    assert last.matched.shape == (1, 2, 3) and torch.equal(last.matched[0], MATCHED[1]) and last.average == 'sample'
    assert torch.equal(last.student_logits()[0], given.student_logits()[1])
    assert last.mean(VALUES[1:]).tolist() == pytest.approx(given.mean(VALUES).tolist()[1:])
