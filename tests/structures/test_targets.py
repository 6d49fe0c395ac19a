from __future__ import annotations

import pytest
import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData

from bevdistill.structures import LABELLED, LOSS_WEIGHT, Targets, has_labels, keep_host_sizes


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


def test_weights_come_from_the_metainfo():
    samples = [sample(torch.ones(1, 9), [0]) for _ in range(3)]
    assert Targets.from_samples(samples).weights is None
    torch.testing.assert_close(Targets.from_samples(samples).sample_weights(torch.zeros(1)), torch.ones(3))
    samples[1].set_metainfo({LOSS_WEIGHT: 0.5})
    targets = Targets.from_samples(samples)
    assert targets.weights == (1.0, 0.5, 1.0)
    torch.testing.assert_close(targets.sample_weights(torch.zeros(1)), torch.tensor([1.0, 0.5, 1.0]))
    with pytest.raises(ValueError, match='1 box tensors but 2 weights'):
        Targets((torch.zeros(0, 9),), (torch.zeros(0),), (1.0, 1.0))


def test_samples_without_ground_truth_are_refused_by_name():
    bare = Det3DDataSample(metainfo=dict(token='abc'))
    with pytest.raises(ValueError, match='sample abc has no gt_instances_3d'):
        Targets.from_samples([sample(torch.ones(1, 9), [0]), bare])
    bare.set_metainfo({LABELLED: False})
    assert has_labels(sample(torch.ones(1, 9), [0])) and not has_labels(bare)
    with pytest.raises(ValueError, match=r"sample abc is an unlabelled frame.*unlabelled=dict.*keep='labelled'"):
        Targets.from_samples([bare])


def test_more_than_nine_numbers_of_a_box_are_cut() -> None:
    targets = Targets.from_samples([sample(torch.arange(1.0, 11.0)[None], [0])])
    assert targets.boxes[0].tolist() == [[1.0, 2.0, 6.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]]


def test_sizes_on_the_host_are_taken_where_all_samples_have_them() -> None:
    samples = [sample(torch.arange(1.0, 10.0).repeat(count, 1), [0] * count) for count in (1, 2)]
    keep_host_sizes(samples[0].gt_instances_3d)
    assert Targets.from_samples(samples).host_sizes is None
    assert Targets.from_samples(samples).sizes_on_host().tolist() == [[4.0, 5.0]] * 3
    keep_host_sizes(samples[1].gt_instances_3d, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    targets = Targets.from_samples(samples)
    assert targets.sizes_on_host() is targets.host_sizes
    assert targets.host_sizes.tolist() == [[4.0, 5.0], [1.0, 2.0], [3.0, 4.0]]
    assert Targets.from_samples([]).host_sizes is None
