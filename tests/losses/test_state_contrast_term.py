"""Contrast of paired decoder states: against loops over pairs, in sets of a sample or of the batch."""

from __future__ import annotations

import math

import pytest
import torch
from listed_pairs import ONES, PAIRS, UNEVEN, pairs_of
from mmdet3d.registry import MODELS
from torch import nn

from bevdistill.losses import InstancePairs

CRITIC = dict(type='MLPCritic', in_channels=4, channels=5, norm='LN')
TAU = 0.5


def term(**options: object) -> nn.Module:
    """The term without critics: states themselves are compared."""
    built = MODELS.build(dict(
        type='StateContrastTerm', student_critic=CRITIC, teacher_critic=CRITIC, temperature=TAU, **options
    ))  # fmt: skip
    built.student_critic, built.teacher_critic = nn.Identity(), nn.Identity()
    return built


def in_loops(pairs: InstancePairs, layer: int, anchor: str, negatives: str) -> list[float]:
    """The loss of each pair: how far its own partner is from being the likeliest of its set."""

    def unit(vector: torch.Tensor) -> torch.Tensor:
        return vector / vector.norm()

    found = []
    for sample, query, partner, _ in PAIRS:
        others = [pair for pair in PAIRS if negatives == 'batch' or pair[0] == sample]
        own, losses = (pairs.student.states[layer, sample, query], pairs.teacher.states[-1, sample, partner]), []
        for side in (0, 1):
            likeness = [
                float(unit(own[0]) @ unit(pairs.teacher.states[-1, s, t])) if side == 0
                else float(unit(own[1]) @ unit(pairs.student.states[layer, s, q]))
                for s, q, t, _ in others
            ]  # fmt: skip
            exponentials = [math.exp(value / TAU) for value in likeness]
            losses.append(-math.log(math.exp(float(unit(own[0]) @ unit(own[1])) / TAU) / sum(exponentials)))
        found.append(dict(student=losses[0], teacher=losses[1], both=sum(losses) / 2)[anchor])
    return found


@pytest.mark.parametrize('anchor', ['student', 'teacher', 'both'])
@pytest.mark.parametrize('negatives', ['sample', 'batch'])
@pytest.mark.parametrize('weights', [ONES, UNEVEN])
def test_against_loops(make_outputs, anchor: str, negatives: str, weights: list[list[float]]) -> None:
    """Weights count in the mean, not among the negatives; the mean is over all pairs, one denominator each."""
    pairs = pairs_of(make_outputs, weights)
    got = term(anchor=anchor, negatives=negatives)(pairs)
    assert got.shape == (3,)
    for layer in range(3):
        losses = in_loops(pairs, layer, anchor, negatives)
        total = sum(weights[sample][box] * loss for loss, (sample, _, _, box) in zip(losses, PAIRS, strict=True))
        assert float(got[layer]) == pytest.approx(total / len(PAIRS), rel=1e-5)


def test_a_pair_alone_has_nobody_to_be_told_from(make_outputs) -> None:
    """The only pair of the second sample costs nothing, unless the batch is one set."""
    only_second = [[0.0] * 3, [0.0, 0.0, 1.0]]
    assert term()(pairs_of(make_outputs, only_second)).tolist() == pytest.approx([0.0] * 3, abs=1e-6)
    assert (term(negatives='batch')(pairs_of(make_outputs, only_second)) > 1e-3).all()


def test_gradients_reach_the_student_and_both_critics(make_outputs) -> None:
    built = MODELS.build(dict(type='StateContrastTerm', student_critic=CRITIC, teacher_critic=CRITIC))
    pairs = pairs_of(make_outputs, ONES, grad=True)
    built(pairs).sum().backward()
    assert pairs.student.states.grad.any() and pairs.teacher.states.grad is None
    assert all(parameter.grad is not None for parameter in built.parameters())


@pytest.mark.parametrize(('options', 'message'), [
    (dict(negatives='rank'), "negatives must be 'sample' or 'batch', got 'rank'"),
    (dict(student_critic=CRITIC | dict(norm='BN')), 'critics of StateContrastTerm see padded rows'),
    (dict(teacher_critic=CRITIC | dict(norm='BN')), 'critics of StateContrastTerm see padded rows'),
])  # fmt: skip
def test_messages(options: dict[str, object], message: str) -> None:
    given = dict(student_critic=CRITIC, teacher_critic=CRITIC) | options
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='StateContrastTerm', **given))
