"""The data set of sequences on a toy root: items, queues, ground truth, options and what cannot be."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from bevdistill.datasets import TEMPORAL_FIELDS, BEVDataPreprocessor
from bevdistill.structures import Targets
from bevdistill.structures.cameras import CAMERAS

from .base_data import CONFIGS, build
from .conftest import HEIGHT, WIDTH, write_infos


def test_an_item_of_a_queue(toy_root: Path) -> None:
    np.random.seed(3)
    dataset = build(toy_root, queue_length=3, queue_rule='release')
    item = dataset[2]
    inputs, sample = item['inputs'], item['data_samples']
    assert inputs['img'].shape == (3, 6, 3, HEIGHT, WIDTH)
    assert inputs['img'].dtype == torch.float32
    assert inputs['points'].shape[1] == 5
    assert sample.lidar2img.shape == (3, 6, 4, 4)
    assert sample.lidar2img.dtype == np.float32
    assert sample.can_bus.shape == (3, 18)
    assert sample.can_bus.dtype == np.float32
    assert sample.history_exists.tolist() == [False, True, True]
    assert sample.can_bus_absolute.dtype == sample.ego2global.dtype == np.float64
    assert sample.ego2global.shape == (4, 4)
    assert (sample.token, sample.scene_token, sample.frame_idx, sample.sample_idx) == ('token-2', 'a', 2, 2)
    assert sample.img_shape == [(HEIGHT, WIDTH)] * 6
    assert [Path(path).parent.name for path in sample.img_path] == list(dataset.get_data_info(0)['images'])
    np.testing.assert_allclose(sample.can_bus_absolute[:3], [610, 1598, 0.5])


def test_ground_truth_is_of_trained_classes_with_bottom_centres(toy_root: Path) -> None:
    instances = build(toy_root)[1]['data_samples'].gt_instances_3d
    assert instances.labels_3d.tolist() == [0, 7, 3]
    assert instances.bboxes_3d.tensor.shape == (3, 9)
    np.testing.assert_allclose(instances.bboxes_3d.tensor[:, 2], -0.75)
    np.testing.assert_allclose(instances.bboxes_3d.gravity_center[0], [-3, 9, 0], atol=1e-6)
    assert torch.isfinite(instances.bboxes_3d.tensor).all()


def test_only_the_current_frame_gives_points(toy_root: Path) -> None:
    for path in (toy_root / 'samples' / 'LIDAR_TOP').glob('[01].bin'):
        path.unlink()
    assert len(build(toy_root, queue_length=3)[2]['inputs']['points'])


def test_sweeps_of_none_are_no_sweeps(toy_root: Path, toy_records: list[dict[str, Any]]) -> None:
    for record in toy_records:
        record['lidar_sweeps'] = None
    write_infos(toy_root, toy_records)
    assert len(build(toy_root)[1]['inputs']['points'])


def test_single_frame_has_no_motion(toy_root: Path) -> None:
    sample = build(toy_root)[4]['data_samples']
    assert sample.can_bus.shape == (1, 18)
    assert sample.can_bus[0, [0, 1, 2, 17]].tolist() == [0] * 4
    assert sample.can_bus[0, 16] == np.float32(sample.can_bus_absolute[16])
    assert sample.history_exists.tolist() == [False]


def test_history_breaks_at_scenes(toy_root: Path) -> None:
    dataset = build(toy_root, queue_length=2, queue_rule='random_drop')
    seen = {tuple(dataset.queue_indices(3)) for _ in range(50)}
    assert seen == {(1, 3), (2, 3)}
    sample = dataset[3]['data_samples']
    assert sample.history_exists.tolist() == [False, False]
    assert sample.can_bus[1, 0] == 0


def test_motion_between_members_of_the_queue(toy_root: Path) -> None:
    dataset = build(toy_root, queue_length=2, queue_rule='release')
    for _ in range(10):
        sample = dataset[2]['data_samples']
        steps = round(float(sample.can_bus[1, 0]) / 5)
        assert steps in (1, 2)
        np.testing.assert_allclose(sample.can_bus[1, :2], [5.0 * steps, -1.0 * steps], atol=1e-4)
        np.testing.assert_allclose(sample.can_bus[1, 17], np.degrees(0.3 * steps), atol=1e-3)


def test_an_item_does_not_depend_on_those_before(toy_root: Path) -> None:
    dataset = build(toy_root, split='val', queue_length=4)
    first = copy.deepcopy(dataset[1]['data_samples'])
    for i in range(5):
        dataset[i]
    again = dataset[1]['data_samples']
    np.testing.assert_array_equal(first.can_bus, again.can_bus)
    np.testing.assert_array_equal(first.can_bus_absolute, again.can_bus_absolute)
    np.testing.assert_array_equal(first.lidar2img, again.lidar2img)


def test_testing_gives_the_current_frame_alone_with_annotations_beside(toy_root: Path) -> None:
    dataset = build(toy_root, split='test', queue_length=4)
    item = dataset[2]
    assert item['inputs']['img'].shape == (1, 6, 3, HEIGHT, WIDTH)
    assert item['inputs']['img'].dtype == torch.uint8
    assert len(item['data_samples'].gt_instances_3d) == 0
    assert item['data_samples'].eval_ann_info['gt_labels_3d'].tolist() == [0, 7, 3]


@pytest.mark.parametrize(('kind', 'keys'), [('nus-3d_camera', {'img'}), ('nus-3d_lidar', {'points'})])
@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_modalities(toy_root: Path, kind: str, keys: set[str], split: str) -> None:
    item = build(toy_root, split, kind)[0]
    assert set(item['inputs']) == keys


def test_a_batch_goes_through_the_preprocessor(toy_root: Path) -> None:
    dataset = build(toy_root, queue_length=2)
    data = pseudo_collate([dataset[2], dataset[4]])
    preprocessor = BEVDataPreprocessor(mean=[0.0] * 3, std=[1.0] * 3, pad_size_divisor=32, grid_mask={})
    processed = preprocessor(data, True)
    assert processed['inputs']['imgs'].shape == (2, 2, 6, 3, 32, 64)
    assert Targets.from_samples(processed['data_samples']).boxes[0].shape == (3, 9)


def test_the_version_comes_from_the_file(toy_root: Path) -> None:
    assert build(toy_root).metainfo['version'] == 'v1.0-mini'


def test_the_meta_data_tell_which_sensors_are_loaded(toy_root: Path) -> None:
    assert build(toy_root).metainfo['modality'] == {'use_camera': True, 'use_lidar': True}
    camera = build(toy_root, modality={'use_camera': True, 'use_lidar': False})
    assert camera.metainfo['modality'] == {'use_camera': True, 'use_lidar': False}
    assert 'points' not in camera[0]['inputs']


@pytest.mark.parametrize('indices', [0, [], [0, 99], [-99]])
def test_samples_that_are_not_there(toy_root: Path, indices: int | list[int]) -> None:
    with pytest.raises(ValueError, match=r'expected indices from 0 to \d+, or a number of samples, found '):
        build(toy_root, indices=indices)
    assert len(build(toy_root, indices=[0, 1])) == 2 == len(build(toy_root, indices=2))


def test_a_subset_of_classes_and_of_samples(toy_root: Path) -> None:
    dataset = build(toy_root, metainfo={'classes': ('bus', 'car')}, indices=3)
    assert len(dataset) == 3
    assert dataset[0]['data_samples'].gt_instances_3d.labels_3d.tolist() == [1, 0]
    assert dataset.get_cat_ids(0) == {0, 1}


def test_samples_without_boxes_are_replaced_in_training_only(toy_root: Path, toy_records: list[dict[str, Any]]) -> None:
    toy_records[1]['instances'] = []
    write_infos(toy_root, toy_records)
    assert build(toy_root)[1]['data_samples'].token != 'token-1'
    kept = build(toy_root, filter_empty_gt=False)[1]['data_samples']
    assert kept.token == 'token-1'
    assert kept.gt_instances_3d.bboxes_3d.tensor.shape == (0, 9)
    assert build(toy_root, split='val')[1]['data_samples'].token == 'token-1'


@pytest.mark.parametrize('field', TEMPORAL_FIELDS)
def test_a_file_of_another_converter(toy_root: Path, toy_records: list[dict[str, Any]], field: str) -> None:
    del toy_records[3][field]
    write_infos(toy_root, toy_records)
    with pytest.raises(ValueError, match=rf'token-3 lacks the temporal field {field}\..*data create nuscenes'):
        build(toy_root)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no information file .*infos.msgpack.gz; write it .* data create'):
        build(tmp_path)


def test_options_are_checked(toy_root: Path) -> None:
    with pytest.raises(ValueError, match=r'queue_length .* got 0'):
        build(toy_root, queue_length=0)
    with pytest.raises(ValueError, match="'newest'; expected one of consecutive, random_drop, release"):
        build(toy_root, queue_rule='newest')


def test_a_missing_image_of_an_item(toy_root: Path) -> None:
    (toy_root / 'samples' / 'CAM_BACK' / '1.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'sample token-1: cannot read image .*CAM_BACK/1.png'):
        build(toy_root)[1]


def test_overrides_by_stage_name(toy_root: Path) -> None:
    config = Config.fromfile(CONFIGS / 'nus-3d.py')
    config.merge_from_dict({'train_dataloader.dataset.dataset.pipeline.points_sweeps.sweeps_num': 0})
    config.merge_from_dict({'train_dataloader.dataset.dataset.pipeline.images.transforms.photometric': None})
    pipeline = config.train_dataloader.dataset.dataset.pipeline
    points = build(toy_root, pipeline=pipeline)[0]
    assert points['inputs']['points'][:, 4].abs().max() == 0
    assert points['inputs']['img'].dtype == torch.uint8


def test_cameras_are_chosen_ordered_and_named(toy_root: Path) -> None:
    every = build(toy_root, kind='nus-3d_camera')[0]
    chosen = build(toy_root, kind='nus-3d_camera', cameras=['CAM_BACK', 'CAM_FRONT'])[0]
    order = [CAMERAS.index(name) for name in ('CAM_BACK', 'CAM_FRONT')]
    assert chosen['data_samples'].cameras == ['CAM_BACK', 'CAM_FRONT']
    assert chosen['inputs']['img'].shape[1] == 2
    matrices = every['data_samples'].lidar2img[:, order]
    np.testing.assert_array_equal(chosen['data_samples'].lidar2img, matrices)
    with pytest.raises(ValueError, match=r"no camera 'CAM_FORNT' \(did you mean 'CAM_FRONT'\?\).*cameras=\["):
        build(toy_root, kind='nus-3d_camera', cameras=['CAM_FORNT'])


def test_categories_are_merged_dropped_and_new(toy_root: Path, toy_records: list[dict[str, Any]]) -> None:
    """Boxes of the first record: car, pedestrian, one of no detection class, bus."""
    for box in toy_records[0]['instances']:
        box['category'] = 'animal' if box['bbox_label_3d'] < 0 else 'other.name'
    write_infos(toy_root, toy_records)
    classes = dict(metainfo=dict(classes=['vehicle', 'animal']), filter_empty_gt=False)
    labels = build(toy_root, **classes, categories=dict(car='vehicle', bus='vehicle')).get_ann_info(0)
    assert labels['gt_labels_3d'].tolist() == [0, 1, 0]
    labels = build(toy_root, **classes, categories=dict(car='vehicle', bus=None)).get_ann_info(0)
    assert labels['gt_labels_3d'].tolist() == [0, 1]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(classes=['car', 'Pedestrain']), r"class 'Pedestrain' has no category \(did you mean 'pedestrian'\?\)"),
        (dict(classes=['trailer']), r'no box of the classes trailer in 5 samples: of 20 boxes 20 are of other categor'),
        (dict(classes=['car', 'car']), "metainfo.classes names 'car' twice"),
    ],
)
def test_classes_that_find_no_box_are_told_when_the_file_is_read(
    toy_root: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(toy_root, metainfo=options)


def test_boxes_lost_to_flag_and_range_are_told(toy_root: Path, toy_records: list[dict[str, Any]]) -> None:
    for record in toy_records:
        record['instances'] = record['instances'][:2]
        record['instances'][0]['bbox_3d_isvalid'] = False
        record['instances'][1]['bbox_3d'][0] = 99.0
    write_infos(toy_root, toy_records)
    with pytest.raises(ValueError, match=r'of 10 boxes 0 are of other .*, 5 have no LiDAR .*, 5 lie out of range'):
        build(toy_root)
    assert len(build(toy_root, 'val')) == 5


def test_a_sensor_that_is_not_in_the_file(toy_root: Path, toy_records: list[dict[str, Any]]) -> None:
    del toy_records[0]['lidar_points']['lidar_path']
    write_infos(toy_root, toy_records)
    with pytest.raises(ValueError, match=r'token-0 has no LiDAR points; .*use_lidar=False'):
        build(toy_root)
    assert len(build(toy_root, kind='nus-3d_camera')) == 5
