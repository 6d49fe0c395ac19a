"""Labels go into CenterPoint's head and come out of it in the data set's order."""

from __future__ import annotations

import pytest
import torch
from mmdet3d.models.dense_heads import centerpoint_head
from mmdet3d.registry import MODELS
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

import projects.centerpoint  # noqa: F401

# In the order of the data set, which is not that of the tasks.
NAMES = ['car', 'truck', 'trailer', 'bicycle', 'pedestrian']
TASKS = [['trailer'], ['pedestrian', 'car'], ['bicycle', 'truck']]
RANGE = [-8.0, -6.0, -5.0, 8.0, 6.0, 3.0]
PART = dict(out_size_factor=2, voxel_size=[0.5, 0.5])


def build(**arguments):
    init_default_scope('mmdet3d')
    config = dict(
        type='OrderedCenterHead',
        class_names=NAMES,
        in_channels=6,
        tasks=[dict(num_class=len(names), class_names=names) for names in TASKS],
        common_heads=dict(reg=(2, 2), height=(1, 2), dim=(3, 2), rot=(2, 2), vel=(2, 2)),
        share_conv_channel=4,
        bbox_coder=dict(
            type='CenterPointBBoxCoder',
            pc_range=RANGE[:2],
            post_center_range=RANGE,
            max_num=20,
            score_threshold=0.1,
            code_size=9,
            **PART,
        ),
        separate_head=dict(type='SeparateHead', init_bias=-2.19, final_kernel=3),
        train_cfg=ConfigDict(
            grid_size=[32, 24, 1],
            point_cloud_range=RANGE,
            dense_reg=1,
            gaussian_overlap=0.1,
            max_objs=50,
            min_radius=1,
            **{**PART, 'voxel_size': [0.5, 0.5, 8.0]},
        ),
        test_cfg=ConfigDict(nms_type='circle', min_radius=[1.0, 1.0, 1.0], post_max_size=20),
    )
    return MODELS.build(config | arguments).eval()


def one_of_each() -> InstanceData:
    """A box of every class, each in a cell of its own."""
    boxes = torch.zeros(len(NAMES), 9)
    boxes[:, 0] = torch.tensor([-6.5, -3.5, 0.5, 3.5, 6.5])
    boxes[:, 1] = torch.tensor([-4.5, 2.5, -1.5, 4.5, 0.5])
    boxes[:, 3:6] = torch.tensor([2.0, 1.0, 1.5])
    return InstanceData(bboxes_3d=LiDARInstance3DBoxes(boxes, box_dim=9), labels_3d=torch.arange(len(NAMES)))


def cell(instances: InstanceData, index: int) -> tuple[int, int]:
    """Row and column of a box on cells of 1 m."""
    x, y = instances.bboxes_3d.tensor[index, :2].tolist()
    return int(y + 6), int(x + 8)


def test_heatmap_is_in_the_order_of_the_data_set() -> None:
    head = build()
    for names, task in zip(TASKS, head.task_heads, strict=True):
        torch.nn.init.zeros_(task.heatmap[-1].weight)
        task.heatmap[-1].bias.data = torch.tensor([float(NAMES.index(name)) for name in names])
    heatmap, features = head.heatmap(torch.randn(2, 6, 12, 16))
    assert features.shape == (2, 4, 12, 16)
    torch.testing.assert_close(heatmap, torch.arange(5.0).view(1, 5, 1, 1).expand(2, 5, 12, 16))


def test_heatmap_is_that_of_mmdet3ds_forward_pass() -> None:
    head, bev = build(), torch.randn(2, 6, 12, 16)
    by_task = [entries[0]['heatmap'] for entries in head([bev])]
    heatmap, _ = head.heatmap(bev)
    for names, of_task in zip(TASKS, by_task, strict=True):
        for index, name in enumerate(names):
            torch.testing.assert_close(heatmap[:, NAMES.index(name)], of_task[:, index])


def test_targets_of_a_class_are_in_its_task() -> None:
    head, truth = build(), one_of_each()
    heatmaps, _, _, _ = head.get_targets_single(truth)
    for label, name in enumerate(NAMES):
        (task,) = (index for index, names in enumerate(TASKS) if name in names)
        plane = heatmaps[task][TASKS[task].index(name)]
        peaks = [tuple(at) for at in (plane == 1).nonzero().tolist()]
        assert peaks == [cell(truth, label)]


def test_labels_below_zero_are_nobodys() -> None:
    head, truth = build(), one_of_each()
    truth.labels_3d[:] = -1
    heatmaps, _, _, masks = head.get_targets_single(truth)
    assert all(float(plane.sum()) == 0 for plane in heatmaps)
    assert all(int(mask.sum()) == 0 for mask in masks)


def test_detections_carry_the_data_sets_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    # numba compiles it anew in each process, which takes seconds; of five boxes none is suppressed.
    monkeypatch.setattr(centerpoint_head, 'circle_nms', centerpoint_head.circle_nms.py_func)
    head, truth = build(), one_of_each()
    tasks = []
    for names in TASKS:
        maps = dict(
            heatmap=torch.full((2, len(names), 12, 16), -9.0),
            reg=torch.full((2, 2, 12, 16), 0.5),
            height=torch.zeros(2, 1, 12, 16),
            dim=torch.tensor([2.0, 1.0, 1.5]).log().view(1, 3, 1, 1).repeat(2, 1, 12, 16),
            rot=torch.tensor([0.0, 1.0]).view(1, 2, 1, 1).repeat(2, 1, 12, 16),
            vel=torch.zeros(2, 2, 12, 16),
        )
        for index, name in enumerate(names):
            row, col = cell(truth, NAMES.index(name))
            maps['heatmap'][:, index, row, col] = 9.0
        tasks.append([maps])
    metas = [dict(box_type_3d=LiDARInstance3DBoxes)] * 2
    for found in head.predict_by_feat(tuple(tasks), metas):
        assert sorted(found.labels_3d.tolist()) == list(range(len(NAMES)))
        for box, label in zip(found.bboxes_3d.tensor, found.labels_3d.tolist(), strict=True):
            torch.testing.assert_close(box[:2], truth.bboxes_3d.tensor[label, :2])


def test_nothing_is_added_to_the_weights() -> None:
    assert not [name for name in build().state_dict() if 'place' in name]


def test_tasks_must_have_exactly_the_classes() -> None:
    with pytest.raises(ValueError, match=r"classes \['trailer', .*class_names is \['car', 'bus'\]: every class"):
        build(class_names=['car', 'bus'])
