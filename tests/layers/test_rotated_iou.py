"""Overlaps against the exact areas of polygons, hand numbers, and mmcv's and mmdet3d's."""

from __future__ import annotations

import math

import pytest
import torch
from mmcv.ops import box_iou_rotated
from mmdet3d.structures import LiDARInstance3DBoxes
from shapely.affinity import rotate, translate
from shapely.geometry import box

from bevdistill.layers.rotated_iou import bev_iou, bev_overlap, ground_rectangles, iou_3d


def rectangles(count):
    boxes = torch.rand(count, 5) * torch.tensor([4, 4, 5, 2, 2 * math.pi]) + torch.tensor([30, -20, 0.5, 0.5, -math.pi])
    return boxes


def polygon(rectangle):
    x, y, length, width, heading = rectangle.tolist()
    flat = box(-length / 2, -width / 2, length / 2, width / 2)
    return translate(rotate(flat, heading, origin=(0, 0), use_radians=True), x, y)


def test_areas_of_polygons():
    first, second = rectangles(9), rectangles(14)
    want = [[polygon(one).intersection(polygon(other)).area for other in second] for one in first]
    torch.testing.assert_close(bev_overlap(first, second), torch.tensor(want), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(('other', 'iou'), [
    ((0, 0, 4, 2, 0), 1.0),
    ((0, 0, 4, 2, math.pi), 1.0),
    ((0, 0, 2, 4, math.pi / 2), 1.0),
    ((1, 0, 4, 2, 0), 6 / 10),
    ((0, 0, 2, 1, 0), 2 / 8),
    ((4, 0, 4, 2, 0), 0.0),
    ((4, 2, 4, 2, 0), 0.0),
    ((0, 0, 2, 4, 0), 4 / 12),
    ((0, 0, math.sqrt(2), math.sqrt(2), math.pi / 4), 2 / 8),
    ((9, 9, 4, 2, 1), 0.0),
    ((0, 0, 0, 0, 0), 0.0),
])  # fmt: skip
@pytest.mark.parametrize('place', [(0.0, 0.0, 0.0), (48.3, -50.1, 0.7)])
def test_by_hand(other, iou, place):
    """The same, turned, contained, on a common edge, touching at an edge and a corner, crossed, apart, without size."""
    boxes = torch.tensor([[0.0, 0, 4, 2, 0], other])
    x, y, turn = place
    cos, sin = math.cos(turn), math.sin(turn)
    moved = torch.stack((boxes[:, 0] * cos - boxes[:, 1] * sin + x, boxes[:, 0] * sin + boxes[:, 1] * cos + y), dim=1)
    boxes = torch.cat((moved, boxes[:, 2:4], boxes[:, 4:] + turn), dim=1)
    assert float(bev_iou(boxes[:1], boxes[1:])) == pytest.approx(iou, abs=2e-5)
    assert float(bev_iou(boxes[1:], boxes[:1])) == pytest.approx(iou, abs=2e-5)


def test_same_as_the_compiled_operators():
    x_y_z_sizes_yaw = [0, 1, 5, 2, 3, 6, 4]
    first, second = (torch.cat((rectangles(n), torch.rand(n, 2)), dim=1)[:, x_y_z_sizes_yaw] for n in (30, 40))
    torch.testing.assert_close(
        bev_iou(ground_rectangles(first), ground_rectangles(second)),
        box_iou_rotated(ground_rectangles(first), ground_rectangles(second)), atol=1e-4, rtol=1e-4,
    )  # fmt: skip
    sides = [LiDARInstance3DBoxes(side, origin=(0.5, 0.5, 0.5)) for side in (first, second)]
    torch.testing.assert_close(iou_3d(first, second), LiDARInstance3DBoxes.overlaps(*sides), atol=1e-4, rtol=1e-4)


def test_none_and_no_numbers():
    assert bev_iou(rectangles(0), rectangles(3)).shape == (0, 3)
    assert iou_3d(torch.rand(2, 7), torch.zeros(0, 7)).shape == (2, 0)
    broken = torch.full((1, 5), float('nan'))
    assert bev_iou(broken, rectangles(2)).isnan().all(), 'nothing is hidden'
