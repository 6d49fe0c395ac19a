from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS

MASKS = ['AllCells', 'HardForeground', 'SoftForeground', 'PredictedForeground']


def build(mask: dict[str, Any] | str = 'SoftForeground', **arguments: Any):
    return MODELS.build(
        dict(type='DenseBEVLoss', mask=dict(type=mask) if isinstance(mask, str) else mask, **arguments)
    )


@pytest.mark.parametrize('mask', MASKS)
@pytest.mark.parametrize('channels', ['mean', 'sum'])
@pytest.mark.parametrize('normaliser', ['mask', 'cells'])
def test_matches_loops(make_outputs, make_targets, mask: str, channels: str, normaliser: str) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = build(mask, channels=channels, normaliser=normaliser)
    weights = loss.region.mask(student, teacher, targets)
    total, mass = 0.0, 0.0
    for b in range(2):
        for r in range(6):
            for c in range(8):
                errors = [float(student.bev[b, k, r, c] - teacher.bev[b, k, r, c]) ** 2 for k in range(4)]
                error = sum(errors) / (len(errors) if channels == 'mean' else 1)
                total += float(weights[b, r, c]) * error
                mass += float(weights[b, r, c]) if normaliser == 'mask' else 1.0
    value = loss(student, teacher, targets)['loss']
    assert float(value) == pytest.approx(total / mass, rel=1e-5)


def bilinear(map_CHW: torch.Tensor, col: float, row: float) -> torch.Tensor:
    """Value at continuous cell coordinates (cell centres at +0.5), zero outside."""
    value = torch.zeros(len(map_CHW))
    x, y = col - 0.5, row - 0.5
    left, top = int(torch.tensor(x).floor()), int(torch.tensor(y).floor())
    for r in (top, top + 1):
        for c in (left, left + 1):
            if 0 <= r < map_CHW.shape[1] and 0 <= c < map_CHW.shape[2]:
                value += map_CHW[:, r, c] * (1 - abs(x - c)) * (1 - abs(y - r))
    return value


@pytest.mark.parametrize('layers', ['all', 'last'])
def test_query_sampled_matches_loops(make_outputs, make_targets, layers: str) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1)
    loss = build(dict(type='QuerySampledForeground', layers=layers))
    errors = []
    for codes_BQ in student.codes if layers == 'all' else student.codes[-1:]:
        for b in range(2):
            for x, y in codes_BQ[b, :, :2].tolist():
                col, row = (x + 8) / 2, (y + 6) / 2
                difference = bilinear(student.bev[b], col, row) - bilinear(teacher.bev[b], col, row)
                errors.append(float(difference.square().mean()))
    value = loss(student, teacher, make_targets(1, 1))['loss']
    assert float(value) == pytest.approx(sum(errors) / len(errors), rel=1e-4)


@pytest.mark.parametrize('mask', ['HardForeground', 'SoftForeground'])
def test_no_objects_gives_zero_with_a_graph(make_outputs, make_targets, mask: str) -> None:
    student = make_outputs(grad=True)
    adapter = dict(type='ConvAdapter', student_channels=4, teacher_channels=4)
    loss = build(mask, adapter=adapter)
    value = loss(student, make_outputs(seed=1), make_targets(0, 0))['loss']
    assert float(value) == 0
    value.backward()
    assert student.bev.grad is not None
    assert all(parameter.grad is not None for parameter in loss.parameters())


def test_gradient_reaches_the_student_only(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1, grad=True)
    build()(student, teacher, make_targets(3, 2))['loss'].backward()
    assert float(student.bev.grad.abs().sum()) > 0
    assert all(getattr(teacher, tap).grad is None for tap in teacher.taps() if getattr(teacher, tap).is_leaf)


def test_batch_with_cells_is_the_mean_of_its_samples(make_outputs, make_targets, single, sample_of) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(4, 1)
    loss = build(normaliser='cells')
    apart = [loss(single(student, b), single(teacher, b), sample_of(targets, b))['loss'] for b in range(2)]
    torch.testing.assert_close(loss(student, teacher, targets)['loss'], (apart[0] + apart[1]) / 2)


def test_batch_with_mask_weighs_samples_by_their_foreground(make_outputs, make_targets, single, sample_of) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(4, 1)
    loss = build(normaliser='mask')
    mass = loss.region.mask(student, teacher, targets).sum(dim=(1, 2))
    apart = [loss(single(student, b), single(teacher, b), sample_of(targets, b))['loss'] for b in range(2)]
    want = (apart[0] * mass[0] + apart[1] * mass[1]) / mass.sum()
    torch.testing.assert_close(loss(student, teacher, targets)['loss'], want)


def test_mask_of_one_object_looks_at_its_cell_only(make_outputs, make_targets) -> None:
    student, targets = make_outputs(batch=1), make_targets(1)
    col, row = student.grid.to_cells(targets.boxes[0][0, :2]).floor().long().tolist()
    teacher = make_outputs(batch=1)
    teacher.bev[0, :, row, col] += 2.0
    loss = build(channels='mean')
    moved = float(loss(student, teacher, targets)['loss'])
    mask = loss.region.mask(student, teacher, targets)
    assert float(mask[0, row, col]) == 1
    assert moved == pytest.approx(4.0 / float(mask.sum()), rel=1e-5)


def test_teacher_of_another_size_is_resized(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1, rows=9, cols=16)
    targets = make_targets(2, 2)
    resized = F.interpolate(teacher.bev, size=(6, 8), mode='bilinear', align_corners=False)
    want = (student.bev - resized).square().mean()
    torch.testing.assert_close(build('AllCells')(student, teacher, targets)['loss'], want)


def test_ranges_must_agree(make_outputs, make_targets) -> None:
    teacher = make_outputs(limits=(-9.0, -6.0, -5.0, 8.0, 6.0, 3.0))
    with pytest.raises(ValueError, match=r'-9\.0.*cannot be laid on a student grid of range.*-8\.0'):
        build()(make_outputs(), teacher, make_targets(1, 1))


def test_channels_must_agree_or_have_an_adapter(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1, channels=7), make_targets(1, 1)
    with pytest.raises(ValueError, match=r"student bev has 4 channels and the teacher's 7.*ConvAdapter"):
        build()(student, teacher, targets)
    loss = build(adapter=dict(type='ConvAdapter', student_channels=4, teacher_channels=7))
    assert bool(loss(student, teacher, targets)['loss'].isfinite())


def test_other_tap(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(1, 1)
    loss = build('AllCells', tap='heatmap_features')
    assert loss.wants == ('student.heatmap_features', 'teacher.heatmap_features')
    want = (student.heatmap_features - teacher.heatmap_features).square().mean()
    torch.testing.assert_close(loss(student, teacher, targets)['loss'], want)
    with pytest.raises(ValueError, match="the student does not offer 'heatmap_features'"):
        loss(make_outputs(heatmap=False), teacher, targets)


def test_region_under_both_of_its_names(make_outputs, make_targets) -> None:
    """``mask`` is the former name, which configs with published results keep; ``where`` has the last word."""
    sides = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    hard, soft = dict(type='HardForeground'), dict(type='SoftForeground')
    for kind in ('DenseBEVLoss', 'HeatmapDistillLoss'):
        now, before = (MODELS.build(dict({name: hard}, type=kind)) for name in ('where', 'mask'))
        assert torch.equal(now(*sides)['loss'], before(*sides)['loss']) and now.wants == before.wants
        both = MODELS.build(dict(type=kind, where=hard, mask=soft))
        assert torch.equal(both(*sides)['loss'], now(*sides)['loss'])
        with pytest.raises(ValueError, match=rf"{kind} needs where=dict\(type='AllCells'\)"):
            MODELS.build(dict(type=kind))


def test_wants() -> None:
    assert build().wants == ('student.bev', 'teacher.bev', 'targets')
    assert build('PredictedForeground').wants == ('student.bev', 'teacher.bev', 'student.heatmap')
    assert build('QuerySampledForeground').wants == ('student.bev', 'teacher.bev', 'student.codes')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(tap='logits'), "tap must be 'bev' or 'heatmap_features', got 'logits'"),
        (dict(channels='max'), "channels must be 'mean' or 'sum', got 'max'"),
        (dict(normaliser='none'), "normaliser must be 'mask' or 'cells', got 'none'"),
    ],
)
def test_unknown_options(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**arguments)


def test_divisors_have_a_floor(make_outputs, make_targets) -> None:
    sizes, targets = dict(batch=1, rows=1, cols=1), make_targets(0)
    student, teacher = make_outputs(**sizes), make_outputs(seed=1, **sizes)
    error = (student.bev - teacher.bev).square().mean()
    torch.testing.assert_close(build('AllCells', normaliser='cells')(student, teacher, targets)['loss'], error)
    student.heatmap.fill_(-20.0)
    want = torch.tensor(-20.0).sigmoid() * error / 1e-6
    torch.testing.assert_close(build('PredictedForeground')(student, teacher, targets)['loss'], want)
