"""Outlines, wireframes and heading marks of boxes: by hand, and against mmdet3d's corners."""

from __future__ import annotations

import math

import numpy as np
import torch
from mmdet3d.structures import LiDARInstance3DBoxes

from bevdistill.visualization.wires import EDGES_PER_BOX, box_corners, footprints, heading_marks, wireframes

from .helpers import box_set


def test_heading_mark_points_along_yaw() -> None:
    boxes = box_set([[3, 4, -1, 4, 2, 1.5, math.pi / 2]])
    start, end = heading_marks(boxes.corners())[0]
    np.testing.assert_allclose(start, [3, 4, -1], atol=1e-5)
    np.testing.assert_allclose(end, [3, 6, -1], atol=1e-5)


def test_wireframe_has_twelve_edges_of_the_box_sizes() -> None:
    boxes = box_set([[0, 0, 0, 4, 2, 1, 0.3]])
    lines = wireframes(boxes.corners())
    assert lines.shape == (1, 13, 2, 3)
    lengths = np.linalg.norm(lines[0, :12, 1] - lines[0, :12, 0], axis=-1)
    np.testing.assert_allclose(sorted(lengths), [1] * 4 + [2] * 4 + [4] * 4, rtol=1e-5)


def test_footprint_is_the_outline_in_turn() -> None:
    outline = footprints(box_set([[1, 2, 0, 4, 2, 1, 0]]).corners())[0]
    sides = np.linalg.norm(outline - np.roll(outline, 1, axis=0), axis=-1)
    np.testing.assert_allclose(sorted(sides), [2, 2, 4, 4], rtol=1e-5)
    np.testing.assert_allclose(outline.mean(axis=0), [1, 2], atol=1e-5)


def test_corners_are_those_of_mmdet3d() -> None:
    rng = np.random.default_rng(0)
    centres, sizes, yaws = rng.normal(size=(5, 3)), rng.uniform(1, 4, (5, 3)), rng.uniform(-3, 3, 5)
    rows = torch.from_numpy(np.hstack((centres, sizes, yaws[:, None]))).float()
    expected = LiDARInstance3DBoxes(rows, origin=(0.5, 0.5, 0.5)).corners.numpy()
    np.testing.assert_allclose(box_corners(centres, sizes, yaws), expected, atol=1e-5)
    assert box_corners(centres[:0], sizes[:0], yaws[:0]).shape == (0, 8, 3)


def test_a_turned_box_by_hand() -> None:
    """4 long, 2 wide, 1 high around (10, 20, 5), heading along y: its right is +x, its front at y = 22."""
    corners = box_corners(np.array([[10.0, 20, 5]]), np.array([[4.0, 2, 1]]), np.array([math.pi / 2]))
    outline = footprints(corners)[0]
    np.testing.assert_allclose(outline, [[11, 18], [9, 18], [9, 22], [11, 22]], atol=1e-12)
    np.testing.assert_allclose(heading_marks(corners), [[[10, 20, 4.5], [10, 22, 4.5]]], atol=1e-12)
    assert corners[0, :, 2].tolist() == [4.5, 5.5, 5.5, 4.5] * 2


def test_edges_join_neighbours_and_come_before_the_mark() -> None:
    """Each of the eight corners ends three edges, and an edge changes one coordinate alone."""
    corners = box_corners(np.zeros((2, 3)), np.array([[4.0, 2, 1], [8.0, 6, 3]]), np.zeros(2))
    lines = wireframes(corners)
    assert lines.shape == (2, EDGES_PER_BOX, 2, 3) and EDGES_PER_BOX == 13
    for box, size in zip(lines, ((4, 2, 1), (8, 6, 3)), strict=True):
        changed = np.abs(box[:12, 1] - box[:12, 0])
        assert sorted(map(tuple, changed.tolist())) == sorted(
            [(size[0], 0, 0)] * 4 + [(0, size[1], 0)] * 4 + [(0, 0, size[2])] * 4
        )
        ends, count = np.unique(box[:12].reshape(-1, 3), axis=0, return_counts=True)
        assert len(ends) == 8 and set(count.tolist()) == {3}
        np.testing.assert_allclose(box[12], [[0, 0, -size[2] / 2], [size[0] / 2, 0, -size[2] / 2]])


def test_no_boxes() -> None:
    empty = box_set([]).corners()
    assert wireframes(empty).shape == (0, 13, 2, 3)
    assert footprints(empty).shape == (0, 4, 2)
    assert heading_marks(empty).shape == (0, 2, 3)
