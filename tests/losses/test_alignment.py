"""Maps of two grids of the same ground: resized to the student's, or refused."""

from __future__ import annotations

import pytest
import torch

from bevdistill.losses.alignment import resize_map
from bevdistill.structures import BEVGrid

RANGE = (-8.0, -6.0, -5.0, 8.0, 6.0, 3.0)


def test_a_map_of_the_same_grid_stays_itself() -> None:
    teacher = torch.randn(2, 3, 4, 6)
    assert resize_map(teacher, BEVGrid(RANGE, 4, 6), BEVGrid(RANGE, 4, 6)) is teacher


def test_half_the_rows_are_means_of_pairs_and_columns_stay() -> None:
    """Middles of the larger cells lie between the middles of two smaller ones."""
    teacher = torch.arange(24.0).view(1, 1, 4, 6)
    got = resize_map(teacher, BEVGrid(RANGE, 4, 6), BEVGrid(RANGE, 2, 6))
    torch.testing.assert_close(got, (teacher[:, :, ::2] + teacher[:, :, 1::2]) / 2)


def test_a_row_becomes_columns_by_hand() -> None:
    """Two cells 0 and 4 as four: middles at a quarter outside, and at 1/4 and 3/4 between the two."""
    got = resize_map(torch.tensor([0.0, 4]).view(1, 1, 1, 2), BEVGrid(RANGE, 1, 2), BEVGrid(RANGE, 1, 4))
    assert got.flatten().tolist() == [0, 1, 3, 4] and got.shape == (1, 1, 1, 4)


def test_other_ground_is_refused() -> None:
    moved = (-7.0, *RANGE[1:])
    with pytest.raises(ValueError) as error:
        resize_map(torch.zeros(1, 1, 2, 2), BEVGrid(RANGE, 2, 2), BEVGrid(moved, 2, 2))
    assert str(error.value) == (
        f'a teacher map of range {RANGE} cannot be laid on a student grid of range {moved}; train both with one '
        'point_cloud_range'
    )
