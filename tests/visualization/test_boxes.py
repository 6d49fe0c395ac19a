import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from bevdistill.visualization.boxes import BoxSet

from .helpers import GRID, box_set


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
    assert len(empty.within(GRID)) == 0


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match=r"one length, got .*'labels': 2"):
        BoxSet(box_set([[0, 0, 0, 1, 1, 1, 0]]).boxes, np.zeros(2, dtype=np.int64))
