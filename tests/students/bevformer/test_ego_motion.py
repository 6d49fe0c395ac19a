"""Shift and rotation of history."""

from __future__ import annotations

import math

import pytest
import torch

from bevdistill.structures import BEVGrid
from bevdistill.students.bevformer.ego_motion import ego_shift, rotate_history


def can_bus(dx: float, dy: float, yaw: float) -> torch.Tensor:
    state = torch.zeros(1, 18)
    state[0, 0], state[0, 1], state[0, 16] = dx, dy, yaw
    return state


def test_shift_is_forward_and_right_motion_over_the_range():
    grid = BEVGrid((-20, -40, -5, 20, 40, 3), 10, 8)
    heading = math.radians(30)
    forward, left = (math.cos(heading), math.sin(heading)), (-math.sin(heading), math.cos(heading))
    shift = ego_shift(can_bus(6 * forward[0], 6 * forward[1], heading), grid)
    torch.testing.assert_close(shift, torch.tensor([[0.0, 6 / 80]]), atol=1e-6, rtol=0)
    shift = ego_shift(can_bus(3 * left[0], 3 * left[1], heading), grid)
    torch.testing.assert_close(shift, torch.tensor([[-3 / 40, 0.0]]), atol=1e-6, rtol=0)


@pytest.mark.parametrize('turn', [0.4, 2.0, -3.1])
def test_a_turned_world_gives_the_same_shift(turn: float) -> None:
    """Only the motion as the car sees it counts: not where east is."""
    grid, cos, sin = BEVGrid((-20, -40, -5, 20, 40, 3), 10, 8), math.cos(turn), math.sin(turn)
    still = ego_shift(can_bus(3.0, -2.0, 0.7), grid)
    turned = ego_shift(can_bus(3 * cos + 2 * sin, 3 * sin - 2 * cos, 0.7 + turn), grid)
    torch.testing.assert_close(turned, still, atol=1e-6, rtol=0)
    mirrored = ego_shift(can_bus(3.0, 2.0, -0.7), grid)
    torch.testing.assert_close(mirrored, still * torch.tensor([-1, 1]), atol=1e-6, rtol=0)


def test_the_release_swaps_the_extents():
    grid = BEVGrid((-20, -40, -5, 20, 40, 3), 10, 8)
    state = can_bus(6.0, 0.0, 0.0)
    torch.testing.assert_close(ego_shift(state, grid, released_extents=True), torch.tensor([[0.0, 6 / 40]]))
    square = BEVGrid((-20, -20, -5, 20, 20, 3), 10, 8)
    state = can_bus(6.0, 2.0, 0.3)
    assert torch.equal(ego_shift(state, square, released_extents=True), ego_shift(state, square))


@pytest.mark.parametrize('angle', [0.0, 7.3, -31.7, 355.0])
@pytest.mark.parametrize('center', [[4, 5], [100, 100]])
def test_released_rotation_equals_loops(angle, center):
    grid = BEVGrid((-51.2, -51.2, -5, 51.2, 51.2, 3), 10, 8)
    bev = torch.randn(1, 80, 3)
    before = bev.clone()
    want = torch.zeros(10, 8, 3)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    for row in range(10):
        for col in range(8):
            x, y = col + 0.5 - center[0], row + 0.5 - center[1]
            source_col = round(cos * x - sin * y + center[0] - 0.5)
            source_row = round(sin * x + cos * y + center[1] - 0.5)
            if 0 <= source_row < 10 and 0 <= source_col < 8:
                want[row, col] = bev[0, source_row * 8 + source_col]
    got = rotate_history(bev, torch.tensor([angle]), grid, center)
    torch.testing.assert_close(got[0], want.view(80, 3))
    assert torch.equal(bev, before)


def test_rotation_keeps_a_standing_object_in_place():
    """An object seen before the ego turned by `turn` appears turned by -turn, about the LiDAR, in metres."""
    grid = BEVGrid((-20, -40, -5, 40, 40, 3), 160, 60)
    turn, place = 40.0, torch.tensor([12.0, 15.0])
    bev = torch.zeros(2, grid.num_cells, 1)
    col, row = grid.to_cells(place).floor().long().tolist()
    bev[:, row * grid.cols + col] = 1
    turned = rotate_history(bev, torch.tensor([turn, 0.0]), grid)
    angle = math.radians(-turn)
    now = torch.tensor(
        [
            math.cos(angle) * place[0] - math.sin(angle) * place[1],
            math.sin(angle) * place[0] + math.cos(angle) * place[1],
        ]
    )
    marked = grid.cell_centres().flatten(0, 1)[turned[0, :, 0] > 0]
    assert len(marked) >= 1
    assert (marked - now).norm(dim=1).max() < 1.5
    assert torch.equal(turned[1], bev[1])
