import math

import numpy as np
import pytest
import torch

from bevdistill.structures import BEVGrid
from bevdistill.visualization.bev_view import (
    draw_bev,
    draw_legend,
    draw_outlines,
    legend_handles,
    legend_height,
    map_extent,
    ring_radii,
)
from bevdistill.visualization.figures import new_figure
from bevdistill.visualization.palette import class_colours

from .helpers import CLASSES, GRID, box_set, pixels_of

COLOURS = class_colours(CLASSES)


def test_extent_is_the_range_of_the_grid() -> None:
    assert map_extent(GRID) == pytest.approx((-20, 20, -10, 10))


def test_object_ahead_and_left_is_drawn_up_and_left() -> None:
    figure = new_figure(4, 2, dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    boxes = box_set([[-15, 7, 0, 2, 2, 1, 0]], scores=[1.0])
    draw_bev(axes, GRID, None, None, boxes, COLOURS, title='')
    drawn = pixels_of(figure).astype(int)
    orange = (drawn[..., 0] > 180) & (drawn[..., 2] < 90)
    rows, cols = np.nonzero(orange)
    # 400 x 200 pixels for 40 x 20 m: x = -15 is column 50, y = 7 is row 30 from above.
    assert abs(cols.mean() - 50) < 3
    assert abs(rows.mean() - 30) < 3


def test_outlines_carry_heading_colour_and_opacity() -> None:
    axes = new_figure(2, 2).add_subplot()
    boxes = box_set([[0, 0, 0, 4, 2, 1, math.pi / 2], [5, 0, 0, 1, 1, 1, 0]], labels=[1, 0], scores=[1.0, 0.1])
    outlines = draw_outlines(axes, boxes, COLOURS)
    edge = outlines.get_edgecolor()
    assert tuple(edge[0, :3]) == COLOURS[1]
    assert edge[1, 3] < edge[0, 3] == 1.0
    truth = draw_outlines(axes, box_set([[0, 0, 0, 4, 2, 1, 0]], labels=[1]), COLOURS)
    assert tuple(truth.get_edgecolor()[0, :3]) == (1, 1, 1)
    assert tuple(truth.get_facecolor()[0, :3]) == COLOURS[1]
    mark = axes.collections[1].get_segments()[0]
    np.testing.assert_allclose(mark, [[0, 0], [0, 2]], atol=1e-6)


def test_points_outside_the_grid_are_not_drawn() -> None:
    axes = new_figure(2, 2).add_subplot()
    points = np.array([[0, 0, 0, 1, 0], [0, 11, 0, 1, 0], [-19, 9, 0, 1, 0]], dtype=np.float32)
    draw_bev(axes, GRID, points, None, None, COLOURS)
    np.testing.assert_allclose(axes.collections[0].get_offsets(), [[0, 0], [-19, 9]])


@pytest.mark.parametrize('truth', [None, 'empty'])
@pytest.mark.parametrize('predictions', [None, 'empty'])
def test_without_boxes(truth: str | None, predictions: str | None) -> None:
    axes = new_figure(2, 2).add_subplot()
    nothing = np.zeros((0, 5), dtype=np.float32)
    draw_bev(axes, GRID, nothing, truth and box_set([]), predictions and box_set([], scores=[]), COLOURS)
    assert not axes.collections


@pytest.mark.parametrize(('reach', 'step'), [(25.6, 5), (51.2, 10), (4.0, 1), (300.0, 100)])
def test_rings_are_few_and_round(reach: float, step: int) -> None:
    radii = ring_radii(BEVGrid((-reach, -reach, -5, reach, reach, 3), 4, 4))
    assert radii[0] == step
    assert 1 <= len(radii) <= 5


def test_legend_names_what_is_drawn() -> None:
    handles = legend_handles(CLASSES, COLOURS, has_truth=True, has_predictions=True, threshold=0.25)
    labels = [handle.get_label() for handle in handles]
    assert labels[0].startswith('ground truth')
    assert '0.25' in labels[1]
    assert labels[-2:] == ['car', 'pedestrian']
    assert len(legend_handles(CLASSES, COLOURS, False, False, 0.2)) == len(handles) - 2


def test_legend_of_many_classes_takes_more_lines_and_stays_inside() -> None:
    classes = [f'class_with_a_long_name_{number}' for number in range(24)]
    for names, lines in ((CLASSES, 1), (classes, 4)):
        handles = legend_handles(names, class_colours(names), True, True, 0.2)
        height = legend_height(handles, 16.0)
        assert height == pytest.approx(0.2 + 0.26 * lines)
        figure = new_figure(16.0, height)
        axes = figure.add_axes((0, 0, 1, 1))
        draw_legend(axes, handles, 16.0)
        figure.canvas.draw()
        assert axes.get_legend().get_window_extent().width <= figure.bbox.width


def test_grid_range_far_from_the_ego() -> None:
    grid = BEVGrid((0.0, -5.0, -5.0, 10.0, 5.0, 3.0), 5, 5)
    axes = new_figure(2, 2).add_subplot()
    draw_bev(axes, grid, torch.zeros(1, 5).numpy(), None, None, COLOURS)
    assert axes.get_xlim() == (0.0, 10.0)
