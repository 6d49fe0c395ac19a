"""What the LiDAR detectors train on, from files to items: sweeps, class-balanced sampling, augmentation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.ops import points_in_boxes_cpu
from mmdet3d.datasets import CBGSDataset
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from nuscenes import NuScenes
from nuscenes.utils.data_classes import LidarPointCloud

from bevdistill.datasets import SeededDataset, SeededIndex

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'object_dgcnn'


@pytest.fixture(scope='module')
def make_data(synthetic_root: Path, synthetic_infos: Path) -> Any:
    """Build the data set of a full-scale config on the tiny root: ``make_data(config, loader, **stages)``."""

    def make(name: str, loader: str = 'train_dataloader', **stages: Any) -> Any:
        dataset = Config.fromfile(str(CONFIGS / f'{name}_20e_nus-3d.py'))[loader].dataset
        inner = dataset
        while 'dataset' in inner:
            inner = inner.dataset
        split = Path(inner.ann_file).name
        inner.update(data_root=str(synthetic_root), ann_file=str(synthetic_infos / split))
        inner.pipeline.update(stages)
        np.random.seed(0)
        return DATASETS.build(dataset)

    return make


@pytest.fixture(scope='module')
def train_data(make_data: Any) -> SeededDataset:
    return make_data('object-dgcnn_voxel01')


def test_points_of_ten_sweeps_are_where_the_devkit_puts_them(make_data: Any, synthetic_root: Path) -> None:
    """Through ego poses and mountings of every sweep, on a car that drives and turns."""
    data = make_data('object-dgcnn_voxel01', 'val_dataloader', points_range=None)
    nusc = NuScenes('v1.0-mini', str(synthetic_root), verbose=False)
    compared, turn = 0, 0.0
    for index in range(len(data)):
        record = data.get_data_info(index)
        item = data[index]['inputs']['points']
        cloud, times = LidarPointCloud.from_file_multisweep(
            nusc, nusc.get('sample', record['token']), 'LIDAR_TOP', 'LIDAR_TOP', nsweeps=10, min_distance=1.0
        )
        if not record['lidar_sweeps']:
            # The start of a scene: the keyframe is repeated in place of the sweeps that there are none of.
            keyframe, count = cloud.points.T, np.fromfile(record['lidar_points']['lidar_path'], np.float32).size // 5
            assert len(item) == count + 9 * len(keyframe)
            assert not item[:, 4].any()
            continue
        compared += 1
        turn = max(turn, *(abs(sweep['lidar_points']['lidar2sensor'][0, 1]) for sweep in record['lidar_sweeps']))
        lags = sorted(set(times[0].round(3)))
        assert len(lags) == len(record['lidar_sweeps'][:9]) + 1
        # The keyframe keeps the points on the car; the devkit drops them there too.
        close = (item[:, :2].abs() < 1.0).all(dim=1) & (item[:, 4] == 0)
        got = item[~close]
        np.testing.assert_allclose(got[:, 4].numpy(), times[0], atol=1e-4)
        np.testing.assert_allclose(got[:, :4].numpy(), cloud.points.T, atol=2e-3)
    assert compared >= 4 and turn > 0.01


def test_every_class_is_seen_as_often(train_data: SeededDataset) -> None:
    balanced = train_data.dataset
    assert isinstance(balanced, CBGSDataset)
    plain = balanced.dataset
    frames = {label: [] for label in range(10)}
    for index in range(len(plain)):
        for label in set(plain.get_data_info(index)['ann_info']['gt_labels_3d'].tolist()):
            frames[label].append(index)
    share = sum(map(len, frames.values())) / 10
    assert len(plain) < len(balanced) <= 10 * share
    position = 0
    for label, shows in frames.items():
        block = balanced.sample_indices[position : position + int(share)]
        assert set(block) <= set(shows), label
        position += int(share)
    assert abs(position - len(balanced)) <= 10
    # Without it the rare classes are seen in fewer frames than the common ones.
    assert len({len(shows) for shows in frames.values()}) > 1


def test_one_seed_draws_one_set_of_frames(make_data: Any, train_data: SeededDataset) -> None:
    again = make_data('object-dgcnn_voxel01')
    assert again.dataset.sample_indices == train_data.dataset.sample_indices
    assert Counter(again.dataset.sample_indices).most_common(1)[0][1] > 1


def test_a_draw_repeats_sweeps_and_augmentation(train_data: SeededDataset) -> None:
    first, again, other = (train_data[SeededIndex(3, seed)] for seed in (11, 11, 12))
    assert torch.equal(first['inputs']['points'], again['inputs']['points'])
    boxes = [item['data_samples'].gt_instances_3d.bboxes_3d.tensor for item in (first, again, other)]
    assert torch.equal(boxes[0], boxes[1])
    assert boxes[0].shape != boxes[2].shape or not torch.allclose(boxes[0], boxes[2], atol=1e-2)
    assert first['data_samples'].token == other['data_samples'].token


def test_augmented_items_end_at_the_range(train_data: SeededDataset) -> None:
    limits = torch.tensor([-51.2, -51.2, -5.0, 51.2, 51.2, 3.0])
    item = train_data[SeededIndex(2, 5)]
    points = item['inputs']['points'][:, :3]
    assert ((points > limits[:3]) & (points < limits[3:])).all()
    centres = item['data_samples'].gt_instances_3d.bboxes_3d.bev[:, :2]
    assert (centres.abs() <= 51.2).all()


def test_augmented_boxes_hold_the_points_that_they_held(make_data: Any) -> None:
    uncut = dict(points_range=None, boxes_range=None)
    augmented = make_data('object-dgcnn_voxel01', **uncut)
    plain = make_data('object-dgcnn_voxel01', **uncut, points_turn=None, points_flip=None)
    total = 0
    for index in (0, 20):
        counts, boxes = [], []
        for data in (augmented, plain):
            item = data[SeededIndex(index, 5)]
            boxes.append(item['data_samples'].gt_instances_3d.bboxes_3d.tensor)
            inside = points_in_boxes_cpu(item['inputs']['points'][None, :, :3], boxes[-1][None, :, :7])
            counts.append(inside[0].sum(dim=0).float())
        torch.testing.assert_close(counts[0], counts[1], atol=2.0, rtol=0.02)
        speeds = [tensor[:, 7:9].norm(dim=1) for tensor in boxes]
        scale = boxes[0][0, 3] / boxes[1][0, 3]
        torch.testing.assert_close(speeds[0], speeds[1] * scale, atol=1e-3, rtol=1e-3)
        assert 0.95 <= scale <= 1.05 and scale != 1
        total += int(counts[0].sum())
    assert total > 200
