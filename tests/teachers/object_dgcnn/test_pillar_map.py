from __future__ import annotations

import pytest
import torch
from host_syncs import count_host_syncs
from mmdet3d.models.middle_encoders import PointPillarsScatter

from bevdistill.teachers.object_dgcnn.pillar_map import scatter_pillars

ROWS, COLS = 3, 5


@pytest.mark.parametrize('counts', [(4, 2), (0, 3), (7,), (0, 0)])
def test_same_as_mmdet3d(counts: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    cells = [torch.randperm(ROWS * COLS)[:count] for count in counts]
    coors = torch.cat([
        torch.stack((torch.full_like(cell, sample), torch.zeros_like(cell), cell // COLS, cell % COLS), dim=1)
        for sample, cell in enumerate(cells)
    ]).int()
    features = torch.randn(len(coors), 4, requires_grad=True)
    weights = torch.randn(len(counts), 4, ROWS, COLS)
    found = []
    for scatter in (
        lambda: scatter_pillars(features, coors, len(counts), ROWS, COLS),
        lambda: PointPillarsScatter(4, [ROWS, COLS])(features, coors, len(counts)),
    ):
        canvas = scatter()
        found.append((canvas, *torch.autograd.grad((canvas * weights).sum(), features)))
    for own, want in zip(*found, strict=True):
        assert torch.equal(own, want)


def test_nothing_is_waited_for() -> None:
    features, coors = torch.randn(2, 4, requires_grad=True), torch.tensor([[0, 0, 1, 2], [1, 0, 2, 4]])
    with count_host_syncs() as syncs:
        scatter_pillars(features, coors, 2, ROWS, COLS).sum().backward()
    assert syncs.number == 0, str(syncs)
