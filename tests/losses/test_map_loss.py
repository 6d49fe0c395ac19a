"""The base of losses on two maps: which maps they get, and what is refused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bevdistill.losses import ConvAdapter, MapLoss
from bevdistill.losses.adapters import check_channels

ADAPTER = dict(type='ConvAdapter', student_channels=4, teacher_channels=7)


class SumLoss(MapLoss):
    """Mean difference of the maps on the student's grid."""

    def forward(self, student, teacher, targets) -> dict[str, Tensor]:
        student_map, teacher_map = self.aligned_maps(student, teacher)
        return {'loss': (student_map - teacher_map).mean()}


class ChannelBlindLoss(SumLoss):
    same_channels = False


@pytest.mark.parametrize('tap', ['bev', 'heatmap_features'])
def test_maps_are_the_tapped_ones(make_outputs, tap: str) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1, rows=9, cols=13, grad=True)
    loss = SumLoss(tap)
    student_map, teacher_map = loss.maps(student, teacher)
    assert student_map is getattr(student, tap)
    assert torch.equal(teacher_map, getattr(teacher, tap)) and not teacher_map.requires_grad
    assert loss.wants == (f'student.{tap}', f'teacher.{tap}')
    assert loss.adapter is None


@pytest.mark.parametrize(('rows', 'cols'), [(6, 8), (12, 16), (9, 13), (1, 1)])
def test_aligned_maps_lie_on_the_students_grid(make_outputs, rows: int, cols: int) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1, rows=rows, cols=cols)
    student_map, teacher_map = SumLoss().aligned_maps(student, teacher)
    assert student_map is student.bev
    want = F.interpolate(teacher.bev, size=(6, 8), mode='bilinear', align_corners=False)
    torch.testing.assert_close(teacher_map, want)


def test_halving_a_map_averages_its_cells(make_outputs) -> None:
    """Twice the rows and columns: each cell of the student lies amid four of the teacher's."""
    student, teacher = make_outputs(), make_outputs(seed=1, rows=12, cols=16)
    _, teacher_map = SumLoss().aligned_maps(student, teacher)
    for row in range(6):
        for col in range(8):
            four = teacher.bev[:, :, 2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
            torch.testing.assert_close(teacher_map[:, :, row, col], four.mean(dim=(2, 3)))


def test_adapter_maps_the_student_alone(make_outputs) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1, channels=7)
    loss = SumLoss(adapter=ADAPTER)
    assert isinstance(loss.adapter, ConvAdapter)
    student_map, teacher_map = loss.maps(student, teacher)
    torch.testing.assert_close(student_map, loss.adapter(student.bev))
    assert torch.equal(teacher_map, teacher.bev)
    loss(student, teacher, None)['loss'].backward()
    assert all(parameter.grad is not None for parameter in loss.parameters())
    assert student.bev.grad is not None


def test_channels_are_compared_unless_the_loss_says_otherwise(make_outputs) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1, channels=7)
    with pytest.raises(ValueError, match=r"student bev has 4 channels and the teacher's 7; give the loss.*ConvAdapter"):
        SumLoss().maps(student, teacher)
    student_map, teacher_map = ChannelBlindLoss().maps(student, teacher)
    assert (student_map.shape[1], teacher_map.shape[1]) == (4, 7)


def test_more_wants_come_after_the_maps() -> None:
    assert SumLoss(wants=('targets', 'student.codes')).wants == (
        'student.bev', 'teacher.bev', 'targets', 'student.codes',
    )


def test_unknown_taps_are_refused() -> None:
    with pytest.raises(ValueError, match="tap must be 'bev' or 'heatmap_features', got 'states'"):
        SumLoss('states')
    with pytest.raises(ValueError, match="tap must be 'heatmap', got 'bev'"):
        SumLoss('bev', taps=('heatmap',))


def test_the_contract_is_abstract() -> None:
    with pytest.raises(TypeError, match='forward'):
        MapLoss()


@pytest.mark.parametrize('bare', ['student', 'teacher'])
def test_a_side_without_the_tap_is_named(make_outputs, bare: str) -> None:
    sides = {side: make_outputs(heatmap=side != bare) for side in ('student', 'teacher')}
    loss = SumLoss('heatmap', taps=('heatmap',))
    for read in (loss.maps, loss.aligned_maps):
        with pytest.raises(ValueError, match=f"the {bare} does not offer 'heatmap'; give its head the auxiliary"):
            read(sides['student'], sides['teacher'])


def test_grids_of_other_ground_are_refused(make_outputs) -> None:
    teacher = make_outputs(limits=(-9.0, -6.0, -5.0, 8.0, 6.0, 3.0))
    assert SumLoss().maps(make_outputs(), teacher)[1].shape == teacher.bev.shape
    with pytest.raises(ValueError, match='train both with one point_cloud_range'):
        SumLoss().aligned_maps(make_outputs(), teacher)


def test_channels_of_vectors_are_the_last_dimension() -> None:
    check_channels(torch.zeros(2, 5, 3), torch.zeros(1, 3), 'vector', dim=-1)
    with pytest.raises(ValueError, match=r"student vector has 3 channels and the teacher's 4.*LinearAdapter"):
        check_channels(torch.zeros(2, 5, 3), torch.zeros(1, 4), 'vector', dim=-1)
