import math

import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.structures import InstanceData

from bevdistill.visualization.boxes import BoxSet
from bevdistill.visualization.wires import box_corners, footprints, heading_marks, wireframes

from .helpers import GRID, box_set


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


def test_confident_keeps_the_best_and_draws_the_best_last() -> None:
    boxes = box_set([[i, 0, 0, 1, 1, 1, 0] for i in range(4)], scores=[0.2, 0.9, 0.05, 0.5])
    kept = boxes.confident(threshold=0.1, limit=2)
    assert kept.scores is not None
    assert kept.scores.tolist() == [0.5, 0.9]
    assert kept.boxes.tensor[:, 0].tolist() == [3, 1]
    assert len(boxes.confident(threshold=0.95, limit=2)) == 0
    truth = box_set([[0, 0, 0, 1, 1, 1, 0]])
    assert truth.confident(threshold=0.9, limit=0) is truth


def test_within_drops_boxes_off_the_grid() -> None:
    boxes = box_set([[0, 0, 0, 1, 1, 1, 0], [0, 12, 0, 1, 1, 1, 0], [19, 9, 0, 1, 1, 1, 0]])
    assert boxes.within(GRID).boxes.tensor[:, 0].tolist() == [0, 19]


def test_reads_instances_with_and_without_scores() -> None:
    source = box_set([[0, 0, 0, 1, 1, 1, 0]])
    instances = InstanceData(bboxes_3d=source.boxes, labels_3d=torch.tensor([1]))
    assert BoxSet.from_instances(instances).scores is None
    instances.scores_3d = torch.tensor([0.5])
    assert BoxSet.from_instances(instances).scores == pytest.approx([0.5])


def test_empty_boxes() -> None:
    empty = box_set([])
    assert wireframes(empty.corners()).shape == (0, 13, 2, 3)
    assert footprints(empty.corners()).shape == (0, 4, 2)
    assert len(empty.within(GRID)) == 0


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match=r"one length, got .*'labels': 2"):
        BoxSet(box_set([[0, 0, 0, 1, 1, 1, 0]]).boxes, np.zeros(2, dtype=np.int64))


def test_corners_are_those_of_mmdet3d() -> None:
    rng = np.random.default_rng(0)
    centres, sizes, yaws = rng.normal(size=(5, 3)), rng.uniform(1, 4, (5, 3)), rng.uniform(-3, 3, 5)
    rows = torch.from_numpy(np.hstack((centres, sizes, yaws[:, None]))).float()
    expected = LiDARInstance3DBoxes(rows, origin=(0.5, 0.5, 0.5)).corners.numpy()
    np.testing.assert_allclose(box_corners(centres, sizes, yaws), expected, atol=1e-5)
    assert box_corners(centres[:0], sizes[:0], yaws[:0]).shape == (0, 8, 3)
