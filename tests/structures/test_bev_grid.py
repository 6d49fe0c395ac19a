from __future__ import annotations

import dataclasses

import pytest
import torch

from bevdistill.structures import BEVGrid

GRID = BEVGrid((-20.0, -10.0, -5.0, 20.0, 30.0, 3.0), rows=10, cols=20)


def test_worked_example():
    # x = 5 m lies 25 m from x_min of 40 m: column 12.5 of 20; y = -2 lies 8 m from y_min of 40 m: row 2 of 10.
    cells = GRID.to_cells(torch.tensor([5.0, -2.0]))
    torch.testing.assert_close(cells, torch.tensor([12.5, 2.0]))
    assert GRID.cell_size == (2.0, 4.0)
    assert GRID.extent == (40.0, 40.0, 8.0)
    assert GRID.num_cells == 200


def test_round_trips():
    metres = torch.rand(4, 5, 2) * 60 - 30
    torch.testing.assert_close(GRID.to_metres(GRID.to_cells(metres)), metres, atol=1e-4, rtol=1e-5)
    points = torch.rand(7, 3) * 60 - 30
    torch.testing.assert_close(GRID.denormalise(GRID.normalise(points)), points, atol=1e-4, rtol=1e-5)


def test_centres_lie_in_their_cells_row_follows_y():
    centres = GRID.cell_centres()
    assert centres.shape == (10, 20, 2)
    cells = GRID.to_cells(centres).floor().long()
    for row in range(10):
        for col in range(20):
            assert cells[row, col].tolist() == [col, row]
    unit = GRID.cell_centres(normalised=True)
    torch.testing.assert_close(GRID.denormalise(unit), centres)


def test_flat_index_is_row_major():
    flat = GRID.cell_centres().flatten(0, 1)
    row, col = 3, 7
    torch.testing.assert_close(flat[row * GRID.cols + col], GRID.cell_centres()[row, col])


def test_contains_is_half_open():
    points = torch.tensor([[-20.0, -10.0], [20.0, 0.0], [0.0, 29.9], [0.0, 30.1]])
    assert GRID.contains(points).tolist() == [True, False, True, False]
    assert GRID.contains(torch.tensor([[0.0, 0.0, -6.0], [0.0, 0.0, 0.0]])).tolist() == [False, True]


def test_sampling_grid_reads_the_cell_that_holds_the_point():
    map_HW = torch.zeros(1, 1, GRID.rows, GRID.cols)
    map_HW[0, 0, 6, 11] = 1.0
    centre = GRID.to_metres(torch.tensor([11.5, 6.5]))
    grid = GRID.sampling_grid(centre)[None, None, None]
    value = torch.nn.functional.grid_sample(map_HW, grid, align_corners=False)
    assert value.item() == pytest.approx(1.0, abs=1e-5)


def test_is_frozen_and_hashable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GRID.rows = 3  # type: ignore[misc]
    assert hash(GRID) == hash(BEVGrid.from_config([-20, -10, -5, 20, 30, 3], 10, 20))
    assert type(BEVGrid.from_config([-20, -10, -5, 20, 30, 3], 10, 20).point_cloud_range[0]) is float
    assert GRID.same_range(GRID.with_size(5, 5))
    assert not GRID.same_range(BEVGrid((-20.0, -10.0, -5.0, 20.0, 31.0, 3.0), 10, 20))


@pytest.mark.parametrize(
    ('limits', 'rows', 'message'),
    [
        ((0, 0, 1, 1), 2, 'got 4 numbers'),
        ((0, 0, 0, -1, 1, 1), 2, 'min < max'),
        ((0, 0, 0, 1, 1, 1), 0, 'positive sizes'),
    ],
)
def test_bad_grids_are_refused(limits, rows, message):
    with pytest.raises(ValueError, match=message):
        BEVGrid.from_config(limits, rows, 3)


def test_bad_coordinates_are_refused():
    with pytest.raises(ValueError, match=r'got shape \(3, 4\)'):
        GRID.normalise(torch.zeros(3, 4))


def test_cells_by_hand_on_an_odd_grid() -> None:
    """3 rows of 2 m, 5 columns of 1 m from (-1, -4): a loop over all corners and centres."""
    grid = BEVGrid.from_config((-1, -4, 0, 4, 2, 2), rows=3, cols=5)
    assert grid.cell_size == (1.0, 2.0)
    for row in range(3):
        for col in range(5):
            centre = torch.tensor([-1 + col + 0.5, -4 + 2 * row + 1.0])
            torch.testing.assert_close(grid.cell_centres()[row, col], centre)
            corner = torch.tensor([-1.0 + col, -4.0 + 2 * row])
            torch.testing.assert_close(grid.to_metres(torch.tensor([float(col), float(row)])), corner)
            assert grid.to_cells(centre).floor().tolist() == [col, row]
            assert bool(grid.contains(centre))


@pytest.mark.parametrize('rows', [1, 3])
@pytest.mark.parametrize('cols', [1, 4])
def test_sampling_reads_every_cell_at_its_centre(rows: int, cols: int) -> None:
    grid = BEVGrid.from_config((-20, -10, -5, 20, 30, 3), rows, cols)
    map_HW = torch.randn(rows, cols)
    places = grid.sampling_grid(grid.cell_centres())[None]
    read = torch.nn.functional.grid_sample(map_HW[None, None], places, align_corners=False)[0, 0]
    torch.testing.assert_close(read, map_HW, atol=1e-5, rtol=1e-5)


def test_three_coordinates_use_the_height_of_the_range() -> None:
    unit = GRID.normalise(torch.tensor([[-20.0, -10.0, -5.0], [0.0, 10.0, -1.0], [20.0, 30.0, 3.0]]))
    torch.testing.assert_close(unit, torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5], [1, 1, 1]]))
    assert GRID.contains(torch.tensor([[0.0, 0.0, 3.0], [0.0, 0.0, 2.99]])).tolist() == [False, True]


def test_double_precision_is_kept() -> None:
    metres = torch.tensor([[1 / 3, 2 / 3]], dtype=torch.float64)
    assert GRID.to_cells(metres).dtype == torch.float64
    torch.testing.assert_close(GRID.to_metres(GRID.to_cells(metres)), metres, atol=1e-14, rtol=0)
    assert GRID.cell_centres(dtype=torch.float64).dtype == torch.float64


def test_no_points() -> None:
    for shape in ((0, 2), (2, 0, 3)):
        assert GRID.normalise(torch.zeros(shape)).shape == shape
        assert GRID.contains(torch.zeros(shape)).shape == shape[:-1]


def test_height_does_not_matter_for_the_ground() -> None:
    low = BEVGrid((-20.0, -10.0, -8.0, 20.0, 30.0, 6.0), 10, 20)
    assert GRID.same_range(low)
    nearly = BEVGrid((-20.00005, -10.0, -5.0, 20.0, 30.0, 3.0), 10, 20)
    assert GRID.same_range(nearly) and not GRID.same_range(nearly, tolerance=1e-6)
    assert GRID.same_range(BEVGrid((-20.5, -10.0, -5.0, 20.0, 30.0, 3.0), 10, 20), tolerance=0.5)


def test_same_ground_is_asked_of_all_four_sides() -> None:
    limits = [-8.0, -6.0, -5.0, 8.0, 6.0, 3.0]
    grid = BEVGrid(tuple(limits), 6, 8)
    for side, same in enumerate((False, False, True, False, False, True)):
        other = limits.copy()
        other[side] += 0.5
        assert grid.same_range(BEVGrid(tuple(other), 3, 4)) == same, side
    with pytest.raises(ValueError, match='min < max'):
        BEVGrid((-8.0, 6.0, -5.0, 8.0, 6.0, 3.0), 6, 8)
