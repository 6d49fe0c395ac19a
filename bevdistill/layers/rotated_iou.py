"""Overlap of rotated boxes by torch's operators, any device.

Legend: N and M boxes of two sets, E the 24 points that may be corners of an overlap.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..structures.constants import constant_like

CORNERS = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
"""Corners of a square of side 1, counter-clockwise."""

SMALLEST = 1e-4
"""Length to which shorter sides are stretched."""

TOLERANCE = 1e-9
"""Share of a side by which a corner may miss it."""


def bev_overlap(first_N5: Tensor, second_M5: Tensor) -> Tensor:
    """Compute the area that each pair of rectangles shares.

    Corners of one inside the other and crossings of edges, sorted by angle around their mean, are the corners of a
    convex polygon. Computed in float64 around the first rectangle's centre, returned in the type of the first set,
    without a gradient.

    Args:
        first_N5: x, y, length along the heading, width, heading in radians from x towards y.
        second_M5: The same.

    Returns:
        (N, M), square of the unit of lengths.
    """
    first, second = first_N5.detach().double(), second_M5.detach().double()
    own_NM42 = _corners(first)[:, None].expand(-1, len(second), -1, -1)
    other_NM42 = _corners(second) + (second[:, :2] - first[:, None, :2])[:, :, None]
    crossings_NM82, crosses = _crossings(own_NM42, other_NM42)
    inside = [_inside(own_NM42, other_NM42), _inside(other_NM42, own_NM42)]
    points_NME2 = torch.cat((own_NM42, other_NM42, crossings_NM82), dim=2)
    valid_NME = torch.cat((*inside, crosses), dim=2)
    count_NM1 = valid_NME.sum(dim=2, keepdim=True)
    points_NME2 = torch.where(valid_NME[..., None], points_NME2, 0)
    centred = points_NME2 - (points_NME2.sum(dim=2) / count_NM1.clamp(min=1))[:, :, None]
    angle = torch.atan2(centred[..., 1], centred[..., 0])
    order = torch.where(valid_NME, angle, torch.inf).argsort(dim=2)
    ring = centred.gather(2, order[..., None].expand_as(centred))
    # Behind the last corner comes the first one again: it closes the ring, and adds nothing after that.
    number_E1 = torch.arange(ring.shape[2], device=ring.device)[:, None]
    ring = torch.where(number_E1 < count_NM1[..., None], ring, ring[:, :, :1])
    area = 0.5 * _cross(ring, ring.roll(-1, dims=2)).sum(dim=2).abs()
    return torch.where(count_NM1[..., 0] > 2, area, 0).to(first_N5)


def bev_iou(first_N5: Tensor, second_M5: Tensor) -> Tensor:
    """Compute the intersection over union of rectangles, see :func:`bev_overlap`: (N, M)."""
    shared = bev_overlap(first_N5, second_M5)
    areas = (first_N5[:, 2] * first_N5[:, 3])[:, None] + second_M5[:, 2] * second_M5[:, 3]
    return shared / (areas - shared).clamp(min=1e-8)


def iou_3d(first_N7: Tensor, second_M7: Tensor) -> Tensor:
    """Compute the intersection over union of upright boxes.

    Args:
        first_N7: x, y, z of the centre, length, width, height, heading; metres and radians.
        second_M7: The same.

    Returns:
        (N, M).
    """
    shared = bev_overlap(ground_rectangles(first_N7), ground_rectangles(second_M7))
    (low_N, high_N), (low_M, high_M) = (
        (boxes[:, 2] - boxes[:, 5] / 2, boxes[:, 2] + boxes[:, 5] / 2) for boxes in (first_N7, second_M7)
    )
    height = torch.minimum(high_N[:, None], high_M) - torch.maximum(low_N[:, None], low_M)
    shared = shared * height.clamp(min=0)
    volumes = first_N7[:, 3:6].prod(dim=1)[:, None] + second_M7[:, 3:6].prod(dim=1)
    return shared / (volumes - shared).clamp(min=1e-8)


def ground_rectangles(boxes_N7: Tensor) -> Tensor:
    """Return x, y, length, width and heading of boxes, (N, 5)."""
    return torch.cat((boxes_N7[:, :2], boxes_N7[:, 3:5], boxes_N7[:, 6:7]), dim=1)


def _corners(boxes_N5: Tensor) -> Tensor:
    """Return corners relative to the centre, counter-clockwise, (N, 4, 2)."""
    sides_N42 = constant_like(CORNERS, boxes_N5) * boxes_N5[:, None, 2:4].clamp(min=SMALLEST)
    along, across = sides_N42.unbind(dim=-1)
    cos, sin = boxes_N5[:, None, 4].cos(), boxes_N5[:, None, 4].sin()
    return torch.stack((along * cos - across * sin, along * sin + across * cos), dim=-1)


def _cross(first: Tensor, second: Tensor) -> Tensor:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def _inside(points_NM42: Tensor, corners_NM42: Tensor) -> Tensor:
    """Tell which points are in a rectangle or on its edge, (N, M, 4)."""
    origin = corners_NM42[:, :, None, 0]
    inside = torch.ones_like(points_NM42[..., 0], dtype=torch.bool)
    for neighbour in (1, 3):
        side = corners_NM42[:, :, None, neighbour] - origin
        length = side.square().sum(dim=-1)
        along = ((points_NM42 - origin) * side).sum(dim=-1)
        inside = inside & (along >= -TOLERANCE * length) & (along <= (1 + TOLERANCE) * length)
    return inside


def _crossings(first_NM42: Tensor, second_NM42: Tensor) -> tuple[Tensor, Tensor]:
    """Intersect edges of one rectangle with those of the other: points (N, M, 16, 2), and which are on both edges."""
    start, other = first_NM42[:, :, :, None], second_NM42[:, :, None]
    edge, other_edge = start.roll(-1, dims=2) - start, other.roll(-1, dims=3) - other
    turn = _cross(edge, other_edge)
    lengths = edge.square().sum(dim=-1) * other_edge.square().sum(dim=-1)
    parallel = turn.square() <= TOLERANCE**2 * lengths
    turn = torch.where(parallel, 1, turn)
    on_first = _cross(other - start, other_edge) / turn
    on_second = _cross(other - start, edge) / turn
    crosses = ~parallel & (on_first >= 0) & (on_first <= 1) & (on_second >= 0) & (on_second <= 1)
    return (start + on_first[..., None] * edge).flatten(2, 3), crosses.flatten(2, 3)
