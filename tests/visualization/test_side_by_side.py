"""Predictions of two models beside each other, from above."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from bevdistill.visualization import BoxSet, Frame, Page, save_figure, side_by_side_page

from .helpers import CLASSES, GRID, box_set


def outlines(predictions: BoxSet, other: BoxSet) -> list[list[np.ndarray]]:
    """Vertices that each panel draws: ground truth first, then predictions."""
    truth = box_set([[2, 8, -1, 4, 2, 1.5, 1.6]])
    page = Page('sample', Frame('0123', {}, {}, None, truth), GRID, CLASSES, threshold=0.3)
    figure = side_by_side_page(page, [('one', predictions), ('other', other)])
    axes = [axis for part in figure.subfigs for axis in part.axes if axis.get_title()]
    assert [axis.get_title().partition(': ')[0] for axis in axes] == ['one', 'other']
    assert axes[0].get_title().startswith('one: 0 of 1 found, ')
    return [
        [path.vertices for drawn in axis.collections if isinstance(drawn, PolyCollection) for path in drawn.get_paths()]
        for axis in axes
    ]


def test_each_panel_has_its_own_predictions_and_the_same_ground_truth() -> None:
    one = box_set([[-5, 3, -1, 4, 2, 1.5, 0.0], [6, -3, -1, 4, 2, 1.5, 0.0]], scores=[0.9, 0.1])
    left, right = outlines(one, box_set([[9, 4, -1, 4, 2, 1.5, 0.0]], scores=[0.8]))
    assert len(left) == len(right) == 2, 'what scores less than the threshold is not drawn'
    assert left[0] == pytest.approx(right[0])
    assert left[1][:4].mean(axis=0) == pytest.approx([-5, 3], abs=0.01)
    assert right[1][:4].mean(axis=0) == pytest.approx([9, 4], abs=0.01)


def test_no_predictions_at_all(tmp_path: Path) -> None:
    empty = box_set([], scores=[])
    left, _ = outlines(empty, empty)
    assert len(left) == 1
    page = Page('sample', Frame('0123', {}, {}, None, None), GRID, CLASSES)
    figure = side_by_side_page(page, [('one', empty), ('none', None)])
    assert save_figure(figure, tmp_path / 'a.png').stat().st_size > 5_000
