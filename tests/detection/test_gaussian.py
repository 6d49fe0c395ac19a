from __future__ import annotations

import math

import pytest
import torch
from mmdet3d.models.utils import gaussian_radius as mmdet3d_radius

from benchmarks.reference import targets as targets_by_object
from benchmarks.reference.workload import random_targets
from bevdistill.detection import gaussian
from bevdistill.detection.gaussian import gaussian_foreground, gaussian_radius, hard_foreground, heatmap_targets
from bevdistill.structures import BEVGrid, Targets

SQUARE = BEVGrid((-51.2, -51.2, -5.0, 51.2, 51.2, 3.0), 128, 128)
OBLONG = BEVGrid((-30.0, -10.0, -5.0, 20.0, 40.0, 3.0), 37, 81)


@pytest.mark.parametrize('grid', [SQUARE, OBLONG], ids=['square', 'oblong'])
@pytest.mark.parametrize('counts', [(30, 17), (0, 9), (5,)])
@pytest.mark.parametrize('min_overlap', [0.1, 0.5])
def test_heatmaps_match_the_loop_of_mmdet3d(grid: BEVGrid, counts: tuple[int, ...], min_overlap: float) -> None:
    targets = random_targets(counts, grid, spread=1.3)
    got = heatmap_targets(targets, grid, 10, min_overlap=min_overlap)
    want = targets_by_object.heatmap_targets(targets, grid, 10, min_overlap)
    torch.testing.assert_close(got, want, atol=1e-6, rtol=0)
    foreground = gaussian_foreground(targets, grid, min_overlap=min_overlap)
    torch.testing.assert_close(foreground, got.amax(dim=1))


def test_radius_is_that_of_mmdet3d_element_by_element() -> None:
    sizes = torch.rand(50, 2) * 20 + 0.1
    for overlap in (0.1, 0.3, 0.7):
        want = torch.stack([mmdet3d_radius((h, w), overlap) for h, w in sizes])
        torch.testing.assert_close(gaussian_radius(sizes, overlap), want)


def test_radii_of_nuscenes_sizes_on_the_published_grid() -> None:
    sizes = torch.tensor([[4.63, 1.97], [0.73, 0.67], [6.93, 2.51], [10.5, 2.94], [12.29, 2.9]])
    radii = gaussian_radius(sizes / 0.8).long().clamp(min=1)
    assert radii.tolist() == [1, 1, 2, 2, 2]


def test_peak_is_exactly_one_in_the_cell_of_the_centre_and_not_elsewhere() -> None:
    box = torch.tensor([[12.3, -7.9, 0.0, 12.0, 3.0, 2.0, 0.4, 0.0, 0.0]])
    heatmap = heatmap_targets(Targets((box,), (torch.tensor([3]),)), SQUARE, 10)
    col, row = SQUARE.to_cells(box[0, :2]).floor().long().tolist()
    assert heatmap.eq(1).nonzero().tolist() == [[0, 3, row, col]]


def test_minimum_radius_widens_small_boxes() -> None:
    box = torch.tensor([[0.1, 0.1, 0.0, 0.4, 0.4, 1.0, 0.0, 0.0, 0.0]])
    targets = Targets((box,), (torch.tensor([0]),))
    assert gaussian_foreground(targets, SQUARE).gt(0).sum() == 9
    assert gaussian_foreground(targets, SQUARE, min_radius=2).gt(0).sum() == 25


@pytest.mark.parametrize('sigma', [0.7, 2.0, 12.0])
def test_constant_sigma_is_the_nearest_centre_of_the_paper(sigma: float) -> None:
    targets = random_targets((12, 0), OBLONG)
    got = gaussian_foreground(targets, OBLONG, sigma=sigma)
    want = targets_by_object.gaussian_foreground(targets, OBLONG, sigma=sigma)
    torch.testing.assert_close(got, want, atol=3e-7, rtol=0)
    per_class = heatmap_targets(targets, OBLONG, 10, sigma=sigma)
    torch.testing.assert_close(per_class.amax(dim=1), got)


def test_sigma_must_be_positive() -> None:
    with pytest.raises(ValueError, match='positive number of cells'):
        gaussian_foreground(random_targets((2,), SQUARE), SQUARE, sigma=0.0)


@pytest.mark.parametrize('grid', [BEVGrid((-20.0, -10.0, -5.0, 20.0, 15.0, 3.0), 13, 31), SQUARE.with_size(20, 20)])
def test_hard_mask_matches_a_loop_over_boxes(grid: BEVGrid) -> None:
    targets = random_targets((8, 0, 5), grid, spread=1.3)
    torch.testing.assert_close(hard_foreground(targets, grid), targets_by_object.hard_foreground(targets, grid))


def test_hard_mask_marks_the_cell_of_a_box_smaller_than_a_cell() -> None:
    box = torch.tensor([[0.05, 0.05, 0.0, 0.1, 0.1, 1.0, 0.0, 0.0, 0.0]])
    mask = hard_foreground(Targets((box,), (torch.tensor([0]),)), SQUARE)
    assert mask.sum() == 1 and mask[0, 64, 64] == 1



def test_hard_mask_of_a_long_box_reaches_its_ends() -> None:
    box = torch.tensor([[0.4, 0.4, 0.0, 24.2, 0.7, 3.0, 0.0, 0.0, 0.0]])
    mask = hard_foreground(Targets((box,), (torch.tensor([0]),)), SQUARE)
    assert mask.sum() == 31 and mask[0, 64, 49:80].all(), 'the row of y, columns whose centre is within 12.1 m'


def test_hard_mask_holds_the_edge_of_a_box_and_nothing_of_one_outside() -> None:
    grid = BEVGrid((-8.0, -8.0, -5.0, 8.0, 8.0, 3.0), 16, 16)

    def marked(x: float, y: float, dx: float, dy: float) -> list[list[int]]:
        box = torch.tensor([[x, y, 0.0, dx, dy, 1.0, 0.0, 0.0, 0.0]])
        return hard_foreground(Targets((box,), (torch.tensor([0]),)), grid)[0].nonzero().tolist()

    assert marked(0.5, 0.5, 2.0, 1.0) == [[8, 7], [8, 8], [8, 9]], 'centres of the neighbours lie on the edge'
    assert marked(0.5, 0.5, 1.0, 2.0) == [[7, 8], [8, 8], [9, 8]]
    assert marked(0.5, 8.4, 1.0, 1.0) == [], 'its cell is the first above the grid'
    assert marked(0.5, 8.4, 1.0, 2.0) == [[15, 8]]


def test_hard_mask_on_cells_that_are_not_square() -> None:
    grid = BEVGrid((-16.0, -16.0, -5.0, 16.0, 16.0, 3.0), 8, 64)
    box = torch.tensor([[0.25, 2.0, 0.0, 20.0, 1.0, 3.0, 0.0, 0.0, 0.0]])
    mask = hard_foreground(Targets((box,), (torch.tensor([0]),)), grid)
    assert mask[0, 4].sum() == mask.sum() == 41, 'every half metre from 10 m behind to 10 m ahead'


def test_one_object_off_centre_lies_in_the_row_of_y_and_the_column_of_x() -> None:
    box = torch.tensor([[15.0, 35.0, 0.0, 2.0, 2.0, 1.0, 0.0, 0.0, 0.0]])
    targets = Targets((box,), (torch.tensor([0]),))
    col, row = int((15.0 + 30) / 50 * 81), int((35.0 + 10) / 50 * 37)
    assert heatmap_targets(targets, OBLONG, 1)[0, 0, row, col] == 1
    assert gaussian_foreground(targets, OBLONG)[0, row, col] == 1
    assert hard_foreground(targets, OBLONG)[0, row, col] == 1


def test_boxes_without_place_size_or_class_are_not_drawn() -> None:
    boxes = torch.zeros(6, 9)
    boxes[:, 3:6] = 2.0
    boxes[0, 0] = float('nan')
    boxes[1, 3] = 0.0
    boxes[2, 0] = 51.2
    boxes[3, 0] = -51.21
    targets = Targets((boxes,), (torch.tensor([0, 0, 0, 0, -1, 10]),))
    assert heatmap_targets(targets, SQUARE, 10).sum() == 0
    assert gaussian_foreground(Targets((boxes[:4],), (torch.zeros(4).long(),)), SQUARE).sum() == 0
    assert hard_foreground(Targets((boxes[:2],), (torch.zeros(2).long(),)), SQUARE).sum() == 0


def test_no_ground_truth_at_all() -> None:
    targets = Targets((torch.zeros(0, 9), torch.zeros(0, 9)), (torch.zeros(0).long(), torch.zeros(0).long()))
    assert heatmap_targets(targets, OBLONG, 10).shape == (2, 10, 37, 81)
    assert gaussian_foreground(targets, OBLONG, sigma=2.0).shape == (2, 37, 81)
    assert hard_foreground(targets, OBLONG).sum() == 0


def test_batch_equals_its_samples() -> None:
    targets = random_targets((7, 4), SQUARE, spread=1.3)
    both = heatmap_targets(targets, SQUARE, 10)
    for b in range(2):
        single = Targets(targets.boxes[b : b + 1], targets.labels[b : b + 1])
        torch.testing.assert_close(heatmap_targets(single, SQUARE, 10)[0], both[b])


def one_box(x: float, y: float, dx: float, dy: float, *more: list[float]) -> Targets:
    boxes = torch.tensor([[x, y, 0.0, dx, dy, 1.0, 0.0, 0.0, 0.0], *more])
    return Targets((boxes,), (torch.zeros(len(boxes), dtype=torch.long),))


@pytest.mark.parametrize(('sides', 'sigma', 'wide', 'hard'), [
    ((8.0, 8.0), None, 7, 13),  # Radius 8 (sqrt(0.1) - 0.1) * 2 = 3.46; half a diagonal of 5.66.
    ((0.5, 0.5), None, 3, 3),
    ((1e5, 1e5), None, 41, 41),  # No more than the map.
    ((8.0, 8.0), 2.0, 25, 13),  # 2 sqrt(-2 log eps) = 11.3 cells.
    ((8.0, 8.0), 9.0, 41, 13),
])  # fmt: skip
def test_windows_are_those_of_the_largest_box_and_no_larger_than_the_map(
    monkeypatch: pytest.MonkeyPatch, sides: tuple[float, float], sigma: float | None, wide: int, hard: int
) -> None:
    windows: list[tuple[int, ...]] = []
    merge = gaussian._scatter_max
    monkeypatch.setattr(gaussian, '_scatter_max', lambda *a: windows.append(a[-1].shape[1:]) or merge(*a))
    grid = BEVGrid((-10.0, -10.0, -5.0, 10.0, 10.0, 3.0), 10, 20)
    square = BEVGrid((-10.0, -5.0, -5.0, 10.0, 5.0, 3.0), 10, 20)
    no_size = [[0.0, 0.0, 0.0, *size, 1.0, 0.0, 0.0, 0.0] for size in ((300.0, 0.0), (math.inf, 9.0), (9.0, -1.0))]
    targets = one_box(0.2, 0.2, *sides, *no_size)
    gaussian_foreground(targets, square, sigma=sigma)
    hard_foreground(targets, grid)
    hard_foreground(one_box(0.1, 0.1, 0.2, 0.2, *no_size), BEVGrid((-2.0, -2.0, -5.0, 2.0, 2.0, 3.0), 16, 16))
    assert windows == [(wide, wide), (hard, hard), (3, 3)]


def test_a_box_wider_than_the_map_has_the_maps_radius() -> None:
    grid = BEVGrid((-10.0, -5.0, -5.0, 10.0, 5.0, 3.0), 10, 20)
    drawn, spread = gaussian_foreground(one_box(-9.5, 0.5, 1e5, 1e5), grid)[0, 5], (2 * 20 + 1) / 6
    torch.testing.assert_close(drawn, torch.exp(-torch.arange(20.0).square() / (2 * spread**2)))


def test_a_constant_width_ends_where_float32_does() -> None:
    drawn = gaussian_foreground(one_box(0.4, 0.4, 4.0, 4.0), SQUARE, sigma=2.0)[0, 64]
    assert drawn.nonzero().flatten().tolist() == list(range(64 - 12, 64 + 12 + 1))
    for side in (math.inf, math.nan, 0.0):
        assert not gaussian_foreground(one_box(0.4, 0.4, 4.0, side), SQUARE, sigma=2.0).any()


def test_hard_mask_reaches_the_border_on_all_sides_and_never_from_beyond_it() -> None:
    grid = BEVGrid((-8.0, -6.0, -5.0, 8.0, 6.0, 3.0), 12, 16)

    def marked(x: float, y: float) -> list[list[int]]:
        return hard_foreground(one_box(x, y, 1.0, 1.0), grid)[0].nonzero().tolist()

    assert marked(-7.5, -5.5) == [[0, 0]] and marked(7.5, 5.5) == [[11, 15]]
    for x, y in ((-8.4, 0.5), (8.4, 0.5), (0.5, -6.4), (0.5, 6.4)):
        assert marked(x, y) == []


def test_hard_mask_needs_place_size_and_heading_and_no_velocity() -> None:
    for slot in range(9):
        targets = one_box(0.5, 0.5, 2.0, 1.0)
        targets.boxes[0][0, slot] = float('nan')
        assert bool(hard_foreground(targets, SQUARE).any()) == (slot > 6), slot
    assert not hard_foreground(one_box(0.5, 0.5, 2.0, 0.0), SQUARE).any()


def test_height_does_not_matter() -> None:
    high = one_box(3.3, 7.9, 4.0, 2.0)
    high.boxes[0][0, [2, 5]] = torch.tensor([99.0, 0.0])
    for draw in (gaussian_foreground, hard_foreground):
        assert torch.equal(draw(high, SQUARE), draw(one_box(3.3, 7.9, 4.0, 2.0), SQUARE))


def test_sides_of_the_release_are_the_other_way_round() -> None:
    grid = BEVGrid((-32.0, -32.0, -5.0, 32.0, 32.0, 3.0), 64, 256)
    released = gaussian_foreground(one_box(0.5, 2.5, 8.0, 2.0), grid, released_sides=True)
    assert torch.equal(released, gaussian_foreground(one_box(0.5, 2.5, 2.0, 8.0), grid))
    assert not torch.equal(released, gaussian_foreground(one_box(0.5, 2.5, 8.0, 2.0), grid))
