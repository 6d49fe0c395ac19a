from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmdet3d.registry import MODELS

from bevdistill.detection.gaussian import gaussian_radius
from bevdistill.structures import BEVGrid, Targets


def build(kind: str, **arguments):
    return MODELS.build(dict(type=kind, **arguments))


def test_soft_mask_options(make_outputs, make_targets) -> None:
    student, targets = make_outputs(), make_targets(2, 1)
    wide = build('SoftForeground', sigma=2.0).mask(student, student, targets)
    narrow = build('SoftForeground').mask(student, student, targets)
    assert float(wide.max()) == 1
    assert float(wide.sum()) > float(narrow.sum())
    assert wide.shape == (2, 6, 8)


def test_soft_mask_of_the_release_pairs_width_with_x() -> None:
    # Cells of 0.25 x 1 m: a box 8 m long and 2 m wide has 32 x 2 of them, and in the release 8 x 8.
    grid = BEVGrid((-32.0, -32.0, -5.0, 32.0, 32.0, 3.0), rows=64, cols=256)
    box = torch.tensor([[0.5, 2.0, -1.0, 8.0, 2.0, 1.5, 0.0, 0.0, 0.0]])
    targets, outputs = Targets((box,), (torch.zeros(1, dtype=torch.long),)), SimpleNamespace(grid=grid)
    widths = []
    for released, sides in ((False, (32.0, 2.0)), (True, (8.0, 8.0))):
        mask = build('SoftForeground', min_radius=0, released_sides=released).mask(outputs, outputs, targets)
        radius = int(gaussian_radius(torch.tensor([sides]))[0])
        assert int((mask[0, 34] > 0).sum()) == 2 * radius + 1
        widths.append(radius)
    assert widths[0] != widths[1]


def test_masks_of_one_object_agree_on_its_place(make_outputs, make_targets) -> None:
    student, targets = make_outputs(batch=1), make_targets(1)
    col, row = student.grid.to_cells(targets.boxes[0][0, :2]).floor().long().tolist()
    for kind in ('SoftForeground', 'HardForeground'):
        assert float(build(kind).mask(student, student, targets)[0, row, col]) == 1


def test_predicted_mask(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(grad=True), make_outputs(seed=1), make_targets(0, 0)
    want = student.heatmap.sigmoid().max(dim=1).values
    mask = build('PredictedForeground').mask(student, teacher, targets)
    torch.testing.assert_close(mask, want.detach())
    assert not mask.requires_grad
    released = build('PredictedForeground', released_gradient=True, released_double_sigmoid=True)
    mask = released.mask(student, teacher, targets)
    torch.testing.assert_close(mask, want.sigmoid())
    assert mask.requires_grad
    of_teacher = build('PredictedForeground', source='teacher')
    assert of_teacher.wants == ('teacher.heatmap',)
    torch.testing.assert_close(
        of_teacher.mask(student, teacher, targets), teacher.heatmap.sigmoid().max(dim=1).values
    )


def test_predicted_mask_of_a_finer_teacher_comes_in_student_cells(make_outputs, make_targets) -> None:
    mask = build('PredictedForeground', source='teacher')
    assert mask.mask(make_outputs(), make_outputs(rows=12, cols=16), make_targets(0, 0)).shape == (2, 6, 8)


def test_messages(make_outputs, make_targets) -> None:
    with pytest.raises(ValueError, match="source must be 'student' or 'teacher', got 'both'"):
        build('PredictedForeground', source='both')
    with pytest.raises(ValueError, match="layers must be 'all' or 'last', got 'first'"):
        build('QuerySampledForeground', layers='first')
    bare = make_outputs(heatmap=False)
    with pytest.raises(ValueError, match='needs the auxiliary heatmap of the student'):
        build('PredictedForeground').mask(bare, bare, make_targets(0, 0))


def test_query_sampled_places_carry_no_gradient(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1)
    picked = build('QuerySampledForeground').select((student.bev, teacher.bev), student, teacher, make_targets(0, 0))
    assert [tuple(part.shape) for part in picked] == [(2, 4, 27), (2, 4, 27), (2, 27)]
    picked[0].sum().backward()
    assert student.bev.grad is not None
    assert student.codes.grad is None


@pytest.mark.parametrize('kind', ['AllCells', 'HardForeground', 'SoftForeground', 'PredictedForeground',
                                  'QuerySampledForeground'])  # fmt: skip
def test_regions_learn_and_keep_nothing(kind: str) -> None:
    region = build(kind)
    assert not list(region.parameters()) and not region.state_dict()
