from __future__ import annotations

import pytest
import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData

from bevdistill.structures import Targets


def sample(boxes: torch.Tensor, labels: list[int]) -> Det3DDataSample:
    lidar_boxes = LiDARInstance3DBoxes(boxes, box_dim=boxes.shape[1])
    instances = InstanceData(bboxes_3d=lidar_boxes, labels_3d=torch.tensor(labels, dtype=torch.long))
    return Det3DDataSample(gt_instances_3d=instances)


def test_centres_move_from_bottom_to_gravity():
    bottom = torch.tensor([[1.0, 2.0, -1.0, 4.0, 2.0, 1.5, 0.3, 0.1, 0.2]])
    targets = Targets.from_samples([sample(bottom, [3]), sample(torch.zeros(0, 9), [])])
    want = bottom.clone()
    want[0, 2] = -0.25
    torch.testing.assert_close(targets.boxes[0], want)
    assert targets.boxes[1].shape == (0, 9)
    assert targets.labels[0].tolist() == [3]
    assert len(targets) == 2


def test_boxes_without_velocity_get_nan():
    targets = Targets.from_samples([sample(torch.ones(2, 7), [0, 1])])
    assert targets.boxes[0][:, 7:].isnan().all()


def test_disagreeing_shapes_are_refused():
    with pytest.raises(ValueError, match='sample 1'):
        Targets((torch.zeros(1, 9), torch.zeros(2, 9)), (torch.zeros(1), torch.zeros(1)))
    with pytest.raises(ValueError, match='2 box tensors but 1 label'):
        Targets((torch.zeros(1, 9), torch.zeros(2, 9)), (torch.zeros(1),))
