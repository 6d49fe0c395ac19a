from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS

from bevdistill.losses import Quality, Weights
from bevdistill.structures import encode_boxes

CRITIC = dict(type='MLPCritic', in_channels=4, channels=5)
CONTRAST = dict(type='StateContrastTerm', student_critic=CRITIC, teacher_critic=CRITIC, temperature=0.3)
BOX = dict(type='BoxCodeTerm')
CLASS = dict(type='SoftClassTerm')
STATE = dict(type='StateL1Term')
CUT = 0.752
"""Leaves one of four teacher boxes in the first sample and three in the second."""


@MODELS.register_module(force=True)
class GivenQuality(Quality):
    """Weights that a test chooses."""

    def __init__(self, value: list[list[float]]) -> None:
        super().__init__()
        self.value = torch.tensor(value)

    def forward(self, boxes, targets) -> Weights:
        return Weights(self.value, torch.ones_like(self.value))


def build(terms: dict[str, Any], quality: Any = 'UniformQuality', threshold: float = 0.0, **arguments: Any):
    torch.manual_seed(3)
    quality = dict(type=quality) if isinstance(quality, str) else quality
    pairing = dict(type='TeacherBoxPairing', max_boxes=4, score_threshold=threshold)
    return MODELS.build(
        dict(type='InstanceDistillLoss', pairing=pairing, quality=quality, terms=terms, **arguments)
    )


def oracle(loss, student, teacher, targets, value_of, layer: int = -1, average: str = 'batch') -> float:
    """Quality-weighted mean of ``value_of(b, q, m, boxes)``, one pair after the other."""
    found = loss.pairing(student, teacher, targets, slice(None))
    weights = loss.quality(found.teacher_boxes, targets)
    per_sample, total, mass = [], 0.0, 0.0
    for b in range(student.batch_size):
        sample_total, sample_mass = 0.0, 0.0
        for m in range(found.student_index.shape[2]):
            if not bool(found.matched[layer, b, m]):
                continue
            value = value_of(b, int(found.student_index[layer, b, m]), m, found)
            sample_total += float(weights.numerator[b, m]) * value
            sample_mass += float(weights.denominator[b, m])
        total, mass = total + sample_total, mass + sample_mass
        per_sample.append(sample_total / sample_mass if sample_mass else 0.0)
    return sum(per_sample) / len(per_sample) if average == 'sample' else (total / mass if mass else 0.0)


QUALITIES = ['UniformQuality', 'ScoreQuality', dict(type='ScoreIoUQuality', gamma=0.8)]


@pytest.mark.parametrize('quality', QUALITIES, ids=str)
@pytest.mark.parametrize('average', ['batch', 'sample'])
@pytest.mark.parametrize('threshold', [0.0, CUT])
def test_box_term_matches_loops(make_outputs, make_targets, quality, average: str, threshold: float) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = build(dict(box=dict(BOX, layers='all', weight=0.25)), quality, threshold, average=average)
    values = loss(student, teacher, targets)
    for layer, key in enumerate(('d0.loss_box', 'd1.loss_box', 'loss_box')):

        def distance(b: int, q: int, m: int, found, layer: int = layer) -> float:
            target = encode_boxes(teacher.boxes)[b, found.teacher_boxes.teacher_index[b, m]]
            difference = (student.codes[layer, b, q] - target).abs()
            return float(difference[:8].sum() + 0.2 * difference[8:].sum())

        want = 0.25 * oracle(loss, student, teacher, targets, distance, layer, average)
        assert float(values[key]) == pytest.approx(want, rel=1e-4)
    found = loss.pairing(student, teacher, targets, slice(-1, None))
    taken = loss.quality(found.teacher_boxes, targets).numerator[found.matched[0]].tolist()
    assert float(values['quality']) == pytest.approx(sum(taken) / len(taken))


@pytest.mark.parametrize(('temperature', 'quality'), [(1.0, 'ScoreQuality'), (3.0, 'UniformQuality')])
def test_class_term_matches_loops(make_outputs, make_targets, temperature: float, quality: str) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = build(dict(cls=CLASS if temperature == 1 else dict(CLASS, temperature=temperature)), quality)

    def entropy(b: int, q: int, m: int, found) -> float:
        total = 0.0
        for k in range(3):
            logits = student.logits[-1, b, q, k], teacher.logits[-1, b, found.teacher_boxes.teacher_index[b, m], k]
            p, t = (1 / (1 + math.exp(-float(logit) / temperature)) for logit in logits)
            total -= t * math.log(p) + (1 - t) * math.log(1 - p)
        return temperature**2 * total

    want = oracle(loss, student, teacher, targets, entropy)
    assert float(loss(student, teacher, targets)['loss_cls']) == pytest.approx(want, rel=1e-4)


def test_divergence_is_zero_where_both_agree_and_has_the_same_gradient(make_outputs, make_targets) -> None:
    twin = make_outputs(layers=1)
    values = build(dict(cls=dict(CLASS, subtract_entropy=True, temperature=2.0)))(twin, twin, make_targets(1, 1))
    assert abs(float(values['loss_cls'])) < 1e-5
    gradients = []
    for flag in (False, True):
        student = make_outputs(grad=True)
        loss = build(dict(cls=dict(CLASS, subtract_entropy=flag)))
        loss(student, make_outputs(seed=1), make_targets(1, 1))['loss_cls'].backward()
        gradients.append(student.logits.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize('threshold', [0.0, CUT])
def test_unmatched_queries(make_outputs, make_targets, threshold: float) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(0, 0)
    terms = {
        'plain': CLASS,
        'background': dict(CLASS, unmatched='background'),
        'released': dict(CLASS, released_unmatched=True),
    }
    loss = build(terms, threshold=threshold)
    found = loss.pairing(student, teacher, targets, slice(-1, None))
    pairs = int(found.matched.sum())
    background = released = 0.0
    for b in range(2):
        taken = {int(found.student_index[0, b, m]) for m in range(4) if bool(found.matched[0, b, m])}
        for q in set(range(9)) - taken:
            for logit in student.logits[-1, b, q].tolist():
                background += math.log1p(math.exp(logit))
                released += math.log1p(math.exp(logit)) - 3 * logit
    values = {name: float(value) for name, value in loss(student, teacher, targets).items()}
    assert values['loss_background'] - values['loss_plain'] == pytest.approx(background / pairs, rel=1e-4)
    assert values['loss_released'] - values['loss_plain'] == pytest.approx(released / pairs, rel=1e-4)


@pytest.mark.parametrize('anchor', ['student', 'teacher'])
@pytest.mark.parametrize('negatives', ['sample', 'batch'])
@pytest.mark.parametrize('threshold', [0.0, CUT])
def test_contrast_matches_loops(make_outputs, make_targets, anchor: str, negatives: str, threshold: float) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = build(dict(c=dict(CONTRAST, anchor=anchor, negatives=negatives)), 'ScoreQuality', threshold)
    term = loss.terms['c']

    def vectors(b: int, q: int, teacher_q: int) -> tuple[torch.Tensor, torch.Tensor]:
        s, t = term.student_critic(student.states[-1, b, q]), term.teacher_critic(teacher.states[-1, b, teacher_q])
        return s / s.norm(), t / t.norm()

    def row(b: int, q: int, m: int, found) -> float:
        others = range(2) if negatives == 'batch' else [b]
        s, t = vectors(b, q, found.teacher_boxes.teacher_index[b, m])
        own, total = 0.0, 0.0
        for other in others:
            for n in range(4):
                if bool(found.matched[-1, other, n]):
                    index = int(found.student_index[-1, other, n])
                    s2, t2 = vectors(other, index, found.teacher_boxes.teacher_index[other, n])
                    score = math.exp(float(s @ t2 if anchor == 'student' else t @ s2) / 0.3)
                    total += score
                    own = score if (other, n) == (b, m) else own
        return -math.log(own / total)

    want = oracle(loss, student, teacher, targets, row)
    assert float(loss(student, teacher, targets)['loss_c']) == pytest.approx(want, rel=1e-4)


def test_a_zero_instance_weight_changes_the_contrast(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(batch=1), make_outputs(batch=1, seed=1), make_targets(3)
    values, gradients = [], []
    for weights in ([1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 1.0]):
        states = student.states.detach().clone().requires_grad_()
        loss = build(dict(c=CONTRAST), dict(type='GivenQuality', value=[weights]))
        fresh = type(student)(**{**student.__dict__, 'states': states})
        value = loss(fresh, teacher, targets)['loss_c']
        value.backward()
        values.append(float(value))
        gradients.append(states.grad)
    assert abs(values[0] - values[1]) > 1e-3
    # The old slip, weighting after the mean, would only scale the gradient of every pair by one number.
    live = gradients[0][-1].norm(dim=-1) > 0
    ratios = (gradients[1][-1].norm(dim=-1) / gradients[0][-1].norm(dim=-1))[live]
    assert float(ratios.max() - ratios.min()) > 1e-3


def test_state_l1_matches_loops(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = build(dict(state=STATE), 'ScoreQuality')

    def distance(b: int, q: int, m: int, found) -> float:
        target = teacher.states[-1, b, found.teacher_boxes.teacher_index[b, m]]
        return float((student.states[-1, b, q] - target).abs().mean())

    want = oracle(loss, student, teacher, targets, distance)
    assert float(loss(student, teacher, targets)['loss_state']) == pytest.approx(want, rel=1e-4)


ALL_TERMS = dict(
    box=dict(BOX, layers='all'),
    cls=dict(CLASS, layers='all', unmatched='background'),
    contrast=dict(CONTRAST, layers='all'),
    state=dict(STATE, adapter=dict(type='LinearAdapter', student_channels=4, teacher_channels=4)),
)


@pytest.mark.parametrize('case', ['no teacher box', 'no ground truth', 'no pair'])
def test_empty_cases_are_finite_and_keep_the_graph(make_outputs, make_targets, case: str) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1)
    targets = make_targets(3, 2) if case == 'no teacher box' else make_targets(0, 0)
    loss = build(ALL_TERMS, 'ScoreIoUQuality', threshold=0.0 if case == 'no ground truth' else 1.0)
    if case == 'no pair':
        loss.pairing = MODELS.build(dict(type='GroundTruthPairing'))
    values = loss(student, teacher, targets)
    assert all(bool(value.isfinite()) for value in values.values())
    for name in ('loss_box', 'loss_contrast', 'loss_state', 'd0.loss_box'):
        assert float(values[name]) == 0
    sum(value for name, value in values.items() if 'loss' in name).backward()
    for leaf in (student.logits, student.codes, student.states, *loss.parameters()):
        assert leaf.grad is not None
        assert bool(leaf.grad.isfinite().all())


def test_gradients_reach_student_and_critics_only(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1, grad=True)
    loss = build(ALL_TERMS, 'ScoreQuality')
    values = loss(student, teacher, make_targets(3, 2))
    sum(value for name, value in values.items() if 'loss' in name).backward()
    for leaf in (student.logits, student.codes, student.states, *loss.parameters()):
        assert float(leaf.grad.abs().sum()) > 0
    assert all(leaf.grad is None for leaf in (teacher.logits, teacher.codes, teacher.states, teacher.bev))


def test_batch_by_sample_is_the_mean_of_its_samples(make_outputs, make_targets, single, sample_of) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = build(ALL_TERMS, 'ScoreQuality', threshold=CUT, average='sample')
    together = loss(student, teacher, targets)
    apart = [loss(single(student, b), single(teacher, b), sample_of(targets, b)) for b in range(2)]
    for name, value in together.items():
        if 'loss' in name:
            torch.testing.assert_close(value, (apart[0][name] + apart[1][name]) / 2)


def test_batch_by_default_weighs_samples_by_their_pairs(make_outputs, make_targets, single, sample_of) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = build(deepcopy(ALL_TERMS), threshold=CUT)
    together = loss(student, teacher, targets)
    apart = [loss(single(student, b), single(teacher, b), sample_of(targets, b)) for b in range(2)]
    pairs = [values['pairs'] for values in apart]
    assert float(pairs[0]) != float(pairs[1])
    for name, value in together.items():
        if 'loss' in name:
            want = (apart[0][name] * pairs[0] + apart[1][name] * pairs[1]) / (pairs[0] + pairs[1])
            torch.testing.assert_close(value, want)


def test_shapes_may_differ(make_outputs, make_targets) -> None:
    student = make_outputs(queries=3, layers=1, channels=4)
    teacher = make_outputs(queries=11, layers=3, channels=7, rows=12, cols=16, seed=1)
    contrast = dict(CONTRAST, teacher_critic=dict(CRITIC, in_channels=7))
    values = build(dict(box=BOX, cls=CLASS, contrast=contrast))(student, teacher, make_targets(1, 1))
    assert all(bool(value.isfinite()) for value in values.values())
    assert float(values['pairs']) == 3
    with pytest.raises(ValueError, match=r"student state vector has 4 channels and the teacher's 7.*LinearAdapter"):
        build(dict(state=STATE))(student, teacher, make_targets(1, 1))


def test_wants_and_switches() -> None:
    loss = build(dict(box=BOX, off=dict(STATE, weight=0.0)), 'ScoreIoUQuality')
    assert list(loss.terms) == ['box']
    assert set(loss.wants) == {'student.logits', 'student.codes', 'teacher.logits', 'teacher.codes', 'targets'}
    assert 'student.states' in build(dict(c=CONTRAST)).wants


@pytest.mark.parametrize(
    ('terms', 'arguments', 'message'),
    [
        (dict(box=dict(BOX, weight=0.0)), {}, r"no term with a weight above 0, got \['box'\]"),
        (dict(box=dict(BOX, layers='first')), {}, "term 'box': layers must be 'all' or 'last', got 'first'"),
        (dict(box=BOX), dict(average='mean'), "average must be 'batch' or 'sample', got 'mean'"),
        (dict(box=dict(BOX, code_weights=[1.0] * 8)), {}, 'expected 10 code weights, got 8'),
        (dict(cls=dict(CLASS, unmatched='drop')), {}, "unmatched must be 'ignore' or 'background', got 'drop'"),
        (dict(cls=dict(CLASS, temperature=0.0)), {}, 'temperature must be positive, got 0.0'),
        (dict(c=dict(CONTRAST, negatives='all')), {}, "negatives must be 'sample' or 'batch', got 'all'"),
        (dict(c=dict(CONTRAST, student_critic=dict(CRITIC, norm='BN'))), {}, "use norm='LN' or None, not 'BN'"),
    ],
)
def test_messages(terms, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(terms, **arguments)


def test_one_pair_is_logged_as_one_with_its_weight(make_outputs, make_targets) -> None:
    loss = build(dict(box=BOX), dict(type='GivenQuality', value=[[0.75]]))
    seen: list[slice] = []
    loss.pairing.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[3]))
    values = loss(make_outputs(batch=1), make_outputs(batch=1, queries=1, seed=1), make_targets(0))
    assert (float(values['pairs']), float(values['quality'])) == (1.0, 0.75)
    assert seen == [slice(-1, None)], 'the last layer alone is matched where no term reads the others'
