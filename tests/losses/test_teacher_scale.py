from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import MODELS


def build(**arguments):
    return MODELS.build(dict(type='TeacherScale', **arguments))


def test_global_divides_both_by_one_number() -> None:
    scale, student, teacher = build(), torch.randn(2, 4, 5, 6), torch.randn(2, 4, 5, 6) * 7 + 3
    std = float(teacher.var(correction=0).sqrt())
    for scaled, raw in zip(scale(student, teacher), (student, teacher), strict=True):
        torch.testing.assert_close(scaled, raw / std, rtol=1e-4, atol=1e-5)


def test_channel_standardises_the_teacher_only() -> None:
    scale, student = build(mode='channel', channels=4), torch.randn(2, 4, 5, 6)
    teacher = torch.randn(2, 4, 5, 6) * torch.tensor([1.0, 5.0, 10.0, 0.1])[:, None, None] + 3
    same, standard = scale(student, teacher)
    assert same is student
    for channel in range(4):
        assert abs(float(standard[:, channel].mean())) < 1e-3
        assert float(standard[:, channel].var(correction=0)) == pytest.approx(1, rel=1e-2)


def test_statistics_are_those_of_all_steps_and_rest_in_eval() -> None:
    scale, batches = build(), [torch.randn(2, 4, 5, 6) * (index + 1) + 3 * index for index in range(3)]
    for batch in batches:
        scale(batch, batch)
    everything = torch.cat(batches)
    assert float(scale.square - scale.mean.square()) == pytest.approx(float(everything.var(correction=0)), rel=1e-3)
    before = scale.square.clone()
    scale.eval()(batches[0], batches[0] * 100)
    torch.testing.assert_close(scale.square, before)
    assert set(scale.state_dict()) == {'mean', 'square', 'steps'}


def test_first_use_in_eval_measures_once() -> None:
    scale, teacher = build().eval(), torch.randn(2, 4, 5, 6) * 4
    assert float(scale(teacher, teacher)[1].std()) == pytest.approx(1, rel=1e-2)
    before = scale.square.clone()
    scale(teacher, teacher * 100)
    assert torch.equal(scale.square, before) and int(scale.steps) == 1


def test_silent_teacher_stays_finite() -> None:
    zeros = torch.zeros(1, 2, 3, 3)
    scaled, _ = build(channels=2)(torch.ones(1, 2, 3, 3), zeros)
    torch.testing.assert_close(scaled, torch.full((1, 2, 3, 3), 1000.0))


def test_messages() -> None:
    with pytest.raises(ValueError, match="must be 'global' or 'channel', got 'row'"):
        build(mode='row')
    with pytest.raises(ValueError, match='needs channels='):
        build(mode='channel')
    with pytest.raises(ValueError, match='built for 4 channels but the teacher map has 5'):
        build(mode='channel', channels=4)(torch.zeros(1, 5, 2, 2), torch.zeros(1, 5, 2, 2))


def test_in_the_dense_loss(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(2, 1)
    config = dict(type='DenseBEVLoss', mask=dict(type='AllCells'))
    plain = MODELS.build(config)(student, teacher, targets)['loss']
    scaled = MODELS.build(config | dict(teacher_scale=dict(type='TeacherScale')))(student, teacher, targets)['loss']
    torch.testing.assert_close(scaled, plain / teacher.bev.var(correction=0))
