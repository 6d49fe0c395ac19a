"""Terms of the instance loss on pairs that are written down, with values worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from listed_pairs import ONES, PAIRS, UNEVEN, pairs_of
from mmdet3d.registry import MODELS

from bevdistill.losses import InstancePairs, InstanceTerm, Pairing, Weights
from bevdistill.losses.pairing import gather_queries


@pytest.mark.parametrize('weights', [ONES, UNEVEN])
@pytest.mark.parametrize('average', ['batch', 'sample'])
def test_box_codes_by_hand(make_outputs, weights: list[list[float]], average: str) -> None:
    pairs = pairs_of(make_outputs, weights, average)
    got = MODELS.build(dict(type='BoxCodeTerm'))(pairs)
    for layer in range(3):
        sums, counts = [0.0, 0.0], [0, 0]
        for sample, query, _, box in PAIRS:
            difference = pairs.student.codes[layer, sample, query] - pairs.pairing.teacher_boxes.codes[sample, box]
            factor = [1.0] * 8 + [0.2] * 2
            error = sum(w * abs(d) for w, d in zip(factor, difference.tolist(), strict=True))
            sums[sample] += weights[sample][box] * error
            counts[sample] += 1
        want = sum(sums) / sum(counts) if average == 'batch' else (sums[0] / counts[0] + sums[1] / counts[1]) / 2
        assert float(got[layer]) == pytest.approx(want, rel=1e-5)


def test_class_scores_by_hand(make_outputs) -> None:
    pairs = pairs_of(make_outputs, UNEVEN)
    weighted, plain = (MODELS.build(dict(type='SoftClassTerm', weighted=flag))(pairs) for flag in (True, False))
    for got, weights in ((weighted, UNEVEN), (plain, ONES)):
        for layer in range(3):
            total = 0.0
            for sample, query, teacher_query, box in PAIRS:
                logits = zip(
                    pairs.student.logits[layer, sample, query].tolist(),
                    pairs.teacher.logits[-1, sample, teacher_query].tolist(),
                    strict=True,
                )
                for x, y in logits:
                    p, t = 1 / (1 + math.exp(-x)), 1 / (1 + math.exp(-y))
                    total -= weights[sample][box] * (t * math.log(p) + (1 - t) * math.log(1 - p))
            assert float(got[layer]) == pytest.approx(total / 3, rel=1e-4)


@pytest.mark.parametrize(('tau', 'average'), [(1.0, 'batch'), (2.0, 'sample')])
def test_background_is_taught_to_the_queries_that_no_box_has(make_outputs, tau: float, average: str) -> None:
    pairs = pairs_of(make_outputs, ONES, average)
    parts = [1 / 3, 1 / 3] if average == 'batch' else [1 / 4, 1 / 2]  # Of two pairs and of one.
    ignored, taught = (
        MODELS.build(dict(type='SoftClassTerm', unmatched=unmatched, temperature=tau))(pairs)
        for unmatched in ('ignore', 'background')
    )
    free = {(sample, query) for sample in range(2) for query in range(4)} - {pair[:2] for pair in PAIRS}
    for layer in range(3):
        total = sum(
            tau**2 * math.log1p(math.exp(x / tau)) * parts[sample]
            for sample, query in free
            for x in pairs.student.logits[layer, sample, query].tolist()
        )
        assert float(taught[layer] - ignored[layer]) == pytest.approx(total, rel=1e-4)


def test_states_by_hand_and_through_an_adapter(make_outputs) -> None:
    pairs = pairs_of(make_outputs, UNEVEN)
    adapter = dict(type='LinearAdapter', student_channels=4, teacher_channels=4)
    plain, adapted = MODELS.build(dict(type='StateL1Term')), MODELS.build(dict(type='StateL1Term', adapter=adapter))
    for term, project in ((plain, lambda state: state), (adapted, adapted.adapter)):
        got = term(pairs)
        for layer in range(3):
            total = 0.0
            for sample, query, teacher_query, box in PAIRS:
                target = pairs.teacher.states[-1, sample, teacher_query]
                error = (project(pairs.student.states[layer, sample, query]) - target).abs().mean()
                total += UNEVEN[sample][box] * float(error)
            assert float(got[layer]) == pytest.approx(total / 3, rel=1e-4)


def test_last_layer_alone(make_outputs) -> None:
    pairs = pairs_of(make_outputs, UNEVEN)
    for kind in ('BoxCodeTerm', 'SoftClassTerm', 'StateL1Term'):
        term = MODELS.build(dict(type=kind))
        torch.testing.assert_close(term(pairs.last()), term(pairs)[-1:])
        assert not torch.equal(term(pairs)[-1], term(pairs)[1])


def test_a_sample_without_pairs(make_outputs) -> None:
    """It counts as 0 in the mean over samples, and not at all in the mean over pairs."""
    by_average = {}
    for average in ('batch', 'sample'):
        pairs = pairs_of(make_outputs, ONES, average)
        matched = pairs.pairing.matched.clone()
        matched[:, 1] = False
        lone = Pairing(pairs.pairing.teacher_boxes, pairs.pairing.student_index, matched)
        pairs = InstancePairs(pairs.student, pairs.teacher, lone, pairs.weights, slice(None), average)
        by_average[average] = pairs.mean(torch.ones(3, 2, 3)), pairs.per_pair(torch.tensor([[4.0, 3.0]] * 3))
    assert [value.tolist() for value in by_average['batch']] == [[1.0] * 3, [3.5] * 3]
    assert [value.tolist() for value in by_average['sample']] == [[0.5] * 3, [2.5] * 3]


def test_values_of_unmatched_boxes_do_not_matter(make_outputs) -> None:
    pairs = pairs_of(make_outputs, UNEVEN)
    values = torch.rand(3, 2, 3)
    spoilt = torch.where(pairs.matched, values, float('nan'))
    torch.testing.assert_close(pairs.mean(spoilt), pairs.mean(values))


def test_selected_queries() -> None:
    values, index = torch.randn(2, 3, 5, 4), torch.tensor([[[4, 0], [1, 1], [2, 3]]] * 2)
    got = gather_queries(values, index)
    for a in range(2):
        for b in range(3):
            for m in range(2):
                assert torch.equal(got[a, b, m], values[a, b, index[a, b, m]])
    assert gather_queries(values, index[..., :0]).shape == (2, 3, 0, 4)


def test_the_contract_is_abstract() -> None:
    with pytest.raises(TypeError, match='forward'):
        InstanceTerm()
    assert not MODELS.build(dict(type='BoxCodeTerm')).state_dict(), 'weights of the config are not weights of the model'


@pytest.mark.parametrize('average', ['batch', 'sample'])
def test_divisors_have_a_floor(make_outputs, average: str) -> None:
    tiny = torch.full((2, 3), 1e-7)
    pairs = pairs_of(make_outputs, ONES, average)
    pairs = InstancePairs(pairs.student, pairs.teacher, pairs.pairing, Weights(tiny, tiny), slice(None), average)
    total = 3e-7 if average == 'batch' else 1.5e-7
    assert pairs.mean(torch.ones(3, 2, 3)).tolist() == pytest.approx([total / 1e-6] * 3)
    nobody = Pairing(pairs.pairing.teacher_boxes, pairs.pairing.student_index, pairs.matched & False)
    pairs = InstancePairs(pairs.student, pairs.teacher, nobody, pairs.weights, slice(None), average)
    assert pairs.per_pair(torch.ones(3, 2)).tolist() == [2.0 if average == 'batch' else 1.0] * 3
    assert pairs.mean(torch.ones(3, 2, 3)).tolist() == [0.0] * 3


def test_teacher_scores_at_a_temperature_are_kept_from_the_ends() -> None:
    soften = MODELS.build(dict(type='SoftClassTerm', temperature=2.0))._soft_labels
    scores = torch.tensor([[0.0, 1.0, 0.8]])
    # logit(0.8) / 2 = log 2, whose sigmoid is 2 / 3; odds of 1e-6 become 1e-3.
    torch.testing.assert_close(soften(scores), torch.tensor([[1 / 1001, 1000 / 1001, 2 / 3]]), rtol=1e-4, atol=1e-6)
    assert MODELS.build(dict(type='SoftClassTerm'))._soft_labels(scores) is scores


@pytest.mark.parametrize('tau', [1.0, 3.0])
def test_divergence_by_hand(make_outputs, tau: float) -> None:
    pairs = pairs_of(make_outputs, ONES)
    got = MODELS.build(dict(type='SoftClassTerm', subtract_entropy=True, temperature=tau))(pairs)
    for layer in range(3):
        total = 0.0
        for sample, query, teacher_query, _ in PAIRS:
            logits = pairs.student.logits[layer, sample, query], pairs.teacher.logits[-1, sample, teacher_query]
            for p, t in zip(*((side / tau).sigmoid().tolist() for side in logits), strict=True):
                total += t * math.log(t / p) + (1 - t) * math.log((1 - t) / (1 - p))
        assert float(got[layer]) == pytest.approx(tau**2 * total / 3, rel=1e-4)


def test_messages(make_outputs) -> None:
    with pytest.raises(ValueError, match='temperature must be positive, got 0'):
        MODELS.build(dict(type='SoftClassTerm', temperature=0.0))
    pairs = replace(pairs_of(make_outputs, ONES), teacher=make_outputs(queries=5, channels=7))
    with pytest.raises(ValueError, match="student state vector has 4 channels and the teacher's 7"):
        MODELS.build(dict(type='StateL1Term'))(pairs)
